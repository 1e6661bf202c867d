package session

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	store "github.com/caddygrant/caddy-grant/internal/session"
)

// A session that lives where this node does not look is neither there nor gone.
func TestASessionInAnEngineThatTheNodeDoesNotKnowIsUnavailable(t *testing.T) {
	for _, test := range []struct{ name, begins, then, remedy string }{
		{"an engine", "sessions %ENGINE%", "", `also memory`},
		{"the storage", "", "sessions %ENGINE%", `also storage`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := onEngine(t, test.begins)
			web := s.Web()
			session := web.Refreshed(t, web.Login(t, "alice").Refresh)
			fresh, revoked := web.Login(t, "alice"), web.Login(t, "alice")
			web.Revoke(revoked.Refresh).Want(t, 200, "")
			s.reload(test.then)
			for range 2 {
				s.wantUnavailable(session, test.remedy)
				s.wantUnavailable(fresh, test.remedy)
			}
			web.Refreshed(t, web.Login(t, "alice").Refresh) // those that begin now have their place

			line := "sessions storage"
			if test.then != "" {
				line = test.then
			}
			s.reload(line + " {\n" + strings.Replace(test.remedy, "memory", "%ENGINE%", 1) + "\n}")
			web.WantGoing(t, session) // which was neither spent nor revoked meanwhile
			web.WantGoing(t, fresh)
			web.WantOver(t, revoked)
		})
	}
}

// The steps that operators take, and back: no session ends, and what was revoked before,
// or elsewhere, is known at the edge after each.
func TestMovingToAnEngineAndBackByReloadsEndsNoSession(t *testing.T) {
	s := newEngineSite(t)
	web := s.Web()
	var going, over []harness.TokenPair
	begun := make(map[string]int)
	for _, step := range []struct{ settings, begins string }{
		{"", ""},
		{"sessions storage {\nalso %ENGINE%\n}", ""}, // all nodes know both
		{"sessions %ENGINE% {\nalso storage\n}", "memory"},
		{"sessions storage {\nalso %ENGINE%\n}", ""},
		{"sessions %ENGINE% {\nalso storage\n}", "memory"},
		{"sessions storage {\nalso %ENGINE%\n}", ""},
	} {
		s.reload(step.settings)
		for i, session := range going {
			going[i] = web.WantGoing(t, session)
		}
		for _, session := range over {
			web.WantOver(t, session)
		}
		for range 3 {
			session := web.Login(t, "alice")
			livesIn(t, session.Refresh, step.begins)
			going = append(going, session)
		}
		begun[step.begins] += 3
		revoked, reused, spent := web.Login(t, "alice"), web.Login(t, "alice"), web.Login(t, "alice")
		web.Revoke(revoked.Access).Want(t, 200, "")
		next := web.Refreshed(t, reused.Refresh)
		web.Refresh(reused.Refresh).Want(t, 400, "invalid_grant")
		web.Refreshed(t, spent.Refresh)
		over = append(over, revoked, reused, next)

		// another node revokes one of each place
		for place, number := range begun {
			if number < 2 {
				continue
			}
			for i, session := range going {
				if sid := harness.TextClaim(t, session.Access, "sid"); (strings.Contains(sid, "memory")) == (place == "memory") {
					s.revokeElsewhere(session)
					harness.Eventually(t, "the edge knows what another node revoked in "+place, func() bool { return s.Edge(session.Access) == 401 })
					over = append(over, session)
					going = append(going[:i], going[i+1:]...)
					begun[place]--
					break
				}
			}
		}
	}
	if len(going) < 6 || len(over) < 20 {
		t.Fatalf("%d sessions go on, %d are over", len(going), len(over))
	}

	// once all that began in the engine are over, it is no longer needed
	for _, session := range going {
		if strings.Contains(harness.TextClaim(t, session.Access, "sid"), "memory") {
			web.Revoke(session.Refresh).Want(t, 200, "")
		}
	}
	s.reload("")
	for _, session := range going {
		if strings.Contains(harness.TextClaim(t, session.Access, "sid"), "memory") {
			if got := s.Edge(session.Access); got == 200 {
				t.Error("a session in an engine that is no longer known passes")
			}
			continue
		}
		web.WantGoing(t, session)
	}
}

// revokeElsewhere is what another node of the server does, wherever the session lives.
func (s *engineSite) revokeElsewhere(session harness.TokenPair) {
	s.T.Helper()
	sid := harness.TextClaim(s.T, session.Access, "sid")
	var err error
	if strings.Contains(sid, "memory") {
		err = s.elsewhere().Revoke(s.T.Context(), inEngine(s.T, session.Access))
	} else {
		id, ok := store.ParseID(sid)
		if !ok {
			s.T.Fatalf("sid %q", sid)
		}
		memory := store.NewMemory()
		defer memory.Close()
		storage := &certmagic.FileStorage{Path: harness.StorageOf(s.Site)}
		err = store.NewStore(storage, "grant/"+s.folder(), memory, time.Now).Revoke(s.T.Context(), id)
	}
	if err != nil {
		s.T.Fatalf("revoking at another node: %v", err)
	}
}

// Another node refreshes, as far as the engine is concerned.
func TestWhatAnotherNodeDidWithASessionCounts(t *testing.T) {
	s := onEngine(t, "sessions %ENGINE%")
	web := s.Web()
	session := web.Refreshed(t, web.Login(t, "alice").Refresh)
	if st, err := s.elsewhere().Swap(t.Context(), inEngine(t, session.Access), 2, strings.Repeat("a", 32)); err != nil || st.Generation != 2 {
		t.Fatalf("%+v, %v", st, err)
	}
	web.Refresh(session.Refresh).Want(t, 400, "invalid_grant")
	if reason := s.Reason(); reason != "refresh_token_reused" {
		t.Errorf("reason %q", reason)
	}
	web.WantOver(t, session)
	if st, err := s.elsewhere().Load(t.Context(), inEngine(t, session.Access)); err != nil || !st.Revoked {
		t.Errorf("%+v, %v", st, err)
	}
}
