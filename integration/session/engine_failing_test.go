package session

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

func TestAnEngineThatIsDownAtTheStartKeepsCaddyFromNothing(t *testing.T) {
	s := newEngineSite(t)
	web := s.Web()
	s.reload("")
	stored := web.Refreshed(t, web.Login(t, "alice").Refresh)
	s.memory.Stop()
	s.reload("sessions %ENGINE% {\nalso storage\n}")
	a := s.Login("alice", "correct horse")
	a.Want(t, 503, "temporarily_unavailable")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.awaitError("a session engine fails", `"engine":"memory"`)
	stored = web.WantGoing(t, stored) // it needs no engine
	before := len(s.Logged(func(line map[string]any) bool { return line["msg"] == "read the revocations" }))
	s.memory.Start()
	harness.Eventually(t, "logins succeed", func() bool { return s.Login("alice", "correct horse").Status == 200 })
	session := web.Login(t, "alice")
	livesIn(t, session.Access, "memory")
	session = web.WantGoing(t, session)

	harness.Eventually(t, "the revocations in the engine are read", func() bool {
		return len(s.Logged(func(line map[string]any) bool { return line["msg"] == "read the revocations" })) > before
	})
	s.memory.Stop() // while it runs: logins go on
	web.Login(t, "alice")
	if got := s.Edge(session.Access); got != 200 {
		t.Errorf("the edge answers %d", got)
	}
	web.Refresh(session.Refresh).Want(t, 503, "temporarily_unavailable")
	web.Revoke(session.Refresh).Want(t, 503, "temporarily_unavailable")
	web.Introspect(session.Refresh).Want(t, 503, "temporarily_unavailable")
	web.WantGoing(t, stored)
	s.memory.Start()
	web.WantGoing(t, session)
}

// Where nothing is checked, no revocations are polled, and the engine is asked all the same.
func TestAServerWithoutABearerAuthFindsItsEngineToo(t *testing.T) {
	s := newEngineSite(t)
	s.text = strings.NewReplacer("bearer_auth /app*\n", "", "revocation_poll 100ms", "revocation_poll 5m").Replace(s.text)
	s.memory.Stop()
	s.reload("sessions %ENGINE%")
	s.Login("alice", "correct horse").Want(t, 503, "temporarily_unavailable")
	s.memory.Start()
	harness.Eventually(t, "logins succeed", func() bool { return s.Login("alice", "correct horse").Status == 200 })
}

// What was used or revoked once must not begin again, and the operator is told.
func TestAfterAnEngineWasEmptiedNothingWorksUntilAReloadAndThenNothingOfBefore(t *testing.T) {
	s := onEngine(t, "sessions %ENGINE% {\nalso storage\n}")
	web := s.Web()
	fresh, spent, revoked := web.Login(t, "alice"), web.Login(t, "alice"), web.Login(t, "alice")
	current := web.Refreshed(t, spent.Refresh)
	web.Revoke(revoked.Refresh).Want(t, 200, "")
	before := []harness.TokenPair{fresh, spent, current, revoked}
	s.memory.Flush()
	for range 3 {
		for _, session := range before {
			if a := web.Refresh(session.Refresh); a.Status == 200 {
				t.Fatalf("a token of before gets %s", a.Body)
			}
			if a := web.Introspect(session.Refresh); a.Status == 200 && a.JSON["active"] != false {
				t.Errorf("introspection: %s", a.Body)
			}
		}
		web.Refresh(fresh.Refresh).Want(t, 503, "temporarily_unavailable")
		web.Revoke(fresh.Refresh).Want(t, 503, "temporarily_unavailable")
	}
	if got := s.Edge(revoked.Access); got != 401 {
		t.Errorf("the edge answers %d to what was revoked", got)
	}

	s.reload("sessions %ENGINE%") // no minute later
	for range 2 {
		for _, session := range before {
			web.Refresh(session.Refresh).Want(t, 400, "invalid_grant")
			web.Introspect(session.Refresh).Want(t, 200, "")
			web.Revoke(session.Refresh).Want(t, 200, "")
			if got := s.Edge(session.Access); got != 401 {
				t.Errorf("the edge answers %d", got)
			}
		}
	}
	session := web.Login(t, "alice")
	for range 3 {
		session = web.WantGoing(t, session)
	}
	s.awaitError("a session engine has lost its sessions", "memory", inEngine(t, session.Access).Epoch)
	web.Revoke(session.Refresh).Want(t, 200, "")
	web.WantOver(t, session)
}

// Another node was reloaded: this one notices by itself.
func TestAnEpochThatAnotherNodeMadeIsTakenUp(t *testing.T) {
	s := onEngine(t, "sessions %ENGINE%")
	web := s.Web()
	old := web.Refreshed(t, web.Login(t, "alice").Refresh)
	s.memory.Flush()
	epoch, err := s.elsewhere().Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	web.Refresh(old.Refresh).Want(t, 400, "invalid_grant")
	harness.Eventually(t, "the edge refuses what was before", func() bool { return s.Edge(old.Access) == 401 })
	harness.Eventually(t, "sessions begin in the new epoch", func() bool {
		return inEngine(t, web.Login(t, "alice").Access).Epoch == epoch
	})
	session := web.WantGoing(t, web.Login(t, "alice"))
	web.Revoke(session.Access).Want(t, 200, "")
	web.WantOver(t, session)
	s.awaitError("a session engine has lost its sessions", epoch)
}

