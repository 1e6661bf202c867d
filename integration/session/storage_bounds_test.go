package session

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/allowance"
)

// What one user can have written to storage is bounded, with the throttle off too.

// boundSettings keep logins cheap and metrics on.
const boundSettings = "signing_key HS256 " + harness.SharedSecret

// boundedSite is SessionSite with its metrics, as a function of more lines. The hashes
// are the same each time.
func boundedSite(t *testing.T) func(settings string) string {
	t.Helper()
	text := strings.Replace(harness.WithCheapHashes(t, harness.SessionSite), "\tbearer_auth /app*", "\thandle /metrics {\n\t\tmetrics\n\t}\n\tbearer_auth /app*", 1)
	return func(settings string) string {
		return strings.Replace(text, "%SETTINGS%", boundSettings+"\n"+settings, 1)
	}
}

// files counts what the storage has of sessions.
type files struct{ records, markers, entries int }

func filesOf(s *harness.Site) files {
	s.T.Helper()
	var f files
	err := filepath.WalkDir(filepath.Join(harness.StorageOf(s), "grant"), func(path string, entry fs.DirEntry, err error) error {
		switch folder := filepath.Base(filepath.Dir(filepath.Dir(path))); {
		case err != nil || entry.IsDir():
			return err
		case folder == "sessions" && strings.HasSuffix(path, ".revoked"):
			f.markers++
		case folder == "sessions":
			f.records++
		case folder == "revocations" && filepath.Base(path) != "page":
			f.entries++
		}
		return nil
	})
	if err != nil {
		s.T.Fatal(err)
	}
	return f
}

// throttledBy is how many requests a limit has refused so far.
func throttledBy(s *harness.Site, limit string) int {
	s.T.Helper()
	return int(s.Metrics()[`throttled_total{limit="`+limit+`",server="default"}`])
}

// exhaust does something from several goroutines, until each of them was refused. It
// returns how often that went well, and a refusal.
func exhaust(t *testing.T, do func() (harness.Answer, error)) (good int, refusal harness.Answer) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1200 {
				a, err := do()
				mu.Lock()
				if err == nil && a.Status == 200 {
					good++
				} else {
					refusal = a
				}
				mu.Unlock()
				if err != nil || a.Status != 200 {
					return
				}
			}
		})
	}
	all.Wait()
	refusal.Want(t, 429, "temporarily_unavailable")
	harness.WellFormedError(t, refusal)
	if seconds, err := strconv.Atoi(refusal.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 10 {
		t.Errorf("Retry-After is %q", refusal.Header.Get("Retry-After"))
	}
	return good, refusal
}

// linesOf is what the log says of the refusals by a limit.
func linesOf(s *harness.Site, limit string) []map[string]any {
	s.T.Helper()
	return s.Logged(func(line map[string]any) bool {
		return line["msg"] == "request refused" && line["limit"] == limit && line["status"] == 429.0
	})
}

const boundAtOnce = 1000

// since is how much a bound lets through in a time that began before.
func since(began time.Time) int {
	return boundAtOnce + 1 + int(time.Since(began)/allowance.WriteInterval)
}

func TestOneUserCannotFillTheStorageBySessions(t *testing.T) {
	config := boundedSite(t)
	s := harness.Start(t, config(""))
	web := s.Web()
	old := web.Refreshed(t, web.Login(t, "alice").Refresh)
	began := time.Now()
	var mu sync.Mutex
	var refused []string // refresh tokens
	good, _ := exhaust(t, func() (harness.Answer, error) {
		login, err := web.Send("", web.Form("grant_type", "password", "username", "alice", "password", "correct horse"))
		token, _ := login.JSON["refresh_token"].(string)
		if err != nil || token == "" {
			return login, err
		}
		a, err := web.Send("", web.RefreshForm(token))
		if err == nil && a.Status == 429 {
			mu.Lock()
			refused = append(refused, token)
			mu.Unlock()
		}
		return a, err
	})
	if good < boundAtOnce-1 || good > since(began) {
		t.Errorf("%d sessions were refreshed", good)
	}
	for range 5 { // again and again is one more line at most
		refused = slices.DeleteFunc(refused, func(token string) bool {
			if a, _ := web.Send("", web.RefreshForm(token)); a.Status != 200 {
				return false
			}
			good++ // allowance.WriteInterval was over
			return true
		})
	}
	t.Run("the storage has no more records than that", func(t *testing.T) {
		if got := filesOf(s); got.records != good+1 || got.markers != 0 {
			t.Errorf("%+v, and %d were refreshed", got, good)
		}
	})
	t.Run("it is logged once, and counted each time", func(t *testing.T) {
		lines := linesOf(s, "sessions")
		if len(lines) != 1 && time.Since(began) < time.Minute {
			t.Fatalf("%d lines", len(lines))
		}
		if line := lines[0]; line["level"] != "info" || line["reason"] != "too_many_sessions" || line["user_id"] != "alice" || line["client_id"] != "web" || line["remedy"] == nil {
			t.Errorf("the line is %v", line)
		}
		if n := throttledBy(s, "sessions"); n < 8 {
			t.Errorf("%d were counted", n)
		}
	})
	t.Run("a session that has its record goes on", func(t *testing.T) {
		for range 20 {
			old = web.Refreshed(t, old.Refresh)
		}
	})
	t.Run("a login is not refused, nor a logout", func(t *testing.T) {
		session := web.Login(t, "alice")
		web.Revoke(session.Access).Want(t, 200, "")
		web.WantOver(t, session)
	})
	t.Run("other users and other clients go on", func(t *testing.T) {
		web.Refreshed(t, web.Login(t, "bob").Refresh)
		s.As("other").Refreshed(t, s.As("other").Login(t, "alice").Refresh)
		s.Public("cli").Refreshed(t, s.Public("cli").Login(t, "alice").Refresh)
	})
	t.Run("a reload does not help", func(t *testing.T) {
		s.Reload("", config("access_token_ttl 30m"))
		settle(s, t)
		before := good
		good, _ := exhaust(t, func() (harness.Answer, error) {
			login, err := web.Send("", web.Form("grant_type", "password", "username", "alice", "password", "correct horse"))
			if err != nil || login.Status != 200 {
				return login, err
			}
			return web.Send("", web.RefreshForm(login.JSON["refresh_token"].(string)))
		})
		if all := before + good; all > since(began) {
			t.Errorf("%d more sessions after a reload", good)
		}
	})
	t.Run("nothing was consumed: a client that waits as told goes on", func(t *testing.T) {
		session := web.Login(t, "alice")
		harness.Eventually(t, "the refresh succeeds", func() bool {
			a := web.Refresh(session.Refresh)
			if a.Status == 429 {
				seconds, _ := strconv.Atoi(a.Header.Get("Retry-After"))
				time.Sleep(time.Duration(seconds) * time.Second)
			}
			return a.Status == 200
		})
		if n := len(linesOf(s, "sessions")); time.Since(began) < time.Minute && n > 1 {
			t.Errorf("%d lines in the first minute", n)
		}
	})
}

