package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A storage that does not answer costs what needs it, for as long as it lasts: refresh,
// revocation and introspection. What needs none of it goes on.
func TestRefreshWithoutStorage(t *testing.T) {
	app := newEdgeApp(t)
	s := startCheap(t, strings.NewReplacer("%SETTINGS%", "", "respond /app \"in\"", app.in("reverse_proxy /app %APP%")).Replace(sessionSite))
	web := s.web()
	login, going, spent, revoked := web.login(t, "alice"), web.login(t, "alice"), web.login(t, "alice"), web.login(t, "alice")
	going = web.refreshed(t, going.refresh)
	current := web.refreshed(t, spent.refresh)
	web.revoke(revoked.refresh).want(t, 200, "")
	expired := "a.b.c"

	plug := s.unplug()
	for _, test := range []struct {
		name string
		ask  func() answer
	}{
		{"refresh with the token of a login", func() answer { return web.refresh(login.refresh) }},
		{"refresh with a later token", func() answer { return web.refresh(going.refresh) }},
		{"refresh with a spent token: nobody knows that it is", func() answer { return web.refresh(spent.refresh) }},
		{"refresh with a token that was revoked: nobody can tell", func() answer { return web.refresh(revoked.refresh) }},
		{"refresh for a wider scope: the state is judged first", func() answer { return web.refresh(login.refresh, "scope", "write") }},
		{"J10: revocation by a refresh token", func() answer { return web.revoke(login.refresh) }},
		{"J10: revocation by an access token", func() answer { return web.revoke(going.access) }},
		{"introspection of a refresh token", func() answer { return web.introspect(going.refresh) }},
		{"introspection of an access token", func() answer { return web.introspect(going.access) }},
	} {
		t.Run("503: "+test.name, func(t *testing.T) {
			a := test.ask()
			a.want(t, 503, "temporarily_unavailable")
			wellFormedError(t, a)
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			for _, inside := range []string{"storage", "session", "directory", s.dir, "/", "lock"} {
				if strings.Contains(string(a.body), inside) {
					t.Errorf("E5: %q is in the answer: %s", inside, a.body)
				}
			}
			if got := s.reason(); got != "storage_unavailable" {
				t.Errorf("refused for %q", got)
			}
		})
	}
	t.Run("the log says why, as an error", func(t *testing.T) {
		lines := s.logged(func(line map[string]any) bool { return line["reason"] == "storage_unavailable" })
		for _, line := range lines {
			if line["level"] != "error" || !strings.Contains(fmt.Sprint(line["error"]), "storage") {
				t.Errorf("logged: %v", line)
			}
		}
	})
	t.Run("what can be told without the storage is told", func(t *testing.T) {
		web.refresh("garbage").want(t, 400, "invalid_grant")
		web.refresh("").want(t, 400, "invalid_request")
		s.as("other").refresh(going.refresh).want(t, 400, "invalid_grant")
		web.revoke(expired).want(t, 200, "")
		s.as("other").revoke(going.refresh).want(t, 400, "invalid_grant")
		if a := web.introspect("garbage"); a.status != 200 || a.json["active"] != false {
			t.Errorf("introspection of garbage: %d %s", a.status, a.body)
		}
	})
	t.Run("C17: logins, the edge and the app go on", func(t *testing.T) {
		fresh := web.login(t, "alice")
		for name, session := range map[string]tokenPair{"of a login": login, "of a refresh": going, "of now": fresh} {
			if got := s.edge(session.access); got != 200 {
				t.Errorf("the edge answers %d to a token %s", got, name)
			}
		}
		if got := s.edge(revoked.access); got != 401 {
			t.Errorf("the edge answers %d to a revoked token", got)
		}
		s.do(s.request("GET", "/", "")).want(t, 200, "")
	})
	plug()

	t.Run("J10: 503 meant that the tokens are as they were", func(t *testing.T) {
		if a := web.introspect(going.refresh); a.json["active"] != true {
			t.Errorf("introspection says %s", a.body)
		}
		login = web.wantGoing(t, login)
		going = web.wantGoing(t, going)
		if got := numericClaim(t, going.refresh, "gen"); got != 2 {
			t.Errorf("the generation is %d", got)
		}
		web.refresh(revoked.refresh).want(t, 400, "invalid_grant")
		web.refresh(spent.refresh).want(t, 400, "invalid_grant") // and that it is spent
		web.wantOver(t, current)
	})
	t.Run("J10: the revocation that failed can be sent again", func(t *testing.T) {
		web.revoke(going.access).want(t, 200, "")
		web.wantOver(t, going)
	})
}

// A volume that is not mounted any more is an empty directory: no token was spent there, and
// no session revoked. A process that still knows its keys must not believe it.
func TestRefreshWhileTheStorageIsEmpty(t *testing.T) {
	s := startSessions(t, "")
	web := s.web()
	login, spent, revoked, unlucky := web.login(t, "alice"), web.login(t, "alice"), web.login(t, "alice"), web.login(t, "alice")
	current := web.refreshed(t, spent.refresh)
	web.revoke(revoked.refresh).want(t, 200, "")
	mount, away := storageOf(s), filepath.Join(s.dir, "away")
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
		ask  func() answer
	}{
		{"refresh with the token of a login", func() answer { return web.refresh(login.refresh) }},
		{"G9: refresh with a spent token", func() answer { return web.refresh(spent.refresh) }},
		{"refresh with the current token", func() answer { return web.refresh(current.refresh) }},
		{"J8: refresh with a token that was revoked", func() answer { return web.refresh(revoked.refresh) }},
		{"J10: revocation, which would be lost with the directory", func() answer { return web.revoke(unlucky.refresh) }},
		{"K5: introspection of a token that was revoked", func() answer { return web.introspect(revoked.access) }},
		{"introspection of a spent token", func() answer { return web.introspect(spent.refresh) }},
	} {
		t.Run("503: "+test.name, func(t *testing.T) { test.ask().want(t, 503, "temporarily_unavailable") })
	}
	t.Run("the edge and logins go on, and what was revoked stays so", func(t *testing.T) {
		web.login(t, "alice")
		if going, over := s.edge(login.access), s.edge(revoked.access); going != 200 || over != 401 {
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
		web.wantGoing(t, login)
		current = web.wantGoing(t, current)
		web.wantOver(t, revoked)
		unlucky = web.wantGoing(t, unlucky)
		web.revoke(unlucky.refresh).want(t, 200, "")
		web.wantOver(t, unlucky)
		web.refresh(spent.refresh).want(t, 400, "invalid_grant")
		web.wantOver(t, current)
	})
}

