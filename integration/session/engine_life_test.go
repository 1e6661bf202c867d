package session

import (
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A client sees no difference between the storage and an engine, but for `sid`.
func TestASessionInAnEngineIsLikeOneInTheStorage(t *testing.T) {
	const inStorage, inMemory = `^\d{8}-[0-9a-f]{40}$`, `^\d{8}-[0-9a-f]{40}-memory-[0-9a-f]{16}$`
	for _, test := range []struct{ name, settings, sid string }{
		{"without a line", "", inStorage},
		{"storage", "sessions storage", inStorage},
		{"an engine", "sessions %ENGINE%", inMemory},
		{"an engine, and also the storage", "sessions %ENGINE% {\nalso storage\n}", inMemory},
		{"the storage, and also an engine", "sessions storage {\nalso %ENGINE%\n}", inStorage},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := onEngine(t, test.settings)
			web := s.Web()
			login := web.Login(t, "alice")
			for _, token := range []string{login.Access, login.Refresh} {
				if sid := harness.TextClaim(t, token, "sid"); !regexp.MustCompile(test.sid).MatchString(sid) {
					t.Errorf("sid %s", sid)
				}
			}
			isActive := func(token string) bool {
				t.Helper()
				a := web.Introspect(token)
				a.Want(t, 200, "")
				return a.JSON["active"] == true
			}
			t.Run("of many states, each survives a reload", func(t *testing.T) {
				x := sessions(web, t)
				s.reload(test.settings)
				x.wantSurvived(t, web)
			})
			t.Run("a chain of refreshes", func(t *testing.T) {
				session := login
				for generation := range int64(5) {
					if got := numericClaim(t, session.Refresh, "gen"); got != generation {
						t.Fatalf("generation %d, want %d", got, generation)
					}
					if !isActive(session.Refresh) || !isActive(session.Access) {
						t.Error("introspection says that a session that goes on is not active")
					}
					session = web.WantGoing(t, session)
				}
			})
			t.Run("a second use ends it", func(t *testing.T) {
				first := web.Login(t, "alice")
				second := web.Refreshed(t, first.Refresh)
				third := web.Refreshed(t, second.Refresh)
				web.Refresh(first.Refresh).Want(t, 400, "invalid_grant")
				if reason := s.Reason(); reason != "refresh_token_reused" {
					t.Errorf("reason %q", reason)
				}
				for _, session := range []harness.TokenPair{third, second, first} {
					web.WantOver(t, session)
					if isActive(session.Refresh) || isActive(session.Access) {
						t.Error("introspection says that a session that is over is active")
					}
				}
			})
			t.Run("each token revokes it", func(t *testing.T) {
				for name, token := range map[string]func(harness.TokenPair) string{
					"access":  func(p harness.TokenPair) string { return p.Access },
					"refresh": func(p harness.TokenPair) string { return p.Refresh },
				} {
					for refreshes := range 2 {
						session := web.Login(t, "alice")
						for range refreshes {
							session = web.Refreshed(t, session.Refresh)
						}
						for range 2 {
							web.Revoke(token(session)).Want(t, 200, "")
						}
						web.WantOver(t, session)
						if isActive(session.Refresh) || isActive(session.Access) {
							t.Errorf("%s token, %d refreshes: introspection says active", name, refreshes)
						}
					}
				}
			})
			t.Run("a client's own token is one", func(t *testing.T) {
				s.reload(test.settings + "\nclient daemon {\nsecret daemon-secret\nscopes read\ngrants client_credentials\n}")
				daemon := s.As("daemon")
				a := s.Post("/token", daemon.Form("grant_type", "client_credentials"))
				a.Want(t, 200, "")
				token := a.Text(t, "access_token")
				if got := s.Edge(token); got != 403 { // a client's, where a user's is wanted
					t.Errorf("the edge answers %d", got)
				}
				if a := daemon.Introspect(token); a.JSON["active"] != true {
					t.Errorf("introspection: %s", a.Body)
				}
				daemon.Revoke(token).Want(t, 200, "")
				if a := daemon.Introspect(token); a.Status != 200 || a.JSON["active"] != false {
					t.Errorf("introspection: %s", a.Body)
				}
				if got := s.Edge(token); got != 401 {
					t.Errorf("after that the edge answers %d", got)
				}
			})
			t.Run("a grace", func(t *testing.T) {
				s.reload(test.settings + "\nrefresh_grace 1m")
				first := web.Login(t, "alice")
				second := web.Refreshed(t, first.Refresh)
				again := web.Refreshed(t, first.Refresh)
				for _, token := range []string{second.Refresh, again.Refresh} {
					if got := numericClaim(t, token, "gen"); got != 1 {
						t.Errorf("generation %d", got)
					}
				}
				third := web.WantGoing(t, again)
				web.Refresh(first.Refresh).Want(t, 400, "invalid_grant") // two behind
				web.WantOver(t, third)
			})
			if strings.HasPrefix(test.settings, "sessions %ENGINE%") {
				if records, entries := s.memory.Kept("default"); records == 0 || entries == 0 {
					t.Errorf("the engine has %d records and %d entries of the feed", records, entries)
				}
				if found := s.stored(); len(found) > 0 {
					t.Errorf("the storage has %q", found)
				}
			}
		})
	}
}

// Servers that share an engine share nothing in it.
func TestServersOnOneEngineDoNotSeeEachOther(t *testing.T) {
	s := newEngineSite(t)
	other := strings.NewReplacer(
		"token_endpoint {", "token_endpoint /other {\nname other", "bearer_auth /app*", "bearer_auth /app* other",
		"https://api.example.com", "https://other.example.com",
	).Replace(s.config("sessions %ENGINE%"))
	_, other, _ = strings.Cut(other, "{\n")
	other, _, _ = strings.Cut(other, "respond /app")
	other = strings.ReplaceAll(other, "/app*", "/elsewhere*")
	sites := strings.Replace(s.config("sessions %ENGINE%"), "log\n", other, 1)
	s.Reload("", sites)
	s.settle()
	one, two := s.Web(), s.Web().At("/other")
	session, others := one.Refreshed(t, one.Login(t, "alice").Refresh), two.Refreshed(t, two.Login(t, "alice").Refresh)
	if inEngine(t, session.Access).Epoch == inEngine(t, others.Access).Epoch {
		t.Error("they have the same epoch")
	}
	two.Refresh(session.Refresh).Want(t, 400, "invalid_grant")
	one.Revoke(others.Access)
	one.Revoke(others.Refresh)
	others = two.Refreshed(t, others.Refresh)
	session = one.WantGoing(t, session)
	two.Revoke(others.Refresh).Want(t, 200, "")
	two.Refresh(others.Refresh).Want(t, 400, "invalid_grant")
	session = one.WantGoing(t, session)
	one.Revoke(session.Refresh).Want(t, 200, "")
	one.WantOver(t, session)
}
