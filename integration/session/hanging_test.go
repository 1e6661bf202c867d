//go:build unix

package session

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A storage that hangs instead of failing: what asks it is answered 503 in bounded
// time, and nothing else waits. Here the files of a session are pipes that no process
// writes to.
func TestRefreshWhileTheStorageHangs(t *testing.T) {
	t.Parallel()
	app := harness.NewApp(t)
	s := harness.Apart(t, strings.Replace(harness.SessionConfig(t, ""), "respond /app \"in\"", app.In("reverse_proxy /app %APP%"), 1))
	web := s.Web()
	refreshed, introspected, revoked, healthy := web.Login(t, "alice"), web.Login(t, "alice"), web.Login(t, "alice"), web.Login(t, "alice")
	var repairs []func()
	for _, file := range []string{
		stateOf(s, t, refreshed.Access, ""), stateOf(s, t, introspected.Access, ""), stateOf(s, t, revoked.Access, ".revoked"),
	} {
		repairs = append(repairs, hang(s, t, file))
	}

	var waiting sync.WaitGroup
	for name, form := range map[string][2]string{
		"refresh":                              {"", web.RefreshForm(refreshed.Refresh)},
		"introspection of a refresh token":     {"/introspect", web.Form("token", introspected.Refresh)},
		"introspection of an access token":     {"/introspect", web.Form("token", introspected.Access)},
		"J10: revocation by an access token":   {"/revoke", web.Form("token", revoked.Access)},
		"J10: revocation by the refresh token": {"/revoke", web.Form("token", revoked.Refresh)},
	} {
		waiting.Go(func() {
			began := time.Now()
			a, err := web.Send(form[0], form[1])
			if err != nil || a.Status != 503 || a.JSON["error"] != "temporarily_unavailable" || a.Header.Get("Retry-After") == "" {
				t.Errorf("503: %s: got %d %s %v: %v", name, a.Status, a.Body, a.Header, err)
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
		healthy = web.WantGoing(t, healthy)
		web.Login(t, "alice")
		for _, session := range []harness.TokenPair{refreshed, introspected, revoked, healthy} {
			if got := s.Edge(session.Access); got != 200 {
				t.Fatalf("the edge answers %d to %s: %s", got, harness.TextClaim(t, session.Access, "sid"), s.LastReason())
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
	web.WantGoing(t, refreshed) // nothing was consumed
	for _, token := range []string{introspected.Access, introspected.Refresh} {
		if a := web.Introspect(token); a.JSON["active"] != true {
			t.Errorf("introspection says %s", a.Body)
		}
	}
	web.Revoke(revoked.Access).Want(t, 200, "") // whether or not the first one was carried out
	web.WantOver(t, revoked)
}

// hang makes every reader of a file wait until the file is repaired: then it is not
// there.
func hang(s *harness.Site, t *testing.T, path string) (repair func()) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Dir(path), 0o700))
	must(syscall.Mkfifo(path, 0o600))
	var once sync.Once
	repair = func() {
		once.Do(func() {
			aside := filepath.Join(s.Dir, "pipe-"+filepath.Base(path))
			must(os.Rename(path, aside))
			pipe, err := os.OpenFile(aside, os.O_RDWR, 0) // does not wait for readers
			must(err)
			must(pipe.Close()) // lets those that wait go on
		})
	}
	t.Cleanup(repair)
	return repair
}