// The feed and the records can fail one by one.
func TestRefreshWithHalfAStorage(t *testing.T) {
	s := startSessions(t, "")
	web := s.web()
	web.refreshed(t, web.login(t, "alice").refresh)
	web.revoke(web.login(t, "alice").access).want(t, 200, "")
	server, err := filepath.Rel(storageOf(s), filepath.Dir(filepath.Dir(filepath.Dir(s.stateOf(t, web.login(t, "alice").access, "")))))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("without the feed, refresh works and a revocation fails until it can be told to all", func(t *testing.T) {
		session := web.login(t, "alice")
		plug := s.unplug(server, "revocations")
		session = web.refreshed(t, session.refresh)
		web.revoke(session.access).want(t, 503, "temporarily_unavailable")
		// the marker may be there already: that is for whoever asks the storage
		for _, token := range []string{session.access, session.refresh} {
			if a := web.introspect(token); a.json["active"] != false {
				t.Errorf("introspection says %s", a.body)
			}
		}
		plug()
		web.revoke(session.access).want(t, 200, "")
		web.wantOver(t, session)
	})
	t.Run("a revocation that was cut off before the feed is completed by the next refresh", func(t *testing.T) {
		session := web.login(t, "alice")
		plug := s.unplug(server, "revocations")
		web.revoke(session.access).want(t, 503, "temporarily_unavailable")
		plug()
		web.wantOver(t, session) // the refresh comes first
	})
	t.Run("without the records, nothing is taken for what it is not", func(t *testing.T) {
		session := web.refreshed(t, web.login(t, "alice").refresh)
		plug := s.unplug(server, "sessions")
		web.refresh(session.refresh).want(t, 503, "temporarily_unavailable")
		web.revoke(session.refresh).want(t, 503, "temporarily_unavailable")
		plug()
		web.wantGoing(t, session)
	})
	t.Run("without locks, a token that is spent is known to be, and no other is exchanged", func(t *testing.T) {
		first := web.login(t, "alice")
		session := web.refreshed(t, first.refresh)
		plug := s.unplug("locks")
		web.refresh(session.refresh).want(t, 503, "temporarily_unavailable")
		plug()
		session = web.wantGoing(t, session)
		plug = s.unplug("locks")
		web.refresh(first.refresh).want(t, 400, "invalid_grant")
		plug()
		web.wantOver(t, session)
	})
}

// A backup that was restored, and a disk that damages what is on it, never make a spent
// token good without the session's end being near: what cannot be is refused and revoked.
func TestRefreshAfterTheStorageLostSomething(t *testing.T) {
	s := startSessions(t, "")
	web := s.web()
	for _, test := range []struct {
		name   string
		harm   func(t *testing.T, record string, earlier []byte) error
		reason string
	}{
		{"the record of a backup", func(_ *testing.T, record string, earlier []byte) error { return os.WriteFile(record, earlier, 0o600) }, "session_rolled_back"},
		{"no record any more", func(_ *testing.T, record string, _ []byte) error { return os.Remove(record) }, "session_rolled_back"},
		{"a record that is empty", func(_ *testing.T, record string, _ []byte) error { return os.WriteFile(record, nil, 0o600) }, "session_damaged"},
		{"a record that is cut", func(_ *testing.T, record string, earlier []byte) error {
			return os.WriteFile(record, earlier[:len(earlier)/2], 0o600)
		}, "session_damaged"},
		{"a record with something else in it", func(_ *testing.T, record string, _ []byte) error { return os.WriteFile(record, []byte("{}"), 0o600) }, "session_damaged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			session := web.refreshed(t, web.login(t, "alice").refresh)
			record := s.stateOf(t, session.access, "")
			earlier, err := os.ReadFile(record)
			if err != nil {
				t.Fatal(err)
			}
			session = web.refreshed(t, session.refresh)
			if err := test.harm(t, record, earlier); err != nil {
				t.Fatal(err)
			}
			web.refresh(session.refresh).want(t, 400, "invalid_grant")
			refusals := s.refusals()
			line := refusals[len(refusals)-1]
			if line["reason"] != test.reason || line["level"] != "warn" || line["session_id"] != textClaim(t, session.access, "sid") || line["remedy"] == nil {
				t.Errorf("logged: %v", line)
			}
			web.wantOver(t, session)
		})
	}
	t.Run("a record of a later version is left alone", func(t *testing.T) {
		session := web.refreshed(t, web.login(t, "alice").refresh)
		record := s.stateOf(t, session.access, "")
		ours := readIfThere(t, record)
		if err := os.WriteFile(record, []byte(strings.Replace(ours, `"version":1`, `"version":2`, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		web.refresh(session.refresh).want(t, 503, "temporarily_unavailable")
		if err := os.WriteFile(record, []byte(ours), 0o600); err != nil {
			t.Fatal(err)
		}
		web.wantGoing(t, session)
	})
}
