package monitoring

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

func init() { caddy.RegisterModule(harness.SpareSessions{}) }

func ofEngine(name string) string {
	return fmt.Sprintf(`engine_last_attempt_successful{engine=%q,server="counted"}`, name)
}

func ofEngineCall(name, call string) string {
	return fmt.Sprintf(`engine_failures_total{call=%q,engine=%q,server="counted"}`, call, name)
}

// An operator sees which engine is down, what fails there, and that it answers again,
// whatever another engine does.
func TestMetricsOfEngines(t *testing.T) {
	s := startCounted(t, "revocation_poll 100ms\nsessions memory metrics-a {\nalso spare metrics-b\n}")
	want := func(memory, spare float64) {
		t.Helper()
		harness.Eventually(t, fmt.Sprintf("memory is %v, spare %v", memory, spare), func() bool {
			now := s.Metrics()
			return now[ofEngine("memory")] == memory && now[ofEngine("spare")] == spare
		})
	}
	want(1, 1)
	before := s.Metrics()
	for _, call := range []string{"epoch", "load", "swap", "revoke", "revoked", "sweep"} {
		for _, engine := range []string{"memory", "spare"} {
			if _, there := before[ofEngineCall(engine, call)]; !there {
				t.Errorf("%s of %s is missing", call, engine)
			}
		}
	}
	session := s.Web().Login(t, "alice")

	harness.LastOpened("metrics-b").Meet(func(sessionstest.Call) sessionstest.Fault { return sessionstest.Hangs })
	harness.LastOpened("metrics-a").Meet(func(c sessionstest.Call) sessionstest.Fault {
		if c.Op == "Swap" { // as an engine that is full
			return sessionstest.Refused
		}
		return sessionstest.Fine
	})
	s.Web().Refresh(session.Refresh).Want(t, 503, "temporarily_unavailable")
	if moved := counted(before, s.Metrics()); moved[ofEngineCall("memory", "swap")] != 1 || moved[ofEngineCall("spare", "swap")] != 0 {
		t.Errorf("moved: %v", moved)
	}
	want(1, 1) // it answers when it is asked

	harness.Memory("metrics-a").Stop() // while the other one hangs
	want(0, 1)
	if moved := counted(before, s.Metrics()); moved[ofEngineCall("memory", "revoked")] == 0 {
		t.Errorf("moved: %v", moved)
	}
	harness.Memory("metrics-a").Start()
	want(1, 1)
	var said []string
	for _, line := range s.Logged(func(line map[string]any) bool { return line["engine"] == "memory" }) {
		said = append(said, fmt.Sprint(line["level"], " ", line["msg"]))
	}
	if got := strings.Join(said, "\n"); got != "error a session engine fails; until it works again, its sessions are unavailable, and this node does not learn what other nodes revoke there\n"+
		"info a session engine answers again" {
		t.Errorf("the log says:\n%s", got)
	}

	harness.LastOpened("metrics-b").Recover()
	s.Reload("", strings.Replace(harness.WithCheapHashes(t, countedSite), "%SETTINGS%", "revocation_poll 100ms\nsessions storage {\nalso memory metrics-a\n}", 1))
	harness.Eventually(t, "the engine that was taken out has no gauge", func() bool {
		_, there := s.Metrics()[ofEngine("spare")]
		return !there
	})
	if got := s.Metrics()[ofEngine("memory")]; got != 1 {
		t.Errorf("memory is %v", got)
	}
}
