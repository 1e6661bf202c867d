package session

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

func init() { caddy.RegisterModule(harness.SpareSessions{}) }

// What other nodes revoke in one engine is learned while another one hangs.
func TestAnEngineThatHangsHoldsUpNoOtherEngine(t *testing.T) {
	s := newEngineSite(t)
	spare := t.Name() + " spare"
	s.reload("sessions %ENGINE% {\nalso spare \"" + spare + "\"\nalso storage\n}")
	web := s.Web()
	var hang atomic.Int64 // calls, each for half a minute
	harness.LastOpened(spare).Meet(func(sessionstest.Call) sessionstest.Fault {
		hang.Add(1)
		return sessionstest.Hangs
	})
	for range 4 {
		session := web.WantGoing(t, web.Login(t, "alice"))
		if got := s.Edge(session.Access); got != 200 {
			t.Fatalf("the edge answers %d", got)
		}
		if err := s.elsewhere().Revoke(t.Context(), inEngine(t, session.Access)); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the edge refuses it", func() bool { return s.Edge(session.Access) == 401 })
	}
	if n := hang.Load(); n > 3 {
		t.Errorf("%d calls had to end before that", n)
	}
	harness.LastOpened(spare).Recover()
}

// otherServer is a site with a second authorization server, whose engine is the spare one.
func (s *engineSite) otherServer(spare string) string {
	return strings.Replace(s.config("sessions %ENGINE%"), "log\n", `log
	token_endpoint /other {
		name another
		sessions spare "`+spare+`"
		client web {
			secret web-secret
		}
		user alice `+harness.CheapHash(s.T, "correct horse")+`
	}
`, 1)
}

// whenAsked sees each call of the engines that are opened.
func (s *engineSite) whenAsked(see func(engine string) sessionstest.Fault, names ...string) {
	for _, name := range names {
		harness.WhenOpened(name, func(n *sessionstest.Node) {
			n.Meet(func(sessionstest.Call) sessionstest.Fault { return see(name) })
		})
		s.T.Cleanup(func() { harness.WhenOpened(name, nil) })
	}
}

// At a start no server waits for the engine of another one.
func TestAtAStartTheEnginesOfAllServersAreAskedAtOnce(t *testing.T) {
	s := newEngineSite(t)
	spare := t.Name() + " spare"
	var both sync.WaitGroup
	both.Add(2)
	var asked sync.Map
	s.whenAsked(func(engine string) sessionstest.Fault {
		if _, again := asked.LoadOrStore(engine, true); !again {
			both.Done()
		}
		both.Wait()
		return sessionstest.Fine
	}, s.name, spare)
	s.Reload("", s.otherServer(spare))
	for _, line := range s.errors() {
		if strings.Contains(line, "a session engine fails") {
			t.Errorf("one waited for the other: %s", line)
		}
	}
}

// The error names all that have to be set up differently, in the order of the servers.
func TestAllUnsuitableEnginesAreNamedInOrder(t *testing.T) {
	s := newEngineSite(t)
	spare := t.Name() + " spare"
	s.whenAsked(func(string) sessionstest.Fault { return sessionstest.Unsuitable }, s.name, spare)
	for range 5 {
		err := s.TryReload("", s.otherServer(spare))
		harness.WantLoadError(t, err, `server "another"`, "in the engine spare", `server "default"`, "in the engine memory")
		if text := err.Error(); strings.Index(text, `"another"`) > strings.Index(text, `"default"`) {
			t.Errorf("error %s", text)
		}
	}
}
