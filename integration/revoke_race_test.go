package integration

import (
	"sync"
	"testing"
	"time"
)

// A rotation that ran at the same time wrote its record over that of the revocation, and
// the session went on: a marker of its own is what nothing overwrites.
func TestRevokeDuringRotations(t *testing.T) {
	s := startSessions(t, "")
	web := s.web()
	for round := range 32 {
		first := web.login(t, "alice")
		session := web.refreshed(t, first.refresh)
		granted := []tokenPair{first, session}
		begin := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			for token := session.refresh; len(granted) < 500; {
				if len(granted) == 2+round%8 { // each time at another moment
					close(begin)
				}
				a, err := web.send("", web.refreshForm(token))
				if err != nil || a.status != 200 {
					if err != nil || a.json["error"] != "invalid_grant" {
						t.Errorf("a rotation gets %d %s: %v", a.status, a.body, err)
					}
					return
				}
				access, _ := a.json["access_token"].(string)
				token, _ = a.json["refresh_token"].(string)
				granted = append(granted, tokenPair{access, token})
			}
		})
		for _, token := range []string{session.access, first.refresh} {
			all.Go(func() {
				<-begin
				if a, err := web.send("/revoke", web.form("token", token)); err != nil || a.status != 200 {
					t.Errorf("J2: the revocation gets %d %s: %v", a.status, a.body, err)
				}
			})
		}
		all.Wait()
		for _, pair := range granted {
			web.wantOver(t, pair) // J8: whatever was granted meanwhile is worth nothing now
		}
	}
	for _, line := range s.refusals() {
		if line["reason"] != "session_revoked" && line["logger"] == "http.handlers.token_endpoint" {
			t.Errorf("a rotation ended for %q", line["reason"])
		}
	}
}

// A client that hangs up has logged out all the same.
func TestRevokeGoesOnWithoutItsClient(t *testing.T) {
	s := startSessions(t, "")
	web := s.web()
	for _, wait := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond} {
		session := web.refreshed(t, web.login(t, "alice").refresh)
		w := s.dial()
		w.send(s.rawPost("/token/revoke", web.form("token", session.access)))
		time.Sleep(wait)
		w.Close()
		eventually(t, "the edge refuses its token", func() bool { return s.edge(session.access) == 401 })
		web.wantOver(t, session)
	}
}

// The other way round: whoever uses a spent token ends the session in the middle of
// whatever its other holder does.
func TestRefreshReuseDuringRotations(t *testing.T) {
	s := startSessions(t, "")
	web := s.web()
	for range 25 {
		first := web.login(t, "alice")
		session := web.refreshed(t, first.refresh)
		var mu sync.Mutex
		granted := []tokenPair{first, session}
		var all sync.WaitGroup
		for _, token := range []string{session.refresh, first.refresh} {
			all.Go(func() {
				for range 500 {
					a, err := web.send("", web.refreshForm(token))
					if err != nil || a.status != 200 {
						return
					}
					access, _ := a.json["access_token"].(string)
					token, _ = a.json["refresh_token"].(string)
					mu.Lock()
					granted = append(granted, tokenPair{access, token})
					mu.Unlock()
				}
			})
		}
		all.Wait()
		for _, pair := range granted {
			web.wantOver(t, pair) // G9, G10
		}
	}
}
