package events

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/event"
)

// many are more events than may wait.
const many = 300

func TestNoLoginWaitsForAHandlerThatHangs(t *testing.T) {
	s := start(t, "events {\non "+event.Issued+" test hangs\non "+event.Refused+" test notes\n}", siteWith(""))
	for range 3 {
		s.Login("alice", "correct horse").Want(t, 200, "")
	}
	s.Login("alice", "wrong").Want(t, 400, "invalid_grant")
	got.wait(t, event.Refused, 1) // a queue of its own
	got.wait(t, event.Issued, 1)
	close(got.release())
	got.wait(t, event.Issued, 3)
}

func TestEventsBeyondTheQueueAreDroppedAndCounted(t *testing.T) {
	s := start(t, on("hangs", event.Issued), siteWith("")+`http://127.0.0.1:%PORT%/metrics {
	metrics
}
`)
	dropped := fmt.Sprintf("events_dropped_total{event=%q}", event.Issued)
	before := s.Metrics()[dropped]
	for range many {
		s.Login("alice", "correct horse").Want(t, 200, "")
	}
	got.wait(t, event.Issued, 1)
	lost := int(s.Metrics()[dropped] - before)
	if lost < many-257 || lost > many-256 { // as many wait as may, and one may have been taken out before
		t.Errorf("%d of %d events were dropped", lost, many)
	}
	lines := s.Logged(func(line map[string]any) bool {
		return line["logger"] == "grant.events" && line["level"] == "warn" && line["event"] == event.Issued
	})
	if len(lines) != 1 {
		t.Errorf("%d lines say so: %v", len(lines), lines)
	}
	close(got.release())
	got.wait(t, event.Issued, many-lost)
}

func TestAHandlerThatPanicsOrFailsBreaksNothing(t *testing.T) {
	for _, does := range []string{"panics", "fails"} {
		t.Run(does, func(t *testing.T) {
			s := start(t, on(does, event.Issued), siteWith(""))
			for range 2 {
				s.Login("alice", "correct horse").Want(t, 200, "")
			}
			got.wait(t, event.Issued, 2) // so the first did not end what sends them
			lines := func() []map[string]any {
				return s.Logged(func(line map[string]any) bool {
					return line["level"] == "error" && strings.Contains(fmt.Sprint(line), "this handler "+does)
				})
			}
			harness.Eventually(t, "both are logged", func() bool { return len(lines()) == 2 })
		})
	}
}

// What waits is not lost with the config that it waits in.
func TestEventsThatWaitAtAReloadGoToTheNextConfig(t *testing.T) {
	s := start(t, on("hangs", event.Issued), siteWith(""))
	for range 3 {
		s.Login("alice", "correct horse").Want(t, 200, "")
	}
	got.wait(t, event.Issued, 1) // the others wait for its handler
	s.Reload(on("notes", event.Issued), harness.WithCheapHashes(t, siteWith("")))
	events := got.wait(t, event.Issued, 3)
	for i, does := range []string{"hangs", "notes", "notes"} {
		if events[i].does != does {
			t.Errorf("event %d went to a handler that %s, want %s", i, events[i].does, does)
		}
	}
	s.Relogin("alice", "correct horse").Want(t, 200, "")
	got.wait(t, event.Issued, 4)
}

// A config that cannot be loaded takes no events away.
func TestEventsGoOnAfterAConfigThatDoesNotStart(t *testing.T) {
	s := start(t, on("notes", event.Issued), siteWith(""))
	for _, broken := range []string{
		strings.Replace(siteWith(""), "bearer_auth", "bearer_auth nowhere", 1), // our app does not start
		siteWith("") + "http://127.0.0.1:%PORT%/x {\n\tbind 192.0.2.1\n}\n",    // Caddy's does not
	} {
		if err := s.TryReload(on("panics", event.Issued), harness.WithCheapHashes(t, broken)); err == nil {
			t.Fatal("it starts")
		}
	}
	s.Relogin("alice", "correct horse").Want(t, 200, "")
	if h := got.wait(t, event.Issued, 1)[0]; h.does != "notes" {
		t.Errorf("it went to the handler that %s", h.does)
	}
}

// An event that comes while the apps of a config start waits for its subscribers: a
// login may be answered before they are known.
func TestAnEventIsSentForEveryLoginWhileConfigsChange(t *testing.T) {
	s := start(t, on("notes", event.Issued), siteWith(""))
	stop, logins := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				logins <- n
				return
			default:
			}
			if a, err := s.Attempt("alice", "correct horse"); err == nil && a.Status == 200 {
				n++
			}
		}
	}()
	for range 10 {
		s.Reload(on("notes", event.Issued), harness.WithCheapHashes(t, siteWith("")))
	}
	close(stop)
	got.wait(t, event.Issued, <-logins)
}
