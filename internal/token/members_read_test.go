package token

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	strictjson "github.com/go-jose/go-jose/v4/json"
)

func TestARefreshTokenIsReadAsItWasWritten(t *testing.T) {
	draw := rand.New(rand.NewPCG(21, 7))
	for range 20000 {
		var token, want, got RefreshToken
		fill(t, draw, &token)
		var written bytes.Buffer
		token.encode(&written)
		if err := json.Unmarshal(written.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if err := got.decode(written.Bytes()); err != nil {
			t.Fatalf("%s: %v", written.Bytes(), err)
		}
		sameJSON(t, marshaled(t, &got), marshaled(t, &want))
	}
}

// Whatever bytes there are, they are read as the JSON parser reads them.
func FuzzRefreshTokenClaims(f *testing.F) {
	var written bytes.Buffer
	(&RefreshToken{ClientID: "web", Scope: "a b", RefusedScope: "c", UserID: "alice", ExpireTime: 1790003600, SessionVersion: 2}).encode(&written)
	f.Add(written.Bytes())
	for _, change := range [][2]string{
		{`"web"`, `"w\u0065b"`}, {`"web"`, `"web", "client_id":"x"`}, {`"exp":0`, `"exp":00`}, {`"exp":0`, `"exp":-0`}, {`"exp":0`, `"exp":1.5`},
		{`"exp":0`, `"exp":"0"`}, {`,"refused`, ` ,"refused`}, {`"c"`, `""`}, {`"sver":2`, `"sver":0`}, {`"sver":2`, `"x":2`}, {`"sver":2}`, `"sver":2`},
		{`"sver":2}`, `"sver":2}}`}, {`"gen":0`, `"gen":18446744073709551616`}, {`"gen":0`, `"gen":-1`}, {`{"client_id"`, `,"client_id"`},
		{`,"scope"`, `{"scope"`}, {`"a b"`, "\"a\tb\""}, {`"a b"`, `null`},
	} {
		f.Add(bytes.Replace(written.Bytes(), []byte(change[0]), []byte(change[1]), 1))
	}
	f.Fuzz(func(t *testing.T, claims []byte) {
		if !utf8.Valid(claims) {
			return // see OpenRefreshToken
		}
		var got, want RefreshToken
		failed, fails := got.decode(claims), strictjson.Unmarshal(claims, &want)
		if (failed == nil) != (fails == nil) {
			t.Fatalf("%s: error %v, want %v", claims, failed, fails)
		}
		if failed == nil {
			sameJSON(t, marshaled(t, &got), marshaled(t, &want))
		}
	})
}

// The claims of an ordinary token need no parser.
func TestAnOrdinaryRefreshTokenIsReadWithoutAParser(t *testing.T) {
	token := RefreshToken{ClientID: "web", AccessTokenID: "a", RefreshTokenID: "b", Scope: "read write", UserID: "alice", CredentialVersion: "c", SessionID: "s"}
	written, err := json.Marshal(&token)
	if err != nil {
		t.Fatal(err)
	}
	var read RefreshToken
	if n := testing.AllocsPerRun(100, func() { _ = read.decode(written) }); n > 7 {
		t.Errorf("%v allocations for seven texts", n)
	}
}
