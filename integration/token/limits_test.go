package token

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// reserved are the claims that a user may not have: those of RFC 7519 §4.1, those of
// our tokens, and those under which {http.auth.user.*} has something else.
var reserved = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti",
	"cid", "client_id", "scope", "username", "sid", "cver", "srv",
	"access_token_id", "refresh_token_id", "user_id", "expire_time", "gen", "session_exp",
	"id", "token_id", "session_id",
}

// whyReserved is what an error says of a reserved claim. Some a user has in other ways.
func whyReserved(name string) string {
	switch name {
	case "sub", "user_id":
		return fmt.Sprintf(`%q is the user's "id": set that instead`, name)
	case "scope":
		return `"scope" is the user's "scopes": set that instead`
	}
	return fmt.Sprintf("%q has a meaning of its own in tokens or placeholders: choose another name", name)
}

// H9: a token never has one claim twice, since users cannot bring ours along.
func TestReservedClaims(t *testing.T) {
	s := harness.NewSite(t)
	hash := harness.CheapHash(t, "password")
	for _, name := range reserved {
		t.Run("H9: "+name+" is refused as a user's claim in the Caddyfile", func(t *testing.T) {
			_, err := harness.Adapt(s.Expand(harness.WebSite("user alice " + hash + " {\nclaim " + name + " x\n}")))
			harness.WantLoadError(t, err, "alice", whyReserved(name))
		})
	}
	t.Run("H9: all of them are refused in a file, by entry", func(t *testing.T) {
		var entries, texts []string
		for i, name := range reserved[:20] { // as many as an error shows
			entries = append(entries, fmt.Sprintf(`{"username":"u%d","password_hash":%q,"claims":{%q:"x"}}`, i, hash, name))
			texts = append(texts, fmt.Sprintf("users[%d]", i), whyReserved(name))
		}
		file := s.WriteOld("users.json", `{"users":[`+strings.Join(entries, ",\n")+`]}`)
		harness.WantLoadError(t, s.TryReload("", harness.WebSite("users json %DIR%/users.json")), append(texts, file)...)
	})
	for _, test := range []struct{ name, claims, text string }{
		{"H9: a claim twice", `{"role":"a","role":"b"}`, "duplicate key"},
		{"H9: a claim twice, once in escapes", `{"role":"a","r\u006fle":"b"}`, "duplicate key"},
		{"H9: a reserved claim in escapes", `{"\u0073ub":"x"}`, `"sub" is the user's "id"`},
		{"H9: a member twice inside a claim", `{"role":{"a":1,"a":2}}`, "duplicate key"},
		{"a claim without a name", `{"":"x"}`, "claims"},
		{"claims that are a list", `["x"]`, "must be an object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := s.WriteOld("users.json", `{"users":[{"username":"alice","password_hash":"`+hash+`","claims":`+test.claims+`}]}`)
			harness.WantLoadError(t, s.TryReload("", harness.WebSite("users json %DIR%/users.json")), file, "users[0]", test.text)
		})
	}
	t.Run("claims of every JSON type arrive as they are", func(t *testing.T) {
		s.Write("users.json", `{"users":[{"username":"alice","password_hash":"`+hash+`","claims":
			{"s":"é<&>\u2028","n":12345678901234567890.5,"b":true,"z":null,"l":[1,"two",{"x":[]}],"o":{"sub":"inner"}, "Sub":"another case"}}]}`)
		s.Reload("", harness.WebSite("users json %DIR%/users.json"))
		_, claims := s.Verified(s.Relogin("alice", "password").Text(t, "access_token"), "/token")
		want := map[string]string{"s": "é<&>\u2028", "n": "12345678901234567890.5", "b": "true", "z": "<nil>", "l": "[1 two map[x:[]]]", "o": "map[sub:inner]", "Sub": "another case", "sub": "alice"}
		for name, value := range want {
			if got := fmt.Sprint(claims[name]); got != value {
				t.Errorf("%s is %s, want %s", name, got, value)
			}
		}
		if value, there := claims["z"]; !there || value != nil {
			t.Error("null is lost")
		}
	})
}

// A token that a proxy on the way might cut or refuse is not minted.
func TestTokenLength(t *testing.T) {
	s := harness.NewSite(t)
	hash := harness.CheapHash(t, "password")
	scopes := make([]string, 64)
	for i := range scopes {
		scopes[i] = fmt.Sprintf("%03d-%s", i, strings.Repeat("x", 120))
	}
	list := `"` + strings.Join(scopes, `","`) + `"`
	s.Write("list.json", `{
		"users": [
			{"username": "alice", "password_hash": "`+hash+`"},
			{"username": "large", "password_hash": "`+hash+`", "claims": {"note": "`+strings.Repeat("n", 4000)+`"}}
		],
		"clients": [
			{"id": "web", "secret_hash": "`+harness.CheapHash(t, "web-secret")+`"},
			{"id": "greedy", "public": true, "scopes": [`+list+`]}
		]}`)
	s.Reload("", `http://127.0.0.1:%PORT% {
	token_endpoint {
		users json %DIR%/list.json
		clients json %DIR%/list.json
	}
}
`)
	t.Run("claims of 4,000 bytes fit", func(t *testing.T) {
		a := s.Relogin("large", "password")
		a.Want(t, 200, "")
		if length := len(a.Text(t, "access_token")); length > 8<<10 {
			t.Fatalf("the token has %d bytes", length)
		}
	})
	t.Run("over 8 KiB: 500 that says nothing, and a log line that does", func(t *testing.T) {
		a := s.Login("alice", "password", "client_id", "greedy", "client_secret", "")
		a.Want(t, http.StatusInternalServerError, "server_error")
		for _, internal := range []string{"bytes", "claims", "8192", "scope"} {
			if strings.Contains(a.Text(t, "error_description"), internal) {
				t.Errorf("%q is in the answer %s", internal, a.Body)
			}
		}
		if a.Header.Get("Cache-Control") != "no-store" || a.JSON["access_token"] != nil {
			t.Errorf("answer %v %s", a.Header, a.Body)
		}
		lines := s.Logged(func(line map[string]any) bool { return line["level"] == "error" && line["status"] == 500.0 })
		if len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]["error"]), "shorten") {
			t.Errorf("log lines: %v", lines)
		}
	})
	t.Run("fewer scopes of the same client fit", func(t *testing.T) {
		s.Login("alice", "password", "client_id", "greedy", "client_secret", "", "scope", scopes[7]).Want(t, 200, "")
	})
	t.Run("claims over 4 KiB are refused when they are read", func(t *testing.T) {
		file := s.WriteOld("users.json", `{"users":[{"username":"alice","password_hash":"`+hash+`","claims":{"note":"`+strings.Repeat("n", 4096)+`"}}]}`)
		harness.WantLoadError(t, s.TryReload("", harness.WebSite("users json %DIR%/users.json")), file, "alice", "the maximum is 4096")
	})
	for _, test := range []struct{ name, lines, text string }{
		{"typ at+jwt without an issuer", "typ at+jwt", "needs an issuer"},
		{"typ in another case", "typ jwt", "must be JWT or at+jwt"},
		{"an access_token_ttl of less than a second", "access_token_ttl 500ms", "whole seconds"},
		{"an access_token_ttl with a part of a second", "access_token_ttl 1500ms", "whole seconds"},
	} {
		t.Run("refused: "+test.name, func(t *testing.T) {
			harness.WantLoadError(t, s.TryReload("", harness.WebSite("user alice "+hash+"\n"+test.lines)), test.text)
		})
	}
}
