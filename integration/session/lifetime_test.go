package session

import (
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Time passes for all sessions of this test at once: each is at a server of its own.
func TestRefreshTokensEnd(t *testing.T) {
	t.Parallel()
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
		user alice ` + harness.HashBcrypt + `
		` + lines
	}
	s := harness.Apart(t, harness.SessionConfig(t, endpoint("idle", "refresh_token_ttl 3s")+endpoint("absolute", "session_ttl 6s")+endpoint("grace", "refresh_grace 2s")))
	idle, absolute, grace := s.Web().At("/idle"), s.Web().At("/absolute"), s.Web().At("/grace")

	used, unused := idle.Login(t, "alice"), idle.Login(t, "alice")
	firstIdleEnd := numericClaim(t, used.Refresh, "exp")
	session, untouched := absolute.Login(t, "alice"), absolute.Login(t, "alice")
	end := numericClaim(t, session.Refresh, "session_exp")
	retried := grace.Login(t, "alice")
	current := grace.Refreshed(t, retried.Refresh)
	second := grace.Refreshed(t, retried.Refresh)
	rotatedAt := time.Now()

	for time.Now().Unix() <= firstIdleEnd || time.Now().Unix() < end-2 {
		time.Sleep(500 * time.Millisecond)
		used = idle.Refreshed(t, used.Refresh)
		session = absolute.Refreshed(t, session.Refresh)
		iat := numericClaim(t, session.Refresh, "iat")
		if exp := numericClaim(t, session.Access, "exp"); exp != end {
			t.Errorf("G15: an access token lives until %d, its session until %d", exp, end)
		}
		if iat > end-1 {
			t.Fatalf("a token of %d, after the session's end at %d", iat, end)
		}
	}

	t.Run("G14: a token that is used gives one that lives on", func(t *testing.T) {
		if exp := numericClaim(t, used.Refresh, "exp"); exp <= firstIdleEnd {
			t.Errorf("it ends at %d, the first one at %d", exp, firstIdleEnd)
		}
		used = idle.Refreshed(t, used.Refresh)
	})
	t.Run("G14: one that was not used has ended", func(t *testing.T) {
		sleepUntil(numericClaim(t, unused.Refresh, "exp")) // it may have begun later than the first
		idle.Refresh(unused.Refresh).Want(t, 400, "invalid_grant")
		if got := s.Reason(); got != "refresh_token_expired" {
			t.Errorf("refused for %q", got)
		}
	})
	t.Run("G12: the grace is over, so the same retry is reuse and ends the session", func(t *testing.T) {
		time.Sleep(time.Until(rotatedAt.Add(2100 * time.Millisecond)))
		grace.Refresh(retried.Refresh).Want(t, 400, "invalid_grant")
		if got := s.Reason(); got != "refresh_token_reused" {
			t.Errorf("refused for %q", got)
		}
		grace.Refresh(current.Refresh).Want(t, 400, "invalid_grant")
		grace.Refresh(second.Refresh).Want(t, 400, "invalid_grant")
	})
	t.Run("G15: the session ends when it was to end, however often it was refreshed", func(t *testing.T) {
		if got := numericClaim(t, session.Refresh, "session_exp"); got != end {
			t.Errorf("session_exp was %d and is %d", end, got)
		}
		if got := numericClaim(t, session.Refresh, "exp"); got != end {
			t.Errorf("exp is %d, the session ends at %d", got, end)
		}
		sleepUntil(end)
		absolute.Refresh(session.Refresh).Want(t, 400, "invalid_grant")
		sleepUntil(numericClaim(t, untouched.Refresh, "session_exp")) // it may have begun later than the first
		absolute.Refresh(untouched.Refresh).Want(t, 400, "invalid_grant")
		if got := s.Reason(); got != "refresh_token_expired" {
			t.Errorf("refused for %q", got)
		}
	})
	t.Run("an expired token, also a spent one, is no reuse: nothing is revoked for it", func(t *testing.T) {
		for _, line := range s.Logged(func(line map[string]any) bool { return line["level"] == "warn" && line["msg"] == "request refused" }) {
			if line["server"] != "grace" {
				t.Errorf("logged: %v", line)
			}
		}
	})
}

// At the end of a session its tokens live for the seconds that are left, and the answer
// says so.
func TestRefreshNearTheEndOfASession(t *testing.T) {
	t.Parallel()
	s := harness.Apart(t, harness.SessionConfig(t, `
	}
	token_endpoint /brief {
		name        brief
		session_ttl 5s
		client web {
			secret web-secret
		}
		user alice `+harness.HashBcrypt))
	web := s.Web().At("/brief")
	session := web.Login(t, "alice")
	end := numericClaim(t, session.Refresh, "session_exp")
	sleepUntil(end - 2)
	a := web.Refresh(session.Refresh)
	session = harness.TokensOf(t, a)
	iat, exp := numericClaim(t, session.Access, "iat"), numericClaim(t, session.Access, "exp")
	if exp != end || a.JSON["expires_in"] != float64(exp-iat) || exp <= iat || numericClaim(t, session.Refresh, "exp") != end {
		t.Errorf("iat %d, exp %d, expires_in %v, the session ends at %d", iat, exp, a.JSON["expires_in"], end)
	}
}
