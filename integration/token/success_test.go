package token

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Section D of the conformance list: the success response.
func TestSuccessResponse(t *testing.T) {
	s := harness.StartCheap(t, `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		scopes read write admin
		client web {
			secret web-secret
			scopes read write
		}
		client short {
			secret           web-secret
			access_token_ttl 90s
		}
		client cli {
			public
		}
		client once {
			secret web-secret
			grants password
		}
		user alice `+harness.HashBcrypt+`
		user bob `+harness.HashArgon2id+` {
			scopes read
		}
	}
	token_endpoint /bare {
		name bare
		client web {
			secret web-secret
		}
		user alice `+harness.HashBcrypt+`
	}
}
`)

	t.Run("D1, D5: status and headers are those of RFC 6749, and no others that say anything", func(t *testing.T) {
		a := s.Login("alice", "correct horse")
		a.Want(t, 200, "")
		for name, want := range map[string]string{
			"Content-Type":  "application/json; charset=UTF-8",
			"Cache-Control": "no-store",
			"Pragma":        "no-cache",
		} {
			if got := a.Header[name]; !slices.Equal(got, []string{want}) {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
			a.Header.Del(name)
		}
		// these are Caddy's; a cookie, a challenge or a CORS header would be ours
		left := slices.Sorted(maps.Keys(a.Header))
		if !slices.Equal(left, []string{"Content-Length", "Date", "Server"}) {
			t.Errorf("other headers: %v", left)
		}
	})

	t.Run("D1, D2, D6: the body is one object with these members in this order", func(t *testing.T) {
		a := s.Login("alice", "correct horse")
		decoder := json.NewDecoder(strings.NewReader(string(a.Body)))
		var members []string
		for depth := 0; ; {
			token, err := decoder.Token()
			if err != nil {
				break // the end: nothing may follow the object
			}
			switch token {
			case json.Delim('{'):
				depth++
				continue
			case json.Delim('}'):
				depth--
				continue
			}
			members = append(members, token.(string))
			if _, err := decoder.Token(); err != nil { // its value
				t.Fatal(err)
			}
		}
		if !slices.Equal(members, []string{"token_type", "expires_in", "access_token", "refresh_token", "scope"}) {
			t.Errorf("members: %v", members)
		}
		if got := a.Text(t, "token_type"); got != "Bearer" {
			t.Errorf("token_type %q", got)
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(a.Body, &raw); err != nil {
			t.Fatal(err)
		}
		if string(raw["expires_in"]) != "3600" {
			t.Errorf("D3: expires_in is %s, want a JSON number", raw["expires_in"])
		}
	})

	t.Run("D6: a client that may not refresh gets no refresh token", func(t *testing.T) {
		a := s.Login("alice", "correct horse", "client_id", "once")
		a.Want(t, 200, "")
		if slices.Contains(slices.Sorted(maps.Keys(a.JSON)), "refresh_token") {
			t.Errorf("got %s", a.Body)
		}
	})

	ttls := map[string]float64{"web": 3600, "short": 90}
	for _, client := range slices.Sorted(maps.Keys(ttls)) {
		t.Run("D3: expires_in is exp - iat for the client "+client, func(t *testing.T) {
			a := s.Login("alice", "correct horse", "client_id", client)
			claims := harness.Payload(t, a.Text(t, "access_token"))
			exp, iat := claims["exp"].(float64), claims["iat"].(float64)
			if a.JSON["expires_in"] != ttls[client] || exp-iat != ttls[client] {
				t.Errorf("expires_in %v, exp - iat %v, want %v", a.JSON["expires_in"], exp-iat, ttls[client])
			}
		})
	}

	scopes := []struct{ name, username, client, asked, want string }{
		{"none asked: all of the client's", "alice", "web", "", "read write"},
		{"one asked", "alice", "web", "write", "write"},
		{"asked in another order, twice", "alice", "web", "write read write", "write read"},
		{"narrowed to the user's", "bob", "web", "read write", "read"},
		{"narrowed without having asked", "bob", "web", "", "read"},
		{"a public client has the server's", "alice", "cli", "", "read write admin"},
	}
	for _, test := range scopes {
		t.Run("D4: scope is what was granted: "+test.name, func(t *testing.T) {
			form := harness.LoginForm("username", test.username, "client_id", test.client, "scope", test.asked)
			if test.client == "cli" {
				form = harness.LoginForm("client_id", "cli", "client_secret", "", "scope", test.asked)
			}
			a := s.Post("/token", form)
			a.Want(t, 200, "")
			if got := a.Text(t, "scope"); got != test.want {
				t.Errorf("scope %q, want %q", got, test.want)
			}
			if got := harness.Payload(t, a.Text(t, "access_token"))["scope"]; got != test.want {
				t.Errorf("the token's scope is %v, want %q", got, test.want)
			}
		})
	}
	t.Run("D4: without any scope the member is there and empty, and the claim is not there", func(t *testing.T) {
		a := s.Post("/bare", harness.LoginForm())
		a.Want(t, 200, "")
		if got := a.Text(t, "scope"); got != "" {
			t.Errorf("scope %q", got)
		}
		if scope, has := harness.Payload(t, a.Text(t, "access_token"))["scope"]; has {
			t.Errorf("the token has the scope %v", scope)
		}
	})

	t.Run("D7: tokens and scopes are printable ASCII", func(t *testing.T) {
		a := s.Login("alice", "correct horse")
		for _, member := range []string{"access_token", "token_type", "scope"} {
			value := a.Text(t, member)
			if strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
				t.Errorf("%s: %q", member, value)
			}
		}
		if parts := strings.Split(a.Text(t, "access_token"), "."); len(parts) != 3 || parts[2] == "" {
			t.Errorf("the token has %d parts", len(parts))
		}
	})
	t.Run("two logins in a row give different tokens", func(t *testing.T) {
		first, second := s.Login("alice", "correct horse"), s.Login("alice", "correct horse")
		if first.Text(t, "access_token") == second.Text(t, "access_token") {
			t.Error("the same token twice")
		}
	})
}
