package integration

import (
	"fmt"
	"testing"
	"time"
)

// Row G12: within the grace, a client that did not get its answer gets another one.
func TestRefreshWithinTheGrace(t *testing.T) {
	s := startSessions(t, "refresh_grace 1m")
	web := s.web()

	// django-oauth-toolkit #702: the retry got the OLD refresh token, which was good for
	// nothing when the grace was over
	t.Run("G12: a retry gets the current generation again, and never the token that it sent", func(t *testing.T) {
		first := web.login(t, "alice")
		answers := []tokenPair{web.refreshed(t, first.refresh)}
		for range 3 {
			answers = append(answers, web.refreshed(t, first.refresh))
		}
		for i, a := range answers {
			if got := numericClaim(t, a.refresh, "gen"); got != 1 || a.refresh == first.refresh {
				t.Errorf("answer %d has generation %d", i, got)
			}
			if got := s.edge(a.access); got != 200 {
				t.Errorf("the edge answers %d to the access token of answer %d", got, i)
			}
		}
		// whichever of the answers the client goes on with
		next := web.refreshed(t, answers[2].refresh)
		if got := numericClaim(t, next.refresh, "gen"); got != 2 {
			t.Errorf("the next generation is %d", got)
		}
		web.wantGoing(t, next)
	})
	t.Run("G12: a retry may ask for another scope, within the login's", func(t *testing.T) {
		first := web.login(t, "alice")
		web.refreshed(t, first.refresh)
		next := web.refreshed(t, first.refresh, "scope", "read")
		if got := textClaim(t, next.access, "scope"); got != "read" {
			t.Errorf("the scope is %q", got)
		}
		web.refresh(first.refresh, "scope", "read admin").want(t, 400, "invalid_scope")
		web.wantGoing(t, next)
	})
	t.Run("G12, G9: the token before the one that may be retried is reuse", func(t *testing.T) {
		chain := []tokenPair{web.login(t, "alice")}
		for range 2 {
			chain = append(chain, web.refreshed(t, chain[len(chain)-1].refresh))
		}
		web.refreshed(t, chain[1].refresh)
		web.refresh(chain[0].refresh).want(t, 400, "invalid_grant")
		web.wantOver(t, chain[2])
		web.refresh(chain[1].refresh).want(t, 400, "invalid_grant") // the grace is no way round a revocation
	})
	t.Run("G3, G4: the grace is for the client that owns the token", func(t *testing.T) {
		first := web.login(t, "alice")
		next := web.refreshed(t, first.refresh)
		s.as("other").refresh(first.refresh).want(t, 400, "invalid_grant")
		s.public("web").refresh(first.refresh).want(t, 400, "invalid_client")
		web.wantGoing(t, next)
	})
	t.Run("J8: a session that was revoked gets no retry", func(t *testing.T) {
		first := web.login(t, "alice")
		next := web.refreshed(t, first.refresh)
		web.revoke(next.access).want(t, 200, "")
		web.refresh(first.refresh).want(t, 400, "invalid_grant")
		web.wantOver(t, next)
	})
}

// Servers with a grace logged their users out all the same: of the two answers to a
// request and its retry, one was good for one more request only, or for none.
func TestRefreshAfterALostReply(t *testing.T) {
	s := startSessions(t, "refresh_grace 1m")
	web := s.web()
	// the request goes out, and the client is gone before the answer comes
	lose := func(t *testing.T, token string, wait time.Duration) {
		t.Helper()
		w := s.dial()
		w.send(s.rawPost("/token", web.refreshForm(token)))
		time.Sleep(wait)
		w.Close()
	}
	for _, wait := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond} {
		t.Run(fmt.Sprintf("G12: a client that hangs up after %s, three times, stays logged in", wait), func(t *testing.T) {
			for range 5 { // each time another session: a lost request may still be on its way
				session := web.login(t, "alice")
				for range 3 {
					lose(t, session.refresh, wait)
				}
				next := web.refreshed(t, session.refresh)
				if got := numericClaim(t, next.refresh, "gen"); got != 1 {
					t.Fatalf("the retry gets generation %d", got)
				}
				web.wantGoing(t, next)
			}
		})
	}
}
