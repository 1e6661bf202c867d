package issuer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/compact"
)

// Whatever `iss` a token is chosen by is the one in its claims, which is what the
// issuer then compares.
func FuzzClaimedIssuer(f *testing.F) {
	for _, seed := range []string{
		`{"iss":"https://a"}`, `{"iss":"https://a","iss":"https://b"}`, `{"ISS":"https://a"}`, `{"i\u0073s":"https://a"}`,
		`{"iss":null}`, `{"iss":["https://a"]}`, `{"iss":"a"}{}`, `null`, `[]`, ``, `{"a":{"iss":"https://a"}}`, "{\"iss\":\"\xff\"}",
		`{"iss":"\ud800"}`, strings.Repeat(`{"a":`, 1000), `{"a":[[[[]]]],"iss":"https://a"}`,
	} {
		f.Add("eyJ9." + base64url.EncodeToString([]byte(seed)) + ".AA")
	}
	f.Add("a.b")
	f.Add("....")
	f.Add("e30.eyJpc3MiOiJhIn0=.AA")
	f.Add("e30.eyJpc3MiOiJhIn1.AA") // stray bits
	f.Fuzz(func(t *testing.T, raw string) {
		claimed, err := ClaimedIssuer(raw)
		if err != nil && claimed != "" {
			t.Fatalf("%q, and the error %v", claimed, err)
		}
		if claimed == "" {
			return
		}
		parts := strings.Split(raw, ".")
		if len(parts) != 3 || len(raw) > MaxTokenLength {
			t.Fatalf("%d parts, %d bytes", len(parts), len(raw))
		}
		payload, err := base64url.DecodeString(parts[1])
		if err != nil || base64url.EncodeToString(payload) != parts[1] {
			t.Fatalf("the payload has another spelling: %v", err)
		}
		var members map[string]any
		if err := json.Unmarshal(payload, &members); err != nil || members["iss"] != claimed || claimed == "" {
			t.Fatalf("%q of %q: %v", claimed, payload, err)
		}
	})
}

// An issuer may sign anything. What is accepted is within bounds, and names a user or a
// client.
func FuzzClaims(f *testing.F) {
	good := string(encodeJSON(claims(nil)))
	f.Add(good, true)
	for _, change := range []string{
		`"7f3a"->""`, `"7f3a"->"web"`, `"web"->7`, `"sub"->"SUB"`, `"7f3a"->"a\ud800"`, `"7f3a"->"a","sub":"b"`, `"exp":->"exp":1e9,"x":`,
		`"exp":->"exp":-1,"x":`, `"exp":->"exp":1e400,"x":`, `"iat":->"iat":1e10,"x":`, `"scope":->"scope":["a",1],"x":`, `"scope":->"scope":["a b"],"x":`,
		`"aud":->"aud":[],"x":`, `"jti":->"nonce":1,"jti":`, `"jti":->"typ":"ID","jti":`, `"jti":->"token_use":{},"jti":`, `"jti":->"cnf":null,"jti":`,
		`"jti":->"preferred_username":"service-account-web","jti":`, `"jti":->"gty":"client-credentials","jti":`, `}->}}`, `}->`,
	} {
		from, to, _ := strings.Cut(change, "->")
		f.Add(strings.Replace(good, from, to, 1), false)
	}
	for _, seed := range []string{"", "null", "[]", "{}", `"x"`, `{"sub":`, strings.Repeat(`{"a":`, 100)} {
		f.Add(seed, false)
	}
	atClock(f, now)
	i := newIssuer(f, nil, func(s *Settings) { s.UsernamePrefix = "p#" })
	f.Fuzz(func(t *testing.T, payload string, profile bool) {
		h := new(compact.Header)
		if profile {
			h.Type = "at+jwt"
		}
		got, err := i.read(h, []byte(payload))
		if err != nil || i.CheckTimes(got) != nil || i.checkLifetime(got) != nil {
			return
		}
		var members map[string]any // laxer, and takes the last duplicate
		if err := json.Unmarshal([]byte(payload), &members); err != nil {
			t.Fatalf("accepted what is not a JSON object: %v", err)
		}
		sub, _ := members["sub"].(string)
		if members["iss"] != staff || sub == "" || got.Claim("sub") != "p#"+sub {
			t.Fatalf("iss %v, sub %v of %s", got.Claim("iss"), got.Claim("sub"), payload)
		}
		if expires := time.Unix(got.expires, 0); expires.Before(now.Add(-i.settings.Leeway)) || expires.After(now.Add(i.settings.MaxLifetime+i.settings.Leeway)) {
			t.Fatalf("it expires %v", expires)
		}
		username, _ := got.Claim("username").(string)
		clientID, _ := got.Claim("client_id").(string)
		switch {
		case got.IsClient() && (username != "" || len(clientID) <= len("p#")):
			t.Fatalf("a client's, of client %q with username %q", clientID, username)
		case !got.IsClient() && (username != "p#"+sub || clientID == "p#"+sub):
			t.Fatalf("a user's, of client %q with username %q", clientID, username)
		}
		for _, name := range []string{username, clientID} {
			if strings.ContainsAny(name, "\x00\r\n") || !utf8.ValidString(name) {
				t.Fatalf("a name is %q", name)
			}
		}
		for _, scope := range got.scopes {
			if scope == "" || strings.ContainsAny(scope, " \t\r\n\"\\") || slices.ContainsFunc([]byte(scope), func(c byte) bool { return c < 0x21 || c > 0x7e }) {
				t.Fatalf("a scope is %q", scope)
			}
		}
		for _, name := range []string{"cnf", "events", "nonce", "at_hash", "c_hash", "s_hash"} {
			if _, there := members[name]; there && !(name == "nonce" && got.claims["typ"] == "Bearer") {
				t.Fatalf("it has %s", name)
			}
		}
		if profile {
			for _, name := range []string{"client_id", "jti", "iat", "aud"} {
				if _, there := members[name]; !there {
					t.Fatalf("at+jwt without %s", name)
				}
			}
		}
	})
}
