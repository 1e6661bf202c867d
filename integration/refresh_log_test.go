package integration

import (
	"strings"
	"testing"
)

// DESIGN §8: one line for each refusal, with what an operator needs to know. That of a
// reuse is a warning: somebody may have stolen a token.
func TestRefreshRefusalsInTheLog(t *testing.T) {
	s := startSessions(t, "refresh_grace 0s")
	web := s.web()
	live := web.login(t, "bob")
	sid := func(session tokenPair) string { return textClaim(t, session.access, "sid") }
	spent := web.login(t, "bob")
	successor := web.refreshed(t, spent.refresh)
	revoked := web.login(t, "bob")
	web.revoke(revoked.access).want(t, 200, "")

	for _, test := range []struct {
		name          string
		ask           func() answer
		reason, level string
		status        int
		user, session any // nil: not in the line
	}{
		{"G9: the reuse of a token", func() answer { return web.refresh(spent.refresh) }, "refresh_token_reused", "warn", 400, "u-2", sid(spent)},
		{"another use of it", func() answer { return web.refresh(spent.refresh) }, "session_revoked", "info", 400, "u-2", sid(spent)},
		{"the live successor", func() answer { return web.refresh(successor.refresh) }, "session_revoked", "info", 400, "u-2", sid(spent)},
		{"a token of a session that was revoked", func() answer { return web.refresh(revoked.refresh) }, "session_revoked", "info", 400, "u-2", sid(revoked)},
		{"no token", func() answer { return web.refresh("") }, "missing_refresh_token", "info", 400, nil, nil},
		{"garbage", func() answer { return web.refresh("garbage-in-the-form") }, "refresh_token_malformed", "info", 400, nil, nil},
		{"another client's token", func() answer { return s.as("other").refresh(live.refresh) }, "refresh_token_of_another_client", "info", 400, nil, nil},
		{"a wider scope", func() answer { return web.refresh(live.refresh, "scope", "read write") }, "scope_not_granted", "info", 400, "u-2", sid(live)},
		{"a wrong secret", func() answer { return web.refresh(live.refresh, "client_secret", "wrong") }, "wrong_client_secret", "info", 400, nil, nil},
		{"a client that may not refresh", func() answer { return s.as("logins").refresh(live.refresh) }, "grant_not_allowed", "info", 400, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(s.refusals())
			if a := test.ask(); a.status != test.status {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			lines := s.refusals()[before:]
			if len(lines) != 1 {
				t.Fatalf("%d lines: %v", len(lines), lines)
			}
			for field, want := range map[string]any{
				"level": test.level, "logger": "http.handlers.token_endpoint", "server": "default", "client_ip": "127.0.0.1",
				"grant_type": "refresh_token", "reason": test.reason, "status": float64(test.status),
				"user_id": test.user, "session_id": test.session,
			} {
				if lines[0][field] != want {
					t.Errorf("%s is %v, want %v", field, lines[0][field], want)
				}
			}
		})
	}
	t.Run("a reuse is one warning, whatever comes after it", func(t *testing.T) {
		if lines := s.logged(func(line map[string]any) bool { return line["level"] == "warn" && line["session_id"] != nil }); len(lines) != 1 {
			t.Errorf("%d warnings: %v", len(lines), lines)
		}
	})
	t.Run("a success is one line at debug, with the user, the session and the grant", func(t *testing.T) {
		next := web.refreshed(t, live.refresh)
		lines := s.logged(func(line map[string]any) bool {
			return line["msg"] == "token issued" && line["grant_type"] == "refresh_token" && line["token_id"] == textClaim(t, next.access, "jti")
		})
		if len(lines) != 1 || lines[0]["level"] != "debug" || lines[0]["user_id"] != "u-2" || lines[0]["session_id"] != sid(live) || lines[0]["client_id"] != "web" {
			t.Errorf("logged: %v", lines)
		}
	})
	t.Run("a revocation is one line at info, with the session", func(t *testing.T) {
		session := web.login(t, "bob")
		web.revoke(session.refresh).want(t, 200, "")
		lines := s.logged(func(line map[string]any) bool {
			return line["msg"] == "session revoked" && line["session_id"] == sid(session)
		})
		if len(lines) != 1 || lines[0]["level"] != "info" || lines[0]["client_id"] != "web" || lines[0]["client_ip"] != "127.0.0.1" {
			t.Errorf("logged: %v", lines)
		}
	})
	t.Run("the access log has the user and the grant of a refresh, and the error", func(t *testing.T) {
		eventually(t, "the access log has them", func() bool {
			return len(s.logged(func(line map[string]any) bool {
				return line["logger"] == "http.log.access" && line["grant_type"] == "refresh_token" && (line["user_id"] == "u-2" || line["oauth_error"] == "invalid_grant")
			})) >= 2
		})
	})
}

// Row C16, for every way in which a token can come in.
func TestRefreshTokensAreNeverLogged(t *testing.T) {
	s := startSessions(t, "log_usernames\nrefresh_grace 1m")
	web, other := s.web(), s.as("other")
	session := web.login(t, "alice")
	secrets := []string{"correct horse", "web-secret", "other-secret"}
	keep := func(pairs ...tokenPair) {
		for _, pair := range pairs {
			secrets = append(secrets, pair.access, pair.refresh)
		}
	}
	next := web.refreshed(t, session.refresh)
	keep(session, next, web.refreshed(t, session.refresh))
	over := web.login(t, "alice")
	overNext := web.refreshed(t, over.refresh)
	overLast := web.refreshed(t, overNext.refresh)
	keep(over, overNext, overLast)
	web.refresh(over.refresh).want(t, 400, "invalid_grant")

	for _, token := range []string{session.refresh, session.access, next.refresh, over.refresh, overLast.access} {
		other.refresh(token)
		s.public("web").refresh(token)
		other.revoke(token)
		web.revoke(token, "client_secret", "wrong")
		other.introspect(token)
		web.introspect(token)
		web.introspect(token, "token_type_hint", token)
		web.refresh(next.refresh, "scope", token)
		web.refresh(token, "grant_type", token)
		s.edge(token)
		s.post("/token", web.form("grant_type", "password", "username", "alice", "password", token))
		s.post("/token/revoke", "token="+token, "Content-Type: text/plain")
		s.post("/token/introspect", web.form("token", token)+"&token="+token)
		s.post("/token/revoke", "", bearer(token))
	}
	for _, token := range []string{next.refresh, next.access} {
		web.revoke(token).want(t, 200, "")
	}
	for _, secret := range secrets {
		if parts := strings.Split(secret, "."); len(parts) == 3 {
			secrets = append(secrets, parts[1], parts[2]) // a piece is as bad
		}
	}
	s.wantUnlogged(t, secrets...)
	if len(s.refusals()) == 0 {
		t.Error("the log has no refusals at all")
	}
}
