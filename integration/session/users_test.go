package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// DESIGN §6: refresh holds a token against its user as the file is now, and writes
// nothing when they do not match, since copies of the file may differ for a moment. All
// changes are made at once: a change takes some seconds to come into force.
func TestRefreshFollowsTheUsers(t *testing.T) {
	s := harness.NewSite(t)
	hash, otherHash := harness.CheapHash(t, "correct horse"), harness.CheapHash(t, "battery staple")
	user := func(name, hash, more string) string {
		return fmt.Sprintf(`{"username": %q, "password_hash": %q%s}`, name, hash, more)
	}
	write := func(users ...string) {
		t.Helper()
		s.Write("users.json", `{"users": [`+strings.Join(users, ",")+`]}`)
	}
	const both, none = `, "scopes": ["read", "write"]`, `, "scopes": []`
	asTheyWere := []string{
		user("kept", hash, ""),
		user("removed", hash, ""),
		user("disabled", hash, ""),
		user("rehashed", hash, ""),
		user("renamed", hash, `, "id": "u-11"`),
		user("replaced", hash, `, "id": "u-12"`),
		user("given-an-id", hash, ""),
		user("narrowed", hash, both),
		user("emptied", hash, both),
		user("widened", hash, `, "scopes": ["read"]`),
		user("claimed", hash, `, "claims": {"email": "old@example.com", "team": "red"}`),
		user("logs-out", hash, ""),
		user("revoked-late", hash, ""),
	}
	write(asTheyWere...)
	s.Reload("", strings.NewReplacer("%SETTINGS%", "users json %DIR%/users.json").Replace(harness.WithCheapHashes(t, harness.SessionSite)))
	web := s.Web()
	sessions := make(map[string]harness.TokenPair)
	for _, name := range []string{
		"kept", "removed", "disabled", "rehashed", "renamed", "replaced", "given-an-id", "narrowed", "emptied", "widened", "claimed",
		"logs-out", "revoked-late",
	} {
		session := web.Login(t, name)
		sessions[name] = web.Refreshed(t, session.Refresh) // a session with a record, and one generation on
	}

	write(
		user("kept", hash, ""),
		user("disabled", hash, `, "disabled": true`),
		user("rehashed", otherHash, ""),
		user("renamed-now", hash, `, "id": "u-11"`),
		user("renamed", hash, ""), // the old name is another user's
		user("someone-else", otherHash, `, "id": "u-12"`),
		user("given-an-id", hash, `, "id": "u-13"`),
		user("narrowed", hash, `, "scopes": ["read"]`),
		user("emptied", hash, none),
		user("widened", hash, both),
		user("claimed", hash, `, "claims": {"email": "new@example.com", "role": "admin"}`),
	)
	harness.Eventually(t, "the file is read again", func() bool { return s.Edge(sessions["removed"].Access) == 401 })

	t.Run("C10, G17: after the change", func(t *testing.T) {
		for _, test := range []struct{ name, user string }{
			{"a user who was removed", "removed"},
			{"CVE-2026-9798: a user who was disabled refreshes no more", "disabled"},
			{"a user with a new password", "rehashed"},
			{"an id that is another user's now", "replaced"},
			{"a user who has another id", "given-an-id"},
		} {
			t.Run(test.name, func(t *testing.T) {
				a := web.Refresh(sessions[test.user].Refresh)
				a.Want(t, 400, "invalid_grant")
				if got := s.Reason(); got != "user_changed" {
					t.Errorf("refused for %q", got)
				}
				harness.WantSameOutward(t, a, web.Refresh("garbage"))
				for _, token := range []string{sessions[test.user].Refresh, sessions[test.user].Access} {
					if a := web.Introspect(token); string(a.Body) != `{"active":false}`+"\n" {
						t.Errorf("K5: introspection says %s", a.Body)
					}
				}
				if got := s.Edge(sessions[test.user].Access); got != 401 {
					t.Errorf("the edge answers %d", got)
				}
			})
		}
	})
	t.Run("G20: a scope that was taken from the user vanishes at the next refresh", func(t *testing.T) {
		a := web.Refresh(sessions["narrowed"].Refresh)
		session := harness.TokensOf(t, a)
		if a.JSON["scope"] != "read" || harness.TextClaim(t, session.Access, "scope") != "read" || harness.TextClaim(t, session.Refresh, "scope") != "read write" {
			t.Errorf("granted %v; the refresh token has %q", a.JSON["scope"], harness.TextClaim(t, session.Refresh, "scope"))
		}
		web.Refresh(session.Refresh, "scope", "write").Want(t, 400, "invalid_scope")
		sessions["narrowed"] = session
	})
	t.Run("G20: where none is left, the refresh is refused and consumes nothing", func(t *testing.T) {
		web.Refresh(sessions["emptied"].Refresh).Want(t, 400, "invalid_scope")
		web.Refresh(sessions["emptied"].Refresh, "scope", "read").Want(t, 400, "invalid_scope")
	})
	t.Run("G20: a scope that was never granted at login needs a login", func(t *testing.T) {
		web.Refresh(sessions["widened"].Refresh, "scope", "read write").Want(t, 400, "invalid_scope")
		if session := web.Refreshed(t, sessions["widened"].Refresh); harness.TextClaim(t, session.Access, "scope") != "read" {
			t.Errorf("granted %q", harness.TextClaim(t, session.Access, "scope"))
		}
		if session := web.Login(t, "widened"); harness.TextClaim(t, session.Access, "scope") != "read write" {
			t.Errorf("a login gets %q", harness.TextClaim(t, session.Access, "scope"))
		}
	})
	t.Run("G17: changed claims show in the next access token", func(t *testing.T) {
		session := web.Refreshed(t, sessions["claimed"].Refresh)
		_, claims := harness.Decoded(t, session.Access)
		if claims["email"] != "new@example.com" || claims["role"] != "admin" || claims["team"] != nil {
			t.Errorf("claims %v", claims)
		}
	})
	t.Run("G17: a user with another name and the same id goes on, under the new name", func(t *testing.T) {
		session := web.Refreshed(t, sessions["renamed"].Refresh)
		_, claims := harness.Decoded(t, session.Access)
		if claims["sub"] != "u-11" || claims["username"] != "renamed-now" {
			t.Errorf("claims %v", claims)
		}
		if namesake := web.Login(t, "renamed"); harness.TextClaim(t, namesake.Access, "sub") != "renamed" {
			t.Errorf("the namesake is %q", harness.TextClaim(t, namesake.Access, "sub"))
		}
	})
	t.Run("J: whose account is gone can still log out", func(t *testing.T) {
		web.Revoke(sessions["logs-out"].Refresh).Want(t, 200, "")
		web.Revoke(sessions["revoked-late"].Access).Want(t, 200, "")
	})
	sessions["kept"] = web.WantGoing(t, sessions["kept"])

	write(asTheyWere...)
	harness.Eventually(t, "the file is read again", func() bool { return s.Edge(sessions["removed"].Access) == 200 })
	t.Run("a refusal for a user's change consumed nothing: who is there again as before goes on", func(t *testing.T) {
		for _, name := range []string{"removed", "disabled", "rehashed", "replaced", "given-an-id", "kept"} {
			web.WantGoing(t, sessions[name])
		}
	})
	t.Run("G20: scopes that were given back come back", func(t *testing.T) {
		for _, name := range []string{"narrowed", "emptied"} {
			if session := web.WantGoing(t, sessions[name]); harness.TextClaim(t, session.Access, "scope") != "read write" {
				t.Errorf("%s is granted %q", name, harness.TextClaim(t, session.Access, "scope"))
			}
		}
	})
	t.Run("J: but who logged out meanwhile did", func(t *testing.T) {
		web.WantOver(t, sessions["logs-out"])
		web.WantOver(t, sessions["revoked-late"])
	})
	t.Run("C16: nothing of it all is in the log", func(t *testing.T) {
		for _, session := range sessions {
			wantUnlogged(s, t, session.Access, session.Refresh)
		}
		wantUnlogged(s, t, "correct horse", "web-secret")
	})
}

