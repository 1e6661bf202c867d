package integration

import (
	"fmt"
	"strings"
	"testing"
)

// DESIGN §6: refresh holds a token against its user as the file is now, and writes nothing
// when they do not match, since copies of the file may differ for a moment. All changes are
// made at once: a change takes some seconds to come into force.
func TestRefreshFollowsTheUsers(t *testing.T) {
	s := newSite(t)
	hash, otherHash := cheapHash(t, "correct horse"), cheapHash(t, "battery staple")
	user := func(name, hash, more string) string {
		return fmt.Sprintf(`{"username": %q, "password_hash": %q%s}`, name, hash, more)
	}
	write := func(users ...string) {
		t.Helper()
		s.write("users.json", `{"users": [`+strings.Join(users, ",")+`]}`)
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
	s.reload("", strings.NewReplacer("%SETTINGS%", "users json %DIR%/users.json").Replace(cheap(t, sessionSite)))
	web := s.web()
	sessions := make(map[string]tokenPair)
	for _, name := range []string{
		"kept", "removed", "disabled", "rehashed", "renamed", "replaced", "given-an-id", "narrowed", "emptied", "widened", "claimed",
		"logs-out", "revoked-late",
	} {
		session := web.login(t, name)
		sessions[name] = web.refreshed(t, session.refresh) // a session with a record, and one generation on
	}

	write(
		user("kept", hash, ""),
		user("disabled", hash, `, "disabled": true`),
		user("rehashed", otherHash, ""),
		user("renamed-now", hash, `, "id": "u-11"`),
		user("renamed", hash, ""), // the old name is somebody else's
		user("someone-else", otherHash, `, "id": "u-12"`),
		user("given-an-id", hash, `, "id": "u-13"`),
		user("narrowed", hash, `, "scopes": ["read"]`),
		user("emptied", hash, none),
		user("widened", hash, both),
		user("claimed", hash, `, "claims": {"email": "new@example.com", "role": "admin"}`),
	)
	eventually(t, "the file is read again", func() bool { return s.edge(sessions["removed"].access) == 401 })

	t.Run("C10, G17: after the change", func(t *testing.T) {
		for _, test := range []struct{ name, user string }{
			{"a user who was removed", "removed"},
			{"CVE-2026-9798: a user who was disabled refreshes no more", "disabled"},
			{"a user with a new password", "rehashed"},
			{"an id that is another user's now", "replaced"},
			{"a user who has another id", "given-an-id"},
		} {
			t.Run(test.name, func(t *testing.T) {
				a := web.refresh(sessions[test.user].refresh)
				a.want(t, 400, "invalid_grant")
				if got := s.reason(); got != "user_changed" {
					t.Errorf("refused for %q", got)
				}
				wantSameOutward(t, a, web.refresh("garbage"))
				for _, token := range []string{sessions[test.user].refresh, sessions[test.user].access} {
					if a := web.introspect(token); string(a.body) != `{"active":false}`+"\n" {
						t.Errorf("K5: introspection says %s", a.body)
					}
				}
				if got := s.edge(sessions[test.user].access); got != 401 {
					t.Errorf("the edge answers %d", got)
				}
			})
		}
	})
	t.Run("G20: a scope that was taken from the user vanishes at the next refresh", func(t *testing.T) {
		a := web.refresh(sessions["narrowed"].refresh)
		session := tokensOf(t, a)
		if a.json["scope"] != "read" || textClaim(t, session.access, "scope") != "read" || textClaim(t, session.refresh, "scope") != "read write" {
			t.Errorf("granted %v; the refresh token has %q", a.json["scope"], textClaim(t, session.refresh, "scope"))
		}
		web.refresh(session.refresh, "scope", "write").want(t, 400, "invalid_scope")
		sessions["narrowed"] = session
	})
	t.Run("G20: where none is left, the refresh is refused and consumes nothing", func(t *testing.T) {
		web.refresh(sessions["emptied"].refresh).want(t, 400, "invalid_scope")
		web.refresh(sessions["emptied"].refresh, "scope", "read").want(t, 400, "invalid_scope")
	})
	t.Run("G20: a scope that was never granted at login needs a login", func(t *testing.T) {
		web.refresh(sessions["widened"].refresh, "scope", "read write").want(t, 400, "invalid_scope")
		if session := web.refreshed(t, sessions["widened"].refresh); textClaim(t, session.access, "scope") != "read" {
			t.Errorf("granted %q", textClaim(t, session.access, "scope"))
		}
		if session := web.login(t, "widened"); textClaim(t, session.access, "scope") != "read write" {
			t.Errorf("a login gets %q", textClaim(t, session.access, "scope"))
		}
	})
	t.Run("G17: changed claims show in the next access token", func(t *testing.T) {
		session := web.refreshed(t, sessions["claimed"].refresh)
		_, claims := opened(t, session.access)
		if claims["email"] != "new@example.com" || claims["role"] != "admin" || claims["team"] != nil {
			t.Errorf("claims %v", claims)
		}
	})
	t.Run("G17: a user with another name and the same id goes on, under the new name", func(t *testing.T) {
		session := web.refreshed(t, sessions["renamed"].refresh)
		_, claims := opened(t, session.access)
		if claims["sub"] != "u-11" || claims["username"] != "renamed-now" {
			t.Errorf("claims %v", claims)
		}
		if namesake := web.login(t, "renamed"); textClaim(t, namesake.access, "sub") != "renamed" {
			t.Errorf("the namesake is %q", textClaim(t, namesake.access, "sub"))
		}
	})
	t.Run("J: whose account is gone can still log out", func(t *testing.T) {
		web.revoke(sessions["logs-out"].refresh).want(t, 200, "")
		web.revoke(sessions["revoked-late"].access).want(t, 200, "")
	})
	sessions["kept"] = web.wantGoing(t, sessions["kept"])

	write(asTheyWere...)
	eventually(t, "the file is read again", func() bool { return s.edge(sessions["removed"].access) == 200 })
	t.Run("a refusal for a user's change consumed nothing: who is there again as before goes on", func(t *testing.T) {
		for _, name := range []string{"removed", "disabled", "rehashed", "replaced", "given-an-id", "kept"} {
			web.wantGoing(t, sessions[name])
		}
	})
	t.Run("G20: scopes that were given back come back", func(t *testing.T) {
		for _, name := range []string{"narrowed", "emptied"} {
			if session := web.wantGoing(t, sessions[name]); textClaim(t, session.access, "scope") != "read write" {
				t.Errorf("%s is granted %q", name, textClaim(t, session.access, "scope"))
			}
		}
	})
	t.Run("J: but who logged out meanwhile did", func(t *testing.T) {
		web.wantOver(t, sessions["logs-out"])
		web.wantOver(t, sessions["revoked-late"])
	})
	t.Run("C16: nothing of it all is in the log", func(t *testing.T) {
		for _, session := range sessions {
			s.wantUnlogged(t, session.access, session.refresh)
		}
		s.wantUnlogged(t, "correct horse", "web-secret")
	})
}

// The same for clients: what they may have is what their file says now.
func TestRefreshFollowsTheClients(t *testing.T) {
	s := newSite(t)
	hash := cheapHash(t, "file-secret")
	write := func(format string) {
		t.Helper()
		s.write("clients.json", `{"clients": [`+strings.ReplaceAll(format, "%HASH%", hash)+`]}`)
	}
	write(`{"id": "narrowed", "secret_hash": "%HASH%", "scopes": ["read", "write"]},
		{"id": "removed", "secret_hash": "%HASH%", "scopes": ["read"]},
		{"id": "logins-only", "secret_hash": "%HASH%", "scopes": ["read"]},
		{"id": "aud", "secret_hash": "%HASH%", "scopes": ["read"]}`)
	s.reload("", strings.NewReplacer("%SETTINGS%", "clients json %DIR%/clients.json").Replace(cheap(t, sessionSite)))
	client := func(id string) oauthClient { return oauthClient{s, "/token", id, "file-secret"} }
	sessions := make(map[string]tokenPair)
	for _, id := range []string{"narrowed", "removed", "logins-only", "aud"} {
		sessions[id] = client(id).login(t, "alice")
	}
	write(`{"id": "narrowed", "secret_hash": "%HASH%", "scopes": ["read"]},
		{"id": "logins-only", "secret_hash": "%HASH%", "scopes": ["read"], "grants": ["password"]},
		{"id": "aud", "secret_hash": "%HASH%", "scopes": ["read"], "audience": ["https://other.example.com"], "refresh_token_ttl": "1h"}`)
	eventually(t, "the file is read again", func() bool { return s.edge(sessions["removed"].access) == 401 })

	t.Run("a client with fewer scopes gets no others at a refresh", func(t *testing.T) {
		a := client("narrowed").refresh(sessions["narrowed"].refresh)
		if session := tokensOf(t, a); a.json["scope"] != "read" || textClaim(t, session.access, "scope") != "read" {
			t.Errorf("granted %v", a.json["scope"])
		}
	})
	t.Run("a client that was removed does not refresh", func(t *testing.T) {
		client("removed").refresh(sessions["removed"].refresh).want(t, 400, "invalid_client")
	})
	t.Run("D6: nor does one that may only log in now, and its tokens are introspected as what they are", func(t *testing.T) {
		client("logins-only").refresh(sessions["logins-only"].refresh).want(t, 400, "unauthorized_client")
		if a := client("logins-only").introspect(sessions["logins-only"].refresh); a.json["active"] != false {
			t.Errorf("introspection says %s", a.body)
		}
	})
	t.Run("the audience and the lifetime are those of now", func(t *testing.T) {
		session := client("aud").refreshed(t, sessions["aud"].refresh)
		_, claims := opened(t, session.access)
		if got := fmt.Sprint(claims["aud"]); got != "[https://other.example.com]" {
			t.Errorf("aud is %s", got)
		}
		if got := numericClaim(t, session.refresh, "exp") - numericClaim(t, session.refresh, "iat"); got != 3600 {
			t.Errorf("the refresh token lives %d seconds", got)
		}
	})
}
