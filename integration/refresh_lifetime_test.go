package integration

import (
	"testing"
	"time"
)

// Time passes for all sessions of this test at once: each is at a server of its own.
func TestRefreshTokensEnd(t *testing.T) {
	endpoint := func(path, lines string) string {
		return `
	}
	token_endpoint /` + path + ` {
		name   ` + path + `
		leeway 0s
		client web {
			secret web-secret
			scopes read
		}
		user alice ` + hashBcrypt + `
		` + lines
	}
	s := startSessions(t, endpoint("idle", "refresh_token_ttl 3s")+endpoint("absolute", "session_ttl 6s")+endpoint("grace", "refresh_grace 2s"))
	idle, absolute, grace := s.web().at("/idle"), s.web().at("/absolute"), s.web().at("/grace")

	used, unused := idle.login(t, "alice"), idle.login(t, "alice")
	firstIdleEnd := numericClaim(t, used.refresh, "exp")
	session, untouched := absolute.login(t, "alice"), absolute.login(t, "alice")
	end := numericClaim(t, session.refresh, "session_exp")
	retried := grace.login(t, "alice")
	current := grace.refreshed(t, retried.refresh)
	second := grace.refreshed(t, retried.refresh)
	rotatedAt := time.Now()

	for time.Now().Unix() <= firstIdleEnd || time.Now().Unix() < end-2 {
		time.Sleep(500 * time.Millisecond)
		used = idle.refreshed(t, used.refresh)
		session = absolute.refreshed(t, session.refresh)
		iat := numericClaim(t, session.refresh, "iat")
		if exp := numericClaim(t, session.access, "exp"); exp != end {
			t.Errorf("G15: an access token lives until %d, its session until %d", exp, end)
		}
		if iat > end-1 {
			t.Fatalf("a token of %d, after the session's end at %d", iat, end)
		}
	}

	t.Run("G14: a token that is used gives one that lives on", func(t *testing.T) {
		if exp := numericClaim(t, used.refresh, "exp"); exp <= firstIdleEnd {
			t.Errorf("it ends at %d, the first one at %d", exp, firstIdleEnd)
		}
		used = idle.refreshed(t, used.refresh)
	})
	t.Run("G14: one that was not used has ended", func(t *testing.T) {
		idle.refresh(unused.refresh).want(t, 400, "invalid_grant")
		if got := s.reason(); got != "refresh_token_expired" {
			t.Errorf("refused for %q", got)
		}
	})
	t.Run("G12: the grace is over, so the same retry is reuse and ends the session", func(t *testing.T) {
		time.Sleep(time.Until(rotatedAt.Add(2100 * time.Millisecond)))
		grace.refresh(retried.refresh).want(t, 400, "invalid_grant")
		if got := s.reason(); got != "refresh_token_reused" {
			t.Errorf("refused for %q", got)
		}
		grace.refresh(current.refresh).want(t, 400, "invalid_grant")
		grace.refresh(second.refresh).want(t, 400, "invalid_grant")
	})
	t.Run("G15: the session ends when it was to end, however often it was refreshed", func(t *testing.T) {
		if got := numericClaim(t, session.refresh, "session_exp"); got != end {
			t.Errorf("session_exp was %d and is %d", end, got)
		}
		if got := numericClaim(t, session.refresh, "exp"); got != end {
			t.Errorf("exp is %d, the session ends at %d", got, end)
		}
		sleepUntil(end)
		absolute.refresh(session.refresh).want(t, 400, "invalid_grant")
		absolute.refresh(untouched.refresh).want(t, 400, "invalid_grant")
		if got := s.reason(); got != "refresh_token_expired" {
			t.Errorf("refused for %q", got)
		}
	})
	t.Run("an expired token, also a spent one, is no reuse: nothing is revoked for it", func(t *testing.T) {
		for _, line := range s.logged(func(line map[string]any) bool { return line["level"] == "warn" && line["msg"] == "request refused" }) {
			if line["server"] != "grace" {
				t.Errorf("logged: %v", line)
			}
		}
	})
}

// At the end of a session its tokens live for the seconds that are left, and the answer
// says so.
func TestRefreshNearTheEndOfASession(t *testing.T) {
	s := startSessions(t, `
	}
	token_endpoint /brief {
		name        brief
		session_ttl 5s
		client web {
			secret web-secret
		}
		user alice `+hashBcrypt)
	web := s.web().at("/brief")
	session := web.login(t, "alice")
	end := numericClaim(t, session.refresh, "session_exp")
	sleepUntil(end - 2)
	a := web.refresh(session.refresh)
	session = tokensOf(t, a)
	iat, exp := numericClaim(t, session.access, "iat"), numericClaim(t, session.access, "exp")
	if exp != end || a.json["expires_in"] != float64(exp-iat) || exp <= iat || numericClaim(t, session.refresh, "exp") != end {
		t.Errorf("iat %d, exp %d, expires_in %v, the session ends at %d", iat, exp, a.json["expires_in"], end)
	}
}
