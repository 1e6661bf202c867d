package integration

import (
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What one user can have written to storage is bounded, with the throttle off too.

// boundSettings keep logins cheap and metrics on.
const boundSettings = "signing_key HS256 " + sharedSecret

// boundedSite is sessionSite with its metrics, as a function of more lines. The hashes are
// the same each time.
func boundedSite(t *testing.T) func(settings string) string {
	t.Helper()
	text := strings.Replace(cheap(t, sessionSite), "\tbearer_auth /app*", "\thandle /metrics {\n\t\tmetrics\n\t}\n\tbearer_auth /app*", 1)
	return func(settings string) string {
		return strings.Replace(text, "%SETTINGS%", boundSettings+"\n"+settings, 1)
	}
}

// files counts what the storage has of sessions.
type files struct{ records, markers, entries int }

func (s *site) files() files {
	s.t.Helper()
	var f files
	err := filepath.WalkDir(filepath.Join(storageOf(s), "grant"), func(path string, entry fs.DirEntry, err error) error {
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
		s.t.Fatal(err)
	}
	return f
}

// throttledBy is how many requests a limit has refused so far.
func (s *site) throttledBy(limit string) int {
	s.t.Helper()
	return int(s.metrics()[`throttled_total{limit="`+limit+`",server="default"}`])
}

// exhaust does something from several goroutines, until each of them was refused. It returns
// how often that went well, and a refusal.
func exhaust(t *testing.T, do func() (answer, error)) (good int, refusal answer) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1200 {
				a, err := do()
				mu.Lock()
				if err == nil && a.status == 200 {
					good++
				} else {
					refusal = a
				}
				mu.Unlock()
				if err != nil || a.status != 200 {
					return
				}
			}
		})
	}
	all.Wait()
	refusal.want(t, 429, "temporarily_unavailable")
	wellFormedError(t, refusal)
	if seconds, err := strconv.Atoi(refusal.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 10 {
		t.Errorf("Retry-After is %q", refusal.header.Get("Retry-After"))
	}
	return good, refusal
}

// linesOf is what the log says of the refusals by a limit.
func (s *site) linesOf(limit string) []map[string]any {
	s.t.Helper()
	return s.logged(func(line map[string]any) bool {
		return line["msg"] == "request refused" && line["limit"] == limit && line["status"] == 429.0
	})
}

const boundAtOnce = 1000

// since is how much a bound lets through in a time that began before.
func since(began time.Time) int { return boundAtOnce + 1 + int(time.Since(began)/(10*time.Second)) }

