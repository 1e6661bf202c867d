package throttle

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// passwordChecks counts what became of the checks of passwords or secrets in this
// process so far. The config must have Caddy's handler "metrics" at /metrics.
func passwordChecks(s *harness.Site, kind string) map[string]int {
	s.T.Helper()
	a := s.Do(s.Request("GET", "/metrics", ""))
	if a.Status != 200 {
		s.T.Fatalf("metrics: %d %s", a.Status, a.Body)
	}
	counts := make(map[string]int)
	for line := range strings.Lines(string(a.Body)) {
		labels, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if !strings.HasPrefix(labels, "caddy_grant_password_checks_total{") || !strings.Contains(labels, `kind="`+kind+`"`) {
			continue
		}
		_, result, _ := strings.Cut(labels, `result="`)
		result, _, _ = strings.Cut(result, `"`)
		count, err := strconv.ParseFloat(value, 64)
		if err != nil {
			s.T.Fatal(err)
		}
		counts[result] += int(count)
	}
	return counts
}

// wantChecks fails the test unless what do does has so many passwords hashed, and finds
// so many in the cache.
func wantChecks(s *harness.Site, kind string, hashed, cached int, reason string, do func()) {
	s.T.Helper()
	before := passwordChecks(s, kind)
	do()
	after := passwordChecks(s, kind)
	if gotHashed, gotCached := after["compared"]-before["compared"], after["cached"]-before["cached"]; gotHashed != hashed || gotCached != cached {
		s.T.Errorf("%s: %d hashed and %d cached, want %d and %d", reason, gotHashed, gotCached, hashed, cached)
	}
}

const cacheSite = `http://127.0.0.1:%PORT% {
	metrics /metrics
	token_endpoint {
		client web {
			secret web-secret
		}
		client hashed {
			secret_hash %SECRET_HASH%
		}
		users json %DIR%/users.json
		%SETTING%
	}
}
`

// cacheFixture has the hashes of one test.
type cacheFixture struct {
	*harness.Site
	hash, config string
}

func startCache(t *testing.T, setting string) *cacheFixture {
	t.Helper()
	s := &cacheFixture{Site: harness.NewSite(t), hash: harness.CheapHash(t, "correct horse")}
	s.config = strings.NewReplacer("%SECRET_HASH%", harness.CheapHash(t, "hashed-secret"), "%SETTING%", setting).Replace(cacheSite)
	s.users(s.user("alice", s.hash), s.user("carol", s.hash, `"disabled": true`))
	s.Reload("", s.config)
	return s
}

func (s *cacheFixture) user(name, hash string, members ...string) string {
	return fmt.Sprintf(`{"username": %q, "password_hash": %q%s}`, name, hash, strings.Join(append([]string{""}, members...), ", "))
}

func (s *cacheFixture) users(users ...string) {
	s.T.Helper()
	s.WriteOld("users.json", `{"users": [`+strings.Join(users, ", ")+`]}`)
}

func TestARightPasswordIsNotHashedAgain(t *testing.T) {
	s := startCache(t, "")
	logins := func(n int, username, password string, status int) func() {
		return func() {
			for range n {
				if a := s.Login(username, password); a.Status != status {
					t.Errorf("%s: %d %s", username, a.Status, a.Body)
				}
			}
		}
	}
	wantChecks(s.Site, "user", 1, 4, "a right password", logins(5, "alice", "correct horse", 200))
	wantChecks(s.Site, "user", 1, 0, "a wrong one", logins(3, "alice", "wrong", 400))
	wantChecks(s.Site, "user", 1, 0, "another wrong one", logins(3, "alice", "another", 400))
	wantChecks(s.Site, "user", 0, 1, "the right one after that", logins(1, "alice", "correct horse", 200))
	wantChecks(s.Site, "user", 1, 0, "an unknown name", logins(3, "nobody", "correct horse", 400))
	wantChecks(s.Site, "user", 1, 0, "a disabled user", logins(3, "carol", "correct horse", 400))
	wantChecks(s.Site, "user", 0, 1, "another client", func() {
		s.Login("alice", "correct horse", "client_id", "hashed", "client_secret", "hashed-secret").Want(t, 200, "")
	})
	wantChecks(s.Site, "client", 0, 2, "its secret", func() {
		for range 2 {
			s.Login("alice", "correct horse", "client_id", "hashed", "client_secret", "hashed-secret").Want(t, 200, "")
		}
	})
	wantChecks(s.Site, "client", 1, 0, "a wrong secret", func() {
		for range 2 {
			s.Login("alice", "correct horse", "client_id", "hashed", "client_secret", "wrong").Want(t, 400, "invalid_client")
		}
	})
	s.Reload("", s.config)
	s.Relogin("alice", "correct horse").Want(t, 200, "")
	wantChecks(s.Site, "user", 0, 1, "after a reload", logins(1, "alice", "correct horse", 200))
}

