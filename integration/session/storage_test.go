package session

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A storage that does not answer costs what needs it, for as long as it lasts: refresh,
// revocation and introspection. What needs none of it goes on.
func TestRefreshWithoutStorage(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.StartCheap(t, strings.NewReplacer("%SETTINGS%", "", "respond /app \"in\"", app.In("reverse_proxy /app %APP%")).Replace(harness.SessionSite))
	web := s.Web()
	login, going, spent, revoked := web.Login(t, "alice"), web.Login(t, "alice"), web.Login(t, "alice"), web.Login(t, "alice")
	going = web.Refreshed(t, going.Refresh)
	current := web.Refreshed(t, spent.Refresh)
	web.Revoke(revoked.Refresh).Want(t, 200, "")
	expired := "a.b.c"

	plug := unplug(s)
	for _, test := range []struct {
		name string
		ask  func() harness.Answer
	}{
		{"refresh with the token of a login", func() harness.Answer { return web.Refresh(login.Refresh) }},
		{"refresh with a later token", func() harness.Answer { return web.Refresh(going.Refresh) }},
		{"refresh with a spent token: this cannot be known", func() harness.Answer { return web.Refresh(spent.Refresh) }},
		{"refresh with a revoked token: this cannot be known", func() harness.Answer { return web.Refresh(revoked.Refresh) }},
		{"refresh for a wider scope: the state is judged first", func() harness.Answer { return web.Refresh(login.Refresh, "scope", "write") }},
		{"J10: revocation by a refresh token", func() harness.Answer { return web.Revoke(login.Refresh) }},
		{"J10: revocation by an access token", func() harness.Answer { return web.Revoke(going.Access) }},
		{"introspection of a refresh token", func() harness.Answer { return web.Introspect(going.Refresh) }},
		{"introspection of an access token", func() harness.Answer { return web.Introspect(going.Access) }},
	} {
		t.Run("503: "+test.name, func(t *testing.T) {
			a := test.ask()
			a.Want(t, 503, "temporarily_unavailable")
			harness.WellFormedError(t, a)
			if a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			for _, inside := range []string{"storage", "session", "directory", s.Dir, "/", "lock"} {
				if strings.Contains(string(a.Body), inside) {
					t.Errorf("E5: %q is in the answer: %s", inside, a.Body)
				}
			}
			if got := s.Reason(); got != "storage_unavailable" {
				t.Errorf("refused for %q", got)
			}
		})
	}
	t.Run("the log says why, as an error", func(t *testing.T) {
		lines := s.Logged(func(line map[string]any) bool { return line["reason"] == "storage_unavailable" })
		for _, line := range lines {
			if line["level"] != "error" || !strings.Contains(fmt.Sprint(line["error"]), "storage") {
				t.Errorf("logged: %v", line)
			}
		}
	})
	t.Run("what can be told without the storage is told", func(t *testing.T) {
		web.Refresh("garbage").Want(t, 400, "invalid_grant")
		web.Refresh("").Want(t, 400, "invalid_request")
		s.As("other").Refresh(going.Refresh).Want(t, 400, "invalid_grant")
		web.Revoke(expired).Want(t, 200, "")
		s.As("other").Revoke(going.Refresh).Want(t, 400, "invalid_grant")
		if a := web.Introspect("garbage"); a.Status != 200 || a.JSON["active"] != false {
			t.Errorf("introspection of garbage: %d %s", a.Status, a.Body)
		}
	})
	t.Run("C17: logins, the edge and the app go on", func(t *testing.T) {
		fresh := web.Login(t, "alice")
		for name, session := range map[string]harness.TokenPair{"of a login": login, "of a refresh": going, "of now": fresh} {
			if got := s.Edge(session.Access); got != 200 {
				t.Errorf("the edge answers %d to a token %s", got, name)
			}
		}
		if got := s.Edge(revoked.Access); got != 401 {
			t.Errorf("the edge answers %d to a revoked token", got)
		}
		s.Do(s.Request("GET", "/", "")).Want(t, 200, "")
	})
	plug()

	t.Run("J10: 503 meant that the tokens are as they were", func(t *testing.T) {
		if a := web.Introspect(going.Refresh); a.JSON["active"] != true {
			t.Errorf("introspection says %s", a.Body)
		}
		login = web.WantGoing(t, login)
		going = web.WantGoing(t, going)
		if got := numericClaim(t, going.Refresh, "gen"); got != 2 {
			t.Errorf("the generation is %d", got)
		}
		web.Refresh(revoked.Refresh).Want(t, 400, "invalid_grant")
		web.Refresh(spent.Refresh).Want(t, 400, "invalid_grant") // and that it is spent
		web.WantOver(t, current)
	})
	t.Run("J10: the revocation that failed can be sent again", func(t *testing.T) {
		web.Revoke(going.Access).Want(t, 200, "")
		web.WantOver(t, going)
	})
}