func TestOneUserCannotFillTheStorageBySessions(t *testing.T) {
	config := boundedSite(t)
	s := start(t, config(""))
	web := s.web()
	old := web.refreshed(t, web.login(t, "alice").refresh)
	began := time.Now()
	var mu sync.Mutex
	var refused []string // refresh tokens
	good, _ := exhaust(t, func() (answer, error) {
		login, err := web.send("", web.form("grant_type", "password", "username", "alice", "password", "correct horse"))
		token, _ := login.json["refresh_token"].(string)
		if err != nil || token == "" {
			return login, err
		}
		a, err := web.send("", web.refreshForm(token))
		if err == nil && a.status == 429 {
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
		for _, token := range refused {
			if a, _ := web.send("", web.refreshForm(token)); a.status == 200 {
				good++ // ten seconds were over
			}
		}
	}
	t.Run("the storage has no more records than that", func(t *testing.T) {
		if got := s.files(); got.records != good+1 || got.markers != 0 {
			t.Errorf("%+v, and %d were refreshed", got, good)
		}
	})
	t.Run("it is logged once, and counted each time", func(t *testing.T) {
		lines := s.linesOf("sessions")
		if len(lines) != 1 && time.Since(began) < time.Minute {
			t.Fatalf("%d lines", len(lines))
		}
		if line := lines[0]; line["level"] != "info" || line["reason"] != "too_many_sessions" || line["user_id"] != "alice" || line["client_id"] != "web" || line["remedy"] == nil {
			t.Errorf("the line is %v", line)
		}
		if n := s.throttledBy("sessions"); n < 8 {
			t.Errorf("%d were counted", n)
		}
	})
	t.Run("a session that has its record goes on", func(t *testing.T) {
		for range 20 {
			old = web.refreshed(t, old.refresh)
		}
	})
	t.Run("a login is not refused, nor a logout", func(t *testing.T) {
		session := web.login(t, "alice")
		web.revoke(session.access).want(t, 200, "")
		web.wantOver(t, session)
	})
	t.Run("other users and other clients go on", func(t *testing.T) {
		web.refreshed(t, web.login(t, "bob").refresh)
		s.as("other").refreshed(t, s.as("other").login(t, "alice").refresh)
		s.public("cli").refreshed(t, s.public("cli").login(t, "alice").refresh)
	})
	t.Run("a reload does not help", func(t *testing.T) {
		s.reload("", config("access_token_ttl 30m"))
		s.settle(t)
		good, _ := exhaust(t, func() (answer, error) {
			login, err := web.send("", web.form("grant_type", "password", "username", "alice", "password", "correct horse"))
			if err != nil || login.status != 200 {
				return login, err
			}
			return web.send("", web.refreshForm(login.json["refresh_token"].(string)))
		})
		if good > 20 {
			t.Errorf("%d more sessions after a reload", good)
		}
	})
	t.Run("nothing was consumed: a client that waits as told goes on", func(t *testing.T) {
		session := web.login(t, "alice")
		eventually(t, "the refresh succeeds", func() bool {
			a := web.refresh(session.refresh)
			if a.status == 429 {
				seconds, _ := strconv.Atoi(a.header.Get("Retry-After"))
				time.Sleep(time.Duration(seconds) * time.Second)
			}
			return a.status == 200
		})
		if n := len(s.linesOf("sessions")); time.Since(began) < time.Minute && n > 1 {
			t.Errorf("%d lines in the first minute", n)
		}
	})
}

func TestOneUserCannotFillTheStorageByRevocations(t *testing.T) {
	config := boundedSite(t)
	s := start(t, config(""))
	web := s.web()
	var spent, current []tokenPair // of sessions in which a thief comes second
	for range 4 {
		first := web.login(t, "alice")
		spent, current = append(spent, first), append(current, web.refreshed(t, first.refresh))
	}
	going := web.refreshed(t, web.login(t, "alice").refresh)
	began := time.Now()
	good, _ := exhaust(t, func() (answer, error) {
		login, err := web.send("", web.form("grant_type", "password", "username", "alice", "password", "correct horse"))
		if err != nil || login.status != 200 {
			return login, err
		}
		return web.send("/revoke", web.form("token", login.json["refresh_token"].(string)))
	})
	if good < boundAtOnce || good > since(began) {
		t.Errorf("%d sessions were revoked", good)
	}
	before := s.files()
	if before.markers != good || before.entries != good {
		t.Errorf("%+v, and %d were revoked", before, good)
	}

	t.Run("a reuse ends its session all the same, at once", func(t *testing.T) {
		for i := range spent {
			for range 3 { // repeated, it costs nothing more
				web.refresh(spent[i].refresh).want(t, 400, "invalid_grant")
			}
			web.wantOver(t, current[i])
			for _, token := range []string{spent[i].access, current[i].access, current[i].refresh} {
				wantInactive(t, web.introspect(token))
			}
			web.revoke(current[i].refresh).want(t, 200, "") // it is as good as revoked
		}
	})
	if got := s.files(); got.markers > since(began) {
		t.Errorf("the bound is %d: %+v", since(began), got)
	}
	t.Run("an end that waits outlives a reload, also of what closes the storage", func(t *testing.T) {
		s.reload("", config("access_token_ttl 30m"))
		s.client.CloseIdleConnections()
		s.relogin("bob", "correct horse").want(t, 200, "")
	})
	t.Run("what is refused had no effect, and is logged once", func(t *testing.T) {
		if lines := s.linesOf("revocations"); len(lines) != 1 && time.Since(began) < time.Minute {
			t.Errorf("%d lines", len(lines))
		} else if lines[0]["reason"] != "too_many_revocations" || lines[0]["level"] != "info" {
			t.Errorf("the line is %v", lines[0])
		}
		if n := s.throttledBy("revocations"); n < 8 {
			t.Errorf("%d were counted", n)
		}
		going = web.refreshed(t, going.refresh)
	})
	t.Run("others log out", func(t *testing.T) {
		for _, test := range []struct {
			client oauthClient
			user   string
		}{{web, "bob"}, {s.as("other"), "alice"}, {s.public("cli"), "alice"}} {
			session := test.client.login(t, test.user)
			test.client.revoke(session.refresh).want(t, 200, "")
			test.client.wantOver(t, session)
		}
	})
	t.Run("the reuse is written as soon as the bound allows, for other nodes", func(t *testing.T) {
		for i := range spent {
			marker := s.stateOf(t, current[i].access, ".revoked")
			eventually(t, "the marker is there", func() bool { return readIfThere(t, marker) != "" })
		}
		eventually(t, "the feed has them", func() bool { f := s.files(); return f.entries == f.markers })
		if got := s.files(); got.markers > since(began)+3 {
			t.Errorf("more than the bound, %d: %+v", since(began)+3, got)
		}
	})
}
