package token

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// An access token may say anything that an app that shares an HMAC secret with us
// signed. Accepted claims have all that our own tokens have, within bounds.
func FuzzParseAccessToken(f *testing.F) {
	const good = `{"iss":"https://a","sub":"alice","aud":["https://a"],"exp":1700000000,"nbf":1,"iat":1,"jti":"j",` +
		`"cid":"web","client_id":"web","scope":"read write","username":"alice","sid":"s","cver":"c","email":"a@b"}`
	f.Add([]byte(good))
	for _, change := range []string{
		`"sub":"alice"->"sub":null`, `"sub":"alice"->"SUB":"alice"`, `"sub":"alice"->"sub":"alice","sub":"bob"`, `"sub":"alice"->"s\u0075b":"alice","sub":"bob"`,
		`1700000000->-1`, `1700000000->1e9`, `1700000000->9223372036854775808`, `1700000000->253402300800`, `1700000000->"1700000000"`, `1700000000->17.5`,
		`["https://a"]->"https://a"`, `["https://a"]->[1]`, `["https://a"]->null`, `"read write"->" read  write "`, `"read write"->["read"]`, `"nbf":1->"nbf":null`,
		`"alice"->"ali\ud800ce"`, `"j"->""`, `}->}}`, `}->`,
	} {
		from, to, _ := strings.Cut(change, "->")
		f.Add([]byte(strings.Replace(good, from, to, 1)))
	}
	for _, seed := range []string{"", "null", "[]", "{}", `"x"`, "{\"sub\":", strings.Repeat(`{"a":`, 100)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, claims []byte) {
		token, err := ParseAccessToken(claims)
		if err != nil {
			return
		}
		strict := new(AccessToken)
		if err := strict.readStrictly(claims); err != nil || !reflect.DeepEqual(strict.AccessClaims, token.AccessClaims) || !reflect.DeepEqual(strict.Others, token.Others) && len(token.Others) > 0 {
			t.Fatalf("read strictly it is %+v, else %+v, error %v", strict, token, err)
		}
		// the standard library is laxer, and takes the last duplicate; what we accept
		// has none
		var members map[string]json.RawMessage
		if err := json.Unmarshal(claims, &members); err != nil {
			t.Fatalf("accepted what is no JSON object: %v", err)
		}
		for name, got := range map[string]string{
			"sub": token.Subject, "username": token.Username, "cid": token.CID, "jti": token.ID,
			"sid": token.SessionID, "cver": token.CredentialVersion,
		} {
			var want string
			if err := json.Unmarshal(members[name], &want); err != nil || got == "" || got != want {
				t.Fatalf("%s is %q, in the claims %s", name, got, members[name])
			}
		}
		if raw, there := members["srv"]; there { // older tokens lack it
			var want string
			if err := json.Unmarshal(raw, &want); err != nil || token.Server != want {
				t.Fatalf("srv is %q, in the claims %s", token.Server, raw)
			}
		} else if token.Server != "" {
			t.Fatalf("srv is %q, and there is none", token.Server)
		}
		for name, got := range map[string]int64{"exp": token.Expires, "nbf": token.NotBefore, "iat": token.IssuedAt} {
			var want int64
			if raw, there := members[name]; there && json.Unmarshal(raw, &want) != nil || got != want {
				t.Fatalf("%s is %d, in the claims %s", name, got, members[name])
			}
			if got < 0 || time.Unix(got, 0).UTC().Year() > 9999 || time.Unix(got, 0).Add(5*time.Minute).Before(time.Unix(got, 0)) {
				t.Fatalf("%s is %d", name, got)
			}
		}
		if strings.Join(token.Scopes, " ") != token.Scope {
			t.Fatalf("the scopes of %q are %q", token.Scope, token.Scopes)
		}
	})
}