func TestAnUnsuitableEngineRefusesTheConfigAndTheOldOneGoesOn(t *testing.T) {
	s := newEngineSite(t)
	unsuitable := func(on bool) {
		harness.WhenOpened(s.name, nil)
		if on {
			harness.WhenOpened(s.name, func(n *sessionstest.Node) {
				n.Meet(func(c sessionstest.Call) sessionstest.Fault {
					if c.Op == "Epoch" {
						return sessionstest.Unsuitable
					}
					return sessionstest.Fine
				})
			})
		}
	}
	t.Cleanup(func() { harness.WhenOpened(s.name, nil) })
	unsuitable(true)
	harness.WantLoadError(t, s.TryReload("", s.config("sessions %ENGINE%")), "not suitable", "memory", `server "default"`)
	unsuitable(false)
	s.reload("sessions %ENGINE%")
	web := s.Web()
	session := web.WantGoing(t, web.Login(t, "alice"))
	unsuitable(true)
	for _, settings := range []string{"sessions %ENGINE%", "sessions storage {\nalso %ENGINE%\n}", "sessions %ENGINE% {\nalso storage\n}"} {
		harness.WantLoadError(t, s.TryReload("", s.config(settings)), "not suitable")
		s.settle()
		session = web.WantGoing(t, session)
		livesIn(t, web.Login(t, "alice").Access, "memory")
	}
	unsuitable(false)
	s.reload("sessions storage {\nalso %ENGINE%\n}")
	web.WantGoing(t, session)

	// while it runs nothing is refused, and the log says it
	s.reload("sessions %ENGINE%")
	harness.LastOpened(s.name).Meet(func(sessionstest.Call) sessionstest.Fault { return sessionstest.Unsuitable })
	s.awaitError("not suitable")
	web.Login(t, "alice")
}

// Whoever needs it is answered, and whoever does not need it does not notice.
func TestAnEngineThatHangsHoldsUpNoOtherServer(t *testing.T) {
	for _, fault := range []sessionstest.Fault{sessionstest.Hangs, sessionstest.DoneButHangs} {
		t.Run(fault.String(), func(t *testing.T) {
			s := newEngineSite(t)
			sites := s.config("sessions %ENGINE% {\nalso storage\n}")
			sites = strings.Replace(sites, "log\n", `log
	token_endpoint /other {
		name other
		client web {
			secret web-secret
		}
		user alice `+harness.CheapHash(t, "correct horse")+`
	}
`, 1)
			s.Reload("", s.config("sessions storage"))
			s.settle()
			web, other := s.Web(), s.Web().At("/other")
			stored := web.Refreshed(t, web.Login(t, "alice").Refresh)
			s.Reload("", sites)
			s.settle()
			others := other.Refreshed(t, other.Login(t, "alice").Refresh)
			session, fresh := web.WantGoing(t, web.Login(t, "alice")), web.Login(t, "alice")

			harness.LastOpened(s.name).Meet(func(sessionstest.Call) sessionstest.Fault { return fault })
			var answered sync.WaitGroup
			var wrong, left atomic.Int64
			const each = 40
			left.Store(3 * each)
			for range each {
				for _, form := range []struct{ endpoint, form string }{
					{"", web.RefreshForm(session.Refresh)}, {"/revoke", web.Form("token", fresh.Refresh)}, {"/introspect", web.Form("token", session.Refresh)},
				} {
					answered.Go(func() {
						a, err := web.Send(form.endpoint, form.form)
						if err != nil || a.Status != 503 || a.Header.Get("Retry-After") == "" || a.JSON["error"] != "temporarily_unavailable" {
							wrong.Add(1)
							t.Errorf("%s: %d %s, %v", form.endpoint, a.Status, a.Body, err)
						}
						left.Add(-1)
					})
				}
			}
			for rounds := 0; left.Load() > 0 || rounds < 3; rounds++ {
				others = other.Refreshed(t, others.Refresh)
				stored = web.Refreshed(t, stored.Refresh)
				other.Login(t, "alice")
				web.Login(t, "alice") // no login waits for an engine
				if got := s.Edge(stored.Access); got != 200 {
					t.Errorf("the edge answers %d", got)
				}
			}
			answered.Wait()
			harness.LastOpened(s.name).Recover()
			if fault == sessionstest.Hangs {
				web.WantGoing(t, session)
			} else if a := web.Refresh(session.Refresh); a.Status != 200 { // the answer that was not delivered
				t.Errorf("got %d %s", a.Status, a.Body)
			}
			s.reload("sessions %ENGINE%") // also with what still hangs
		})
	}
}

// `caddy validate` may run where no engine is reached.
func TestValidatingAConfigAsksNoEngine(t *testing.T) {
	s := newEngineSite(t)
	s.reload("")
	var opened, called atomic.Int64
	harness.WhenOpened(s.name, func(n *sessionstest.Node) {
		opened.Add(1)
		n.Meet(func(sessionstest.Call) sessionstest.Fault {
			called.Add(1)
			return sessionstest.Fine
		})
	})
	t.Cleanup(func() { harness.WhenOpened(s.name, nil) })
	for _, settings := range []string{"sessions %ENGINE%", "sessions %ENGINE% {\nalso storage\n}", "sessions storage {\nalso %ENGINE%\n}"} {
		if err := s.validate(settings); err != nil {
			t.Errorf("%s: %v", settings, err)
		}
	}
	if opened.Load() == 0 || called.Load() > 0 {
		t.Errorf("the engine was opened %d times and called %d times", opened.Load(), called.Load())
	}
	s.reload("sessions %ENGINE%") // so the function does count
	if called.Load() == 0 {
		t.Error("no call was counted")
	}
	s.memory.Stop()
	if err := s.validate("sessions %ENGINE%"); err != nil {
		t.Errorf("while it is down: %v", err)
	}
}
