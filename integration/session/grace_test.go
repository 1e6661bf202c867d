package session

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Row G12: within the grace, a client that did not get its answer gets another one.
func TestRefreshWithinTheGrace(t *testing.T) {
	s := harness.StartSessions(t, "refresh_grace 1m")
	web := s.Web()

	// django-oauth-toolkit #702: the retry got the OLD refresh token, which was good
	// for nothing when the grace was over
	t.Run("G12: a retry gets the current generation again, and never the token that it sent", func(t *testing.T) {
		first := web.Login(t, "alice")
		answers := []harness.TokenPair{web.Refreshed(t, first.Refresh)}
		for range 3 {
			answers = append(answers, web.Refreshed(t, first.Refresh))
		}
		for i, a := range answers {
			if got := numericClaim(t, a.Refresh, "gen"); got != 1 || a.Refresh == first.Refresh {
				t.Errorf("answer %d has generation %d", i, got)
			}
			if got := s.Edge(a.Access); got != 200 {
				t.Errorf("the edge answers %d to the access token of answer %d", got, i)
			}
		}
		// whichever of the answers the client goes on with
		next := web.Refreshed(t, answers[2].Refresh)
		if got := numericClaim(t, next.Refresh, "gen"); got != 2 {
			t.Errorf("the next generation is %d", got)
		}
		web.WantGoing(t, next)
	})
	t.Run("G12: a retry may ask for another scope, within the login's", func(t *testing.T) {
		first := web.Login(t, "alice")
		web.Refreshed(t, first.Refresh)
		next := web.Refreshed(t, first.Refresh, "scope", "read")
		if got := harness.TextClaim(t, next.Access, "scope"); got != "read" {
			t.Errorf("the scope is %q", got)
		}
		web.Refresh(first.Refresh, "scope", "read admin").Want(t, 400, "invalid_scope")
		web.WantGoing(t, next)
	})
	t.Run("G12, G9: the token before the one that may be retried is reuse", func(t *testing.T) {
		chain := []harness.TokenPair{web.Login(t, "alice")}
		for range 2 {
			chain = append(chain, web.Refreshed(t, chain[len(chain)-1].Refresh))
		}
		web.Refreshed(t, chain[1].Refresh)
		web.Refresh(chain[0].Refresh).Want(t, 400, "invalid_grant")
		web.WantOver(t, chain[2])
		web.Refresh(chain[1].Refresh).Want(t, 400, "invalid_grant") // the grace is not a way around a revocation
	})
	t.Run("G3, G4: the grace is for the client that owns the token", func(t *testing.T) {
		first := web.Login(t, "alice")
		next := web.Refreshed(t, first.Refresh)
		s.As("other").Refresh(first.Refresh).Want(t, 400, "invalid_grant")
		s.Public("web").Refresh(first.Refresh).Want(t, 400, "invalid_client")
		web.WantGoing(t, next)
	})
	t.Run("J8: a session that was revoked gets no retry", func(t *testing.T) {
		first := web.Login(t, "alice")
		next := web.Refreshed(t, first.Refresh)
		web.Revoke(next.Access).Want(t, 200, "")
		web.Refresh(first.Refresh).Want(t, 400, "invalid_grant")
		web.WantOver(t, next)
	})
}

// Servers with a grace still logged their users out: of the two answers to a request
// and its retry, one was good for one more request only, or for none.
func TestRefreshAfterALostReply(t *testing.T) {
	s := harness.StartSessions(t, "refresh_grace 1m")
	web := s.Web()
	// the request goes out, and the client is gone before the answer comes
	lose := func(t *testing.T, token string, wait time.Duration) {
		t.Helper()
		w := s.Dial()
		w.Send(s.RawPost("/token", web.RefreshForm(token)))
		time.Sleep(wait)
		w.Close()
	}
	for _, wait := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond} {
		t.Run(fmt.Sprintf("G12: a client that hangs up after %s, three times, stays logged in", wait), func(t *testing.T) {
			for range 5 { // each time another session: a lost request may still be on its way
				session := web.Login(t, "alice")
				for range 3 {
					lose(t, session.Refresh, wait)
				}
				next := web.Refreshed(t, session.Refresh)
				if got := numericClaim(t, next.Refresh, "gen"); got != 1 {
					t.Fatalf("the retry gets generation %d", got)
				}
				web.WantGoing(t, next)
			}
		})
	}
}
