package session

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// DESIGN §8: one line for each refusal, with what an operator needs to know. That of a
// reuse is a warning: a token may have been stolen.
func TestRefreshRefusalsInTheLog(t *testing.T) {
	s := harness.StartSessions(t, "refresh_grace 0s")
	web := s.Web()
	live := web.Login(t, "bob")
	sid := func(session harness.TokenPair) string { return harness.TextClaim(t, session.Access, "sid") }
	spent := web.Login(t, "bob")
	successor := web.Refreshed(t, spent.Refresh)
	revoked := web.Login(t, "bob")
	web.Revoke(revoked.Access).Want(t, 200, "")

	for _, test := range []struct {
		name          string
		ask           func() harness.Answer
		reason, level string
		status        int
		user, session any // nil: not in the line
	}{
		{"G9: the reuse of a token", func() harness.Answer { return web.Refresh(spent.Refresh) }, "refresh_token_reused", "warn", 400, "u-2", sid(spent)},
		{"another use of it", func() harness.Answer { return web.Refresh(spent.Refresh) }, "session_revoked", "info", 400, "u-2", sid(spent)},
		{"the live successor", func() harness.Answer { return web.Refresh(successor.Refresh) }, "session_revoked", "info", 400, "u-2", sid(spent)},
		{"a token of a session that was revoked", func() harness.Answer { return web.Refresh(revoked.Refresh) }, "session_revoked", "info", 400, "u-2", sid(revoked)},
		{"no token", func() harness.Answer { return web.Refresh("") }, "missing_refresh_token", "info", 400, nil, nil},
		{"garbage", func() harness.Answer { return web.Refresh("garbage-in-the-form") }, "refresh_token_malformed", "info", 400, nil, nil},
		{"another client's token", func() harness.Answer { return s.As("other").Refresh(live.Refresh) }, "refresh_token_of_another_client", "info", 400, nil, nil},
		{"a wider scope", func() harness.Answer { return web.Refresh(live.Refresh, "scope", "read write") }, "scope_not_granted", "info", 400, "u-2", sid(live)},
		{"a wrong secret", func() harness.Answer { return web.Refresh(live.Refresh, "client_secret", "wrong") }, "wrong_client_secret", "info", 400, nil, nil},
		{"a client that may not refresh", func() harness.Answer { return s.As("logins").Refresh(live.Refresh) }, "grant_not_allowed", "info", 400, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(s.Refusals())
			if a := test.ask(); a.Status != test.status {
				t.Fatalf("got %d %s", a.Status, a.Body)
			}
			lines := s.Refusals()[before:]
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
		if lines := s.Logged(func(line map[string]any) bool { return line["level"] == "warn" && line["session_id"] != nil }); len(lines) != 1 {
			t.Errorf("%d warnings: %v", len(lines), lines)
		}
	})
	t.Run("a success is one line at debug, with the user, the session and the grant", func(t *testing.T) {
		next := web.Refreshed(t, live.Refresh)
		lines := s.Logged(func(line map[string]any) bool {
			return line["msg"] == "token issued" && line["grant_type"] == "refresh_token" && line["token_id"] == harness.TextClaim(t, next.Access, "jti")
		})
		if len(lines) != 1 || lines[0]["level"] != "debug" || lines[0]["user_id"] != "u-2" || lines[0]["session_id"] != sid(live) || lines[0]["client_id"] != "web" {
			t.Errorf("logged: %v", lines)
		}
	})
	t.Run("a revocation is one line at info, with the session", func(t *testing.T) {
		session := web.Login(t, "bob")
		web.Revoke(session.Refresh).Want(t, 200, "")
		lines := s.Logged(func(line map[string]any) bool {
			return line["msg"] == "session revoked" && line["session_id"] == sid(session)
		})
		if len(lines) != 1 || lines[0]["level"] != "info" || lines[0]["client_id"] != "web" || lines[0]["client_ip"] != "127.0.0.1" {
			t.Errorf("logged: %v", lines)
		}
	})
	t.Run("the access log has the user and the grant of a refresh, and the error", func(t *testing.T) {
		harness.Eventually(t, "the access log has them", func() bool {
			return len(s.Logged(func(line map[string]any) bool {
				return line["logger"] == "http.log.access" && line["grant_type"] == "refresh_token" && (line["user_id"] == "u-2" || line["oauth_error"] == "invalid_grant")
			})) >= 2
		})
	})
}

// Row C16, for every way in which a token can come in.
func TestRefreshTokensAreNeverLogged(t *testing.T) {
	s := harness.StartSessions(t, "log_usernames\nrefresh_grace 1m")
	web, other := s.Web(), s.As("other")
	session := web.Login(t, "alice")
	secrets := []string{"correct horse", "web-secret", "other-secret"}
	keep := func(pairs ...harness.TokenPair) {
		for _, pair := range pairs {
			secrets = append(secrets, pair.Access, pair.Refresh)
		}
	}
	next := web.Refreshed(t, session.Refresh)
	keep(session, next, web.Refreshed(t, session.Refresh))
	over := web.Login(t, "alice")
	overNext := web.Refreshed(t, over.Refresh)
	overLast := web.Refreshed(t, overNext.Refresh)
	keep(over, overNext, overLast)
	web.Refresh(over.Refresh).Want(t, 400, "invalid_grant")

	for _, token := range []string{session.Refresh, session.Access, next.Refresh, over.Refresh, overLast.Access} {
		other.Refresh(token)
		s.Public("web").Refresh(token)
		other.Revoke(token)
		web.Revoke(token, "client_secret", "wrong")
		other.Introspect(token)
		web.Introspect(token)
		web.Introspect(token, "token_type_hint", token)
		web.Refresh(next.Refresh, "scope", token)
		web.Refresh(token, "grant_type", token)
		s.Edge(token)
		s.Post("/token", web.Form("grant_type", "password", "username", "alice", "password", token))
		s.Post("/token/revoke", "token="+token, "Content-Type: text/plain")
		s.Post("/token/introspect", web.Form("token", token)+"&token="+token)
		s.Post("/token/revoke", "", harness.Bearer(token))
	}
	for _, token := range []string{next.Refresh, next.Access} {
		web.Revoke(token).Want(t, 200, "")
	}
	for _, secret := range secrets {
		if parts := strings.Split(secret, "."); len(parts) == 3 {
			secrets = append(secrets, parts[1], parts[2]) // a piece is as bad
		}
	}
	wantUnlogged(s, t, secrets...)
	if len(s.Refusals()) == 0 {
		t.Error("the log has no refusals at all")
	}
}