func TestOneUserCannotFillTheStorageByRevocations(t *testing.T) {
	config := boundedSite(t)
	s := harness.Start(t, config(""))
	web := s.Web()
	var spent, current []harness.TokenPair // of sessions in which a thief comes second
	for range 4 {
		first := web.Login(t, "alice")
		spent, current = append(spent, first), append(current, web.Refreshed(t, first.Refresh))
	}
	going := web.Refreshed(t, web.Login(t, "alice").Refresh)
	began := time.Now()
	good, _ := exhaust(t, func() (harness.Answer, error) {
		login, err := web.Send("", web.Form("grant_type", "password", "username", "alice", "password", "correct horse"))
		if err != nil || login.Status != 200 {
			return login, err
		}
		return web.Send("/revoke", web.Form("token", login.JSON["refresh_token"].(string)))
	})
	if good < boundAtOnce || good > since(began) {
		t.Errorf("%d sessions were revoked", good)
	}
	before := filesOf(s)
	if before.markers != good || before.entries != good {
		t.Errorf("%+v, and %d were revoked", before, good)
	}

	t.Run("a reuse ends its session all the same, at once", func(t *testing.T) {
		for i := range spent {
			for range 3 { // repeated, it costs nothing more
				web.Refresh(spent[i].Refresh).Want(t, 400, "invalid_grant")
			}
			web.WantOver(t, current[i])
			for _, token := range []string{spent[i].Access, current[i].Access, current[i].Refresh} {
				wantInactive(t, web.Introspect(token))
			}
			web.Revoke(current[i].Refresh).Want(t, 200, "") // it is as good as revoked
		}
	})
	if got := filesOf(s); got.markers > since(began) {
		t.Errorf("the bound is %d: %+v", since(began), got)
	}
	t.Run("an end that waits outlives a reload, also of what closes the storage", func(t *testing.T) {
		s.Reload("", config("access_token_ttl 30m"))
		s.Client.CloseIdleConnections()
		s.Relogin("bob", "correct horse").Want(t, 200, "")
	})
	t.Run("what is refused had no effect, and is logged once", func(t *testing.T) {
		if lines := linesOf(s, "revocations"); len(lines) != 1 && time.Since(began) < time.Minute {
			t.Errorf("%d lines", len(lines))
		} else if lines[0]["reason"] != "too_many_revocations" || lines[0]["level"] != "info" {
			t.Errorf("the line is %v", lines[0])
		}
		if n := throttledBy(s, "revocations"); n < 8 {
			t.Errorf("%d were counted", n)
		}
		going = web.Refreshed(t, going.Refresh)
	})
	t.Run("others log out", func(t *testing.T) {
		for _, test := range []struct {
			client harness.OAuthClient
			user   string
		}{{web, "bob"}, {s.As("other"), "alice"}, {s.Public("cli"), "alice"}} {
			session := test.client.Login(t, test.user)
			test.client.Revoke(session.Refresh).Want(t, 200, "")
			test.client.WantOver(t, session)
		}
	})
	t.Run("the reuse is written as soon as the bound allows, for other nodes", func(t *testing.T) {
		for i := range spent {
			marker := stateOf(s, t, current[i].Access, ".revoked")
			harness.Eventually(t, "the marker is there", func() bool { return harness.ReadIfThere(t, marker) != "" })
		}
		harness.Eventually(t, "the feed has them", func() bool { f := filesOf(s); return f.entries == f.markers })
		if got := filesOf(s); got.markers > since(began)+3 {
			t.Errorf("more than the bound, %d: %+v", since(began)+3, got)
		}
	})
}