func TestTheCacheMayBeOff(t *testing.T) {
	s := startCache(t, "password_checks {\ncache off\n}")
	login := func() { s.Relogin("alice", "correct horse").Want(t, 200, "") }
	wantChecks(s.Site, "user", 3, 0, "off", func() { login(); login(); login() })
	on := strings.Replace(s.config, "cache off", "cache 1h", 1)
	s.Reload("", on)
	login()
	wantChecks(s.Site, "user", 0, 1, "on again", login)
	s.Reload("", s.config)
	login()
	s.Reload("", on)
	wantChecks(s.Site, "user", 1, 0, "on after it was off, which forgets all", login)
}

func TestTheCacheForgetsInTime(t *testing.T) {
	s := startCache(t, "password_checks {\ncache 1s\n}")
	s.Login("alice", "correct horse").Want(t, 200, "")
	before := passwordChecks(s.Site, "user")["compared"]
	harness.Eventually(t, "it is hashed again", func() bool {
		s.Login("alice", "correct horse").Want(t, 200, "")
		return passwordChecks(s.Site, "user")["compared"] > before
	})
}

// A cached login is as good as the file it was made with.
func TestTheCacheKeepsNoUserIn(t *testing.T) {
	for name, users := range map[string]func(s *cacheFixture) []string{
		"whose password changed": func(s *cacheFixture) []string {
			return []string{s.user("alice", harness.CheapHash(t, "another")), s.user("bob", s.hash)}
		},
		"who is disabled": func(s *cacheFixture) []string {
			return []string{s.user("alice", s.hash, `"disabled": true`), s.user("bob", s.hash)}
		},
		"who is gone": func(s *cacheFixture) []string { return []string{s.user("bob", s.hash)} },
		"whose hash is another's": func(s *cacheFixture) []string {
			return []string{s.user("bob", s.hash), s.user("alice", harness.CheapHash(t, "x"))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startCache(t, "throttle off")
			s.Login("alice", "correct horse").Want(t, 200, "")
			wantChecks(s.Site, "user", 0, 1, "before", func() { s.Login("alice", "correct horse").Want(t, 200, "") })
			s.users(users(s)...)
			harness.Eventually(t, "the file is read again", func() bool { return s.Login("bob", "correct horse").Status == 200 })
			for range 3 {
				s.Login("alice", "correct horse").Want(t, 400, "invalid_grant")
			}
		})
	}
}

// Who comes back with the same password is known again, at once or by a hash.
func TestAUserWhoIsEnabledAgainLogsIn(t *testing.T) {
	s := startCache(t, "throttle off")
	s.Login("alice", "correct horse").Want(t, 200, "")
	s.users(s.user("alice", s.hash, `"disabled": true`))
	harness.Eventually(t, "the file is read again", func() bool { return s.Login("alice", "correct horse").Status == 400 })
	s.users(s.user("alice", s.hash))
	harness.Eventually(t, "the file is read once more", func() bool { return s.Login("alice", "correct horse").Status == 200 })
}

// C17: equal attempts that come together share a hash.
func TestParallelEqualLoginsShareAHash(t *testing.T) {
	s := harness.NewSite(t)
	s.Reload("", strings.NewReplacer(
		"users json %DIR%/users.json", "user alice "+costlyHash,
		"%SECRET_HASH%", harness.CheapHash(t, "hashed-secret"),
		"%SETTING%", "password_checks {\nconcurrency 1\nqueue 1\n}",
	).Replace(cacheSite))
	for _, test := range []struct {
		name, username, password string
		status                   int
	}{
		{"an unknown name", "nobody", "wrong", 400},
		{"a wrong password", "alice", "wrong", 400},
		{"the right one", "alice", "correct horse", 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := passwordChecks(s, "user")
			got := atOnce(s, 40, func(int) (harness.Answer, error) { return s.Attempt(test.username, test.password) })
			if got[test.status] != 40 {
				t.Errorf("%v, want 40 times %d, although one may wait", got, test.status)
			}
			after := passwordChecks(s, "user")
			if after["joined"]-before["joined"] == 0 || after["compared"] == before["compared"] || after["shed"] != before["shed"] {
				t.Errorf("before %v, afterwards %v", before, after) // at least one is hashed, and some joined it
			}
		})
	}
}

// Neither the cache nor the throttle lets a password or a name get into what an
// operator can see.
func TestMetricsNameNoUser(t *testing.T) {
	s := startCache(t, "")
	const secret = "hunter2-in-clear"
	for range 7 {
		s.Login(secret, secret)
		s.Post("/token", url.Values{"client_id": {secret}, "client_secret": {secret}, "grant_type": {"password"}}.Encode())
	}
	s.Login("alice", "correct horse").Want(t, 200, "")
	text := string(s.Do(s.Request("GET", "/metrics", "")).Body)
	for _, what := range []string{secret, "alice", "correct"} {
		if strings.Contains(text, what) {
			t.Errorf("%s is in the metrics", what)
		}
	}
}
