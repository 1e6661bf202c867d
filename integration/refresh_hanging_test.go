package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A storage that hangs instead of failing: what asks it is answered 503 in bounded time,
// and nothing else waits. Here the files of a session are pipes that nobody writes to.
func TestRefreshWhileTheStorageHangs(t *testing.T) {
	app := newEdgeApp(t)
	s := startCheap(t, strings.NewReplacer("%SETTINGS%", "", "respond /app \"in\"", app.in("reverse_proxy /app %APP%")).Replace(sessionSite))
	web := s.web()
	refreshed, introspected, revoked, healthy := web.login(t, "alice"), web.login(t, "alice"), web.login(t, "alice"), web.login(t, "alice")
	var repairs []func()
	for _, file := range []string{
		s.stateOf(t, refreshed.access, ""), s.stateOf(t, introspected.access, ""), s.stateOf(t, revoked.access, ".revoked"),
	} {
		repairs = append(repairs, s.hang(t, file))
	}

	var waiting sync.WaitGroup
	for name, form := range map[string][2]string{
		"refresh":                              {"", web.refreshForm(refreshed.refresh)},
		"introspection of a refresh token":     {"/introspect", web.form("token", introspected.refresh)},
		"introspection of an access token":     {"/introspect", web.form("token", introspected.access)},
		"J10: revocation by an access token":   {"/revoke", web.form("token", revoked.access)},
		"J10: revocation by the refresh token": {"/revoke", web.form("token", revoked.refresh)},
	} {
		waiting.Go(func() {
			began := time.Now()
			a, err := web.send(form[0], form[1])
			if err != nil || a.status != 503 || a.json["error"] != "temporarily_unavailable" || a.header.Get("Retry-After") == "" {
				t.Errorf("503: %s: got %d %s %v: %v", name, a.status, a.body, a.header, err)
			}
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("503: %s took %s", name, took)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		waiting.Wait()
		close(done)
	}()
	// C17: meanwhile the rest goes on, at its usual pace
	for rounds := 0; ; rounds++ {
		began := time.Now()
		healthy = web.wantGoing(t, healthy)
		web.login(t, "alice")
		for _, session := range []tokenPair{refreshed, introspected, revoked, healthy} {
			if got := s.edge(session.access); got != 200 {
				t.Fatalf("the edge answers %d to %s: %s", got, textClaim(t, session.access, "sid"), s.lastReason())
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a round of what needs nothing of it took %s", took)
		}
		select {
		case <-done:
			t.Logf("%d rounds of other requests went on", rounds)
		case <-time.After(200 * time.Millisecond):
			continue
		}
		break
	}
	for _, repair := range repairs {
		repair()
	}
	web.wantGoing(t, refreshed) // nothing was consumed
	for _, token := range []string{introspected.access, introspected.refresh} {
		if a := web.introspect(token); a.json["active"] != true {
			t.Errorf("introspection says %s", a.body)
		}
	}
	web.revoke(revoked.access).want(t, 200, "") // whether or not the first one was carried out
	web.wantOver(t, revoked)
}

// hang makes whoever reads a file wait until the file is repaired: then it is not there.
func (s *site) hang(t *testing.T, path string) (repair func()) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Dir(path), 0o700))
	if output, err := exec.Command("mkfifo", path).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v\n%s", err, output)
	}
	var once sync.Once
	repair = func() {
		once.Do(func() {
			aside := filepath.Join(s.dir, "pipe-"+filepath.Base(path))
			must(os.Rename(path, aside))
			pipe, err := os.OpenFile(aside, os.O_RDWR, 0) // does not wait for readers
			must(err)
			must(pipe.Close()) // lets those that wait go on
		})
	}
	t.Cleanup(repair)
	return repair
}