// A volume that is no longer mounted is an empty directory: no token was spent there,
// and no session revoked. A process that still knows its keys must not believe it.
func TestRefreshWhileTheStorageIsEmpty(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	login, spent, revoked, unlucky := web.Login(t, "alice"), web.Login(t, "alice"), web.Login(t, "alice"), web.Login(t, "alice")
	current := web.Refreshed(t, spent.Refresh)
	web.Revoke(revoked.Refresh).Want(t, 200, "")
	mount, away := harness.StorageOf(s), filepath.Join(s.Dir, "away")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Rename(mount, away))
	must(os.Mkdir(mount, 0o700))
	for _, test := range []struct {
		name string
		ask  func() harness.Answer
	}{
		{"refresh with the token of a login", func() harness.Answer { return web.Refresh(login.Refresh) }},
		{"G9: refresh with a spent token", func() harness.Answer { return web.Refresh(spent.Refresh) }},
		{"refresh with the current token", func() harness.Answer { return web.Refresh(current.Refresh) }},
		{"J8: refresh with a token that was revoked", func() harness.Answer { return web.Refresh(revoked.Refresh) }},
		{"J10: revocation, which would be lost with the directory", func() harness.Answer { return web.Revoke(unlucky.Refresh) }},
		{"K5: introspection of a token that was revoked", func() harness.Answer { return web.Introspect(revoked.Access) }},
		{"introspection of a spent token", func() harness.Answer { return web.Introspect(spent.Refresh) }},
	} {
		t.Run("503: "+test.name, func(t *testing.T) { test.ask().Want(t, 503, "temporarily_unavailable") })
	}
	t.Run("the edge and logins go on, and what was revoked stays so", func(t *testing.T) {
		web.Login(t, "alice")
		if going, over := s.Edge(login.Access), s.Edge(revoked.Access); going != 200 || over != 401 {
			t.Errorf("the edge answers %d to a token and %d to a revoked one", going, over)
		}
	})
	t.Run("nothing is written there", func(t *testing.T) {
		if found, err := filepath.Glob(filepath.Join(mount, "grant", "*", "*")); err != nil || len(found) > 0 {
			t.Errorf("there is %v: %v", found, err)
		}
	})
	must(os.RemoveAll(mount))
	must(os.Rename(away, mount))
	t.Run("when it is back, all is as it was", func(t *testing.T) {
		web.WantGoing(t, login)
		current = web.WantGoing(t, current)
		web.WantOver(t, revoked)
		unlucky = web.WantGoing(t, unlucky)
		web.Revoke(unlucky.Refresh).Want(t, 200, "")
		web.WantOver(t, unlucky)
		web.Refresh(spent.Refresh).Want(t, 400, "invalid_grant")
		web.WantOver(t, current)
	})
}

