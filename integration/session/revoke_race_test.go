package session

import (
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A rotation that ran at the same time wrote its record over that of the revocation,
// and the session went on: a marker of its own is what nothing overwrites.
func TestRevokeDuringRotations(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	for round := range 32 {
		first := web.Login(t, "alice")
		session := web.Refreshed(t, first.Refresh)
		granted := []harness.TokenPair{first, session}
		begin := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			for token := session.Refresh; len(granted) < 500; {
				if len(granted) == 2+round%8 { // each time at another moment
					close(begin)
				}
				a, err := web.Send("", web.RefreshForm(token))
				if err != nil || a.Status != 200 {
					if err != nil || a.JSON["error"] != "invalid_grant" {
						t.Errorf("a rotation gets %d %s: %v", a.Status, a.Body, err)
					}
					return
				}
				access, _ := a.JSON["access_token"].(string)
				token, _ = a.JSON["refresh_token"].(string)
				granted = append(granted, harness.TokenPair{Access: access, Refresh: token})
			}
		})
		for _, token := range []string{session.Access, first.Refresh} {
			all.Go(func() {
				<-begin
				if a, err := web.Send("/revoke", web.Form("token", token)); err != nil || a.Status != 200 {
					t.Errorf("J2: the revocation gets %d %s: %v", a.Status, a.Body, err)
				}
			})
		}
		all.Wait()
		for _, pair := range granted {
			web.WantOver(t, pair) // J8: whatever was granted meanwhile is worth nothing now
		}
	}
	for _, line := range s.Refusals() {
		if line["reason"] != "session_revoked" && line["logger"] == "http.handlers.token_endpoint" {
			t.Errorf("a rotation ended for %q", line["reason"])
		}
	}
}

// A client that hangs up has still logged out.
func TestRevokeGoesOnWithoutItsClient(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	for _, wait := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond} {
		session := web.Refreshed(t, web.Login(t, "alice").Refresh)
		w := s.Dial()
		w.Send(s.RawPost("/token/revoke", web.Form("token", session.Access)))
		time.Sleep(wait)
		w.Close()
		harness.Eventually(t, "the edge refuses its token", func() bool { return s.Edge(session.Access) == 401 })
		web.WantOver(t, session)
	}
}

// The other way around: a client that uses a spent token ends the session in the middle
// of whatever its other holder does.
func TestRefreshReuseDuringRotations(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	for range 25 {
		first := web.Login(t, "alice")
		session := web.Refreshed(t, first.Refresh)
		var mu sync.Mutex
		granted := []harness.TokenPair{first, session}
		var all sync.WaitGroup
		for _, token := range []string{session.Refresh, first.Refresh} {
			all.Go(func() {
				for range 500 {
					a, err := web.Send("", web.RefreshForm(token))
					if err != nil || a.Status != 200 {
						return
					}
					access, _ := a.JSON["access_token"].(string)
					token, _ = a.JSON["refresh_token"].(string)
					mu.Lock()
					granted = append(granted, harness.TokenPair{Access: access, Refresh: token})
					mu.Unlock()
				}
			})
		}
		all.Wait()
		for _, pair := range granted {
			web.WantOver(t, pair) // G9, G10
		}
	}
}