// The same for clients: what they may have is what their file says now.
func TestRefreshFollowsTheClients(t *testing.T) {
	s := harness.NewSite(t)
	hash := harness.CheapHash(t, "file-secret")
	write := func(format string) {
		t.Helper()
		s.Write("clients.json", `{"clients": [`+strings.ReplaceAll(format, "%HASH%", hash)+`]}`)
	}
	write(`{"id": "narrowed", "secret_hash": "%HASH%", "scopes": ["read", "write"]},
		{"id": "removed", "secret_hash": "%HASH%", "scopes": ["read"]},
		{"id": "logins-only", "secret_hash": "%HASH%", "scopes": ["read"]},
		{"id": "aud", "secret_hash": "%HASH%", "scopes": ["read"]}`)
	s.Reload("", strings.NewReplacer("%SETTINGS%", "clients json %DIR%/clients.json").Replace(harness.WithCheapHashes(t, harness.SessionSite)))
	client := func(id string) harness.OAuthClient {
		return harness.OAuthClient{Site: s, Path: "/token", ID: id, Secret: "file-secret"}
	}
	sessions := make(map[string]harness.TokenPair)
	for _, id := range []string{"narrowed", "removed", "logins-only", "aud"} {
		sessions[id] = client(id).Login(t, "alice")
	}
	write(`{"id": "narrowed", "secret_hash": "%HASH%", "scopes": ["read"]},
		{"id": "logins-only", "secret_hash": "%HASH%", "scopes": ["read"], "grants": ["password"]},
		{"id": "aud", "secret_hash": "%HASH%", "scopes": ["read"], "audience": ["https://other.example.com"], "refresh_token_ttl": "1h"}`)
	harness.Eventually(t, "the file is read again", func() bool { return s.Edge(sessions["removed"].Access) == 401 })

	t.Run("a client with fewer scopes gets no others at a refresh", func(t *testing.T) {
		a := client("narrowed").Refresh(sessions["narrowed"].Refresh)
		if session := harness.TokensOf(t, a); a.JSON["scope"] != "read" || harness.TextClaim(t, session.Access, "scope") != "read" {
			t.Errorf("granted %v", a.JSON["scope"])
		}
	})
	t.Run("a client that was removed does not refresh", func(t *testing.T) {
		client("removed").Refresh(sessions["removed"].Refresh).Want(t, 400, "invalid_client")
	})
	t.Run("D6: nor does one that may only log in now, and its tokens are introspected as what they are", func(t *testing.T) {
		client("logins-only").Refresh(sessions["logins-only"].Refresh).Want(t, 400, "unauthorized_client")
		if a := client("logins-only").Introspect(sessions["logins-only"].Refresh); a.JSON["active"] != false {
			t.Errorf("introspection says %s", a.Body)
		}
	})
	t.Run("the audience and the lifetime are those of now", func(t *testing.T) {
		session := client("aud").Refreshed(t, sessions["aud"].Refresh)
		_, claims := harness.Decoded(t, session.Access)
		if got := fmt.Sprint(claims["aud"]); got != "[https://other.example.com]" {
			t.Errorf("aud is %s", got)
		}
		if got := numericClaim(t, session.Refresh, "exp") - numericClaim(t, session.Refresh, "iat"); got != 3600 {
			t.Errorf("the refresh token lives %d seconds", got)
		}
	})
}