// The feed and the records can fail one by one.
func TestRefreshWithHalfAStorage(t *testing.T) {
	t.Parallel()
	s := harness.Apart(t, harness.SessionConfig(t, ""))
	web := s.Web()
	web.Refreshed(t, web.Login(t, "alice").Refresh)
	web.Revoke(web.Login(t, "alice").Access).Want(t, 200, "")
	server, err := filepath.Rel(harness.StorageOf(s), filepath.Dir(filepath.Dir(filepath.Dir(stateOf(s, t, web.Login(t, "alice").Access, "")))))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("without the feed, refresh works and a revocation fails until it can be told to all", func(t *testing.T) {
		session := web.Login(t, "alice")
		plug := unplug(s, server, "revocations")
		session = web.Refreshed(t, session.Refresh)
		web.Revoke(session.Access).Want(t, 503, "temporarily_unavailable")
		// the marker may be there already: that is for the next process that asks the
		// storage
		for _, token := range []string{session.Access, session.Refresh} {
			if a := web.Introspect(token); a.JSON["active"] != false {
				t.Errorf("introspection says %s", a.Body)
			}
		}
		plug()
		web.Revoke(session.Access).Want(t, 200, "")
		web.WantOver(t, session)
	})
	t.Run("a revocation that was cut off before the feed is completed by the next refresh", func(t *testing.T) {
		session := web.Login(t, "alice")
		plug := unplug(s, server, "revocations")
		web.Revoke(session.Access).Want(t, 503, "temporarily_unavailable")
		plug()
		web.WantOver(t, session) // the refresh comes first
	})
	t.Run("without the records, nothing is taken for what it is not", func(t *testing.T) {
		session := web.Refreshed(t, web.Login(t, "alice").Refresh)
		plug := unplug(s, server, "sessions")
		web.Refresh(session.Refresh).Want(t, 503, "temporarily_unavailable")
		web.Revoke(session.Refresh).Want(t, 503, "temporarily_unavailable")
		plug()
		web.WantGoing(t, session)
	})
	t.Run("without locks, a token that is spent is known to be, and no other is exchanged", func(t *testing.T) {
		first := web.Login(t, "alice")
		session := web.Refreshed(t, first.Refresh)
		plug := unplug(s, "locks")
		web.Refresh(session.Refresh).Want(t, 503, "temporarily_unavailable")
		plug()
		session = web.WantGoing(t, session)
		plug = unplug(s, "locks")
		web.Refresh(first.Refresh).Want(t, 400, "invalid_grant")
		plug()
		web.WantOver(t, session)
	})
}

// A backup that was restored, and a disk that damages what is on it, never make a spent
// token good without the session's end being near: what cannot be is refused and
// revoked.
func TestRefreshAfterTheStorageLostSomething(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	for _, test := range []struct {
		name   string
		harm   func(t *testing.T, record string, earlier []byte) error
		reason string
	}{
		{"the record of a backup", func(_ *testing.T, record string, earlier []byte) error { return os.WriteFile(record, earlier, 0o600) }, "session_rolled_back"},
		{"the record is gone", func(_ *testing.T, record string, _ []byte) error { return os.Remove(record) }, "session_rolled_back"},
		{"a record that is empty", func(_ *testing.T, record string, _ []byte) error { return os.WriteFile(record, nil, 0o600) }, "session_damaged"},
		{"a record that is cut", func(_ *testing.T, record string, earlier []byte) error {
			return os.WriteFile(record, earlier[:len(earlier)/2], 0o600)
		}, "session_damaged"},
		{"a record with something else in it", func(_ *testing.T, record string, _ []byte) error { return os.WriteFile(record, []byte("{}"), 0o600) }, "session_damaged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			session := web.Refreshed(t, web.Login(t, "alice").Refresh)
			record := stateOf(s, t, session.Access, "")
			earlier, err := os.ReadFile(record)
			if err != nil {
				t.Fatal(err)
			}
			session = web.Refreshed(t, session.Refresh)
			if err := test.harm(t, record, earlier); err != nil {
				t.Fatal(err)
			}
			web.Refresh(session.Refresh).Want(t, 400, "invalid_grant")
			refusals := s.Refusals()
			line := refusals[len(refusals)-1]
			if line["reason"] != test.reason || line["level"] != "warn" || line["session_id"] != harness.TextClaim(t, session.Access, "sid") || line["remedy"] == nil {
				t.Errorf("logged: %v", line)
			}
			web.WantOver(t, session)
		})
	}
	t.Run("a record of a later version is left alone", func(t *testing.T) {
		session := web.Refreshed(t, web.Login(t, "alice").Refresh)
		record := stateOf(s, t, session.Access, "")
		ours := harness.ReadIfThere(t, record)
		if err := os.WriteFile(record, []byte(strings.Replace(ours, `"version":1`, `"version":2`, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		web.Refresh(session.Refresh).Want(t, 503, "temporarily_unavailable")
		if err := os.WriteFile(record, []byte(ours), 0o600); err != nil {
			t.Fatal(err)
		}
		web.WantGoing(t, session)
	})
}
