package session

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Row G18: what was true of sessions before a change of the config, or a restart, is
// true after it. In the process of these tests that is caddy.Load and caddy.Stop.

// sessionsOf is one session in each state that must survive.
type sessionsOf struct {
	untouched harness.TokenPair // a login
	refreshed harness.TokenPair // two generations on
	spent     harness.TokenPair // whose successor is current
	current   harness.TokenPair
	revoked   harness.TokenPair
	reused    harness.TokenPair // ended by a second use
}

func sessions(c harness.OAuthClient, t *testing.T) sessionsOf {
	t.Helper()
	x := sessionsOf{untouched: c.Login(t, "alice"), revoked: c.Login(t, "alice")}
	x.refreshed = c.Refreshed(t, c.Refreshed(t, c.Login(t, "alice").Refresh).Refresh)
	x.spent = c.Refreshed(t, c.Login(t, "alice").Refresh)
	x.current = c.Refreshed(t, x.spent.Refresh)
	first := c.Login(t, "alice")
	x.reused = c.Refreshed(t, first.Refresh)
	c.Refresh(first.Refresh).Want(t, 400, "invalid_grant")
	c.Revoke(x.revoked.Access).Want(t, 200, "")
	return x
}

// wantSurvived holds all of them against what they were.
func (x *sessionsOf) wantSurvived(t *testing.T, c harness.OAuthClient) {
	t.Helper()
	x.untouched = c.WantGoing(t, x.untouched)
	x.refreshed = c.WantGoing(t, x.refreshed)
	c.WantOver(t, x.revoked)
	c.WantOver(t, x.reused)
	c.Refresh(x.spent.Refresh).Want(t, 400, "invalid_grant")
	c.WantOver(t, x.current)
}

// settle makes sure that later requests go to the config that runs now: a connection to
// it is open.
func settle(s *harness.Site, t *testing.T) {
	t.Helper()
	s.Client.CloseIdleConnections()
	s.Relogin("alice", "correct horse").Want(t, 200, "")
}

// reloadableSessions is SessionSite as a function of its %SETTINGS%, always with the
// same hashes: credential versions come from them.
func reloadableSessions(t *testing.T) func(settings string) string {
	t.Helper()
	text := harness.WithCheapHashes(t, harness.SessionSite)
	return func(settings string) string { return strings.Replace(text, "%SETTINGS%", settings, 1) }
}

func TestRefreshSurvivesReloads(t *testing.T) {
	s, config := harness.NewSite(t), reloadableSessions(t)
	s.Reload("", config(""))
	for name, settings := range map[string]string{
		"to an equal config": "", "with another lifetime": "access_token_ttl 30m", "with another leeway": "leeway 1s",
	} {
		x := sessions(s.Web(), t)
		s.Reload("", config(settings))
		settle(s, t)
		t.Run("G18: a reload "+name+" changes nothing, and a replay across it is detected", func(t *testing.T) {
			x.wantSurvived(t, s.Web())
		})
	}
	t.Run("G12, G18: the grace goes on across reloads", func(t *testing.T) {
		s.Reload("", config("refresh_grace 1m"))
		settle(s, t)
		first := s.Web().Login(t, "alice")
		s.Web().Refreshed(t, first.Refresh)
		s.Reload("", config("refresh_grace 2m"))
		settle(s, t)
		next := s.Web().Refreshed(t, first.Refresh)
		if got := numericClaim(t, next.Refresh, "gen"); got != 1 {
			t.Errorf("the retry gets generation %d", got)
		}
		s.Web().WantGoing(t, next)
	})
	t.Run("D6: without the grant no client refreshes, and with it again the tokens are as good as before", func(t *testing.T) {
		session := s.Web().Login(t, "alice")
		s.Reload("", config("grants password"))
		settle(s, t)
		s.Web().Refresh(session.Refresh).Want(t, 400, "unsupported_grant_type")
		if a := s.Web().Introspect(session.Refresh); a.JSON["active"] != false {
			t.Errorf("K8: introspection says %s", a.Body)
		}
		s.Reload("", config(""))
		settle(s, t)
		s.Web().WantGoing(t, session)
	})
	t.Run("G2: a server of another name has other sessions", func(t *testing.T) {
		session := s.Web().Login(t, "alice")
		s.Reload("", strings.Replace(config("name another"), "bearer_auth /app*", "bearer_auth /app* another", 1))
		settle(s, t)
		s.Web().WantOver(t, session)
	})
}

// Elsewhere, the Cleanup of a config that failed took away what the one that ran was
// using. All of it is tried with the storage unplugged as well: what was in memory has
// to be there.
func TestRefreshSurvivesFailedReloads(t *testing.T) {
	s, config := harness.NewSite(t), reloadableSessions(t)
	load := func(sites string) error {
		adapted, err := harness.Adapt(s.Expand(harness.WithoutPKI + sites))
		if err != nil {
			return err
		}
		return s.Load(adapted)
	}
	if err := load(config("")); err != nil {
		t.Fatal(err)
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, test := range []struct{ name, sites, text string }{
		{"a key that is missing", config("signing_key RS256 file %DIR%/missing"), "missing"},
		{"a port that is taken, which shows when all is provisioned", config("") + "http://" + busy.Addr().String() + " {\nrespond x\n}\n", "address already in use"},
		{"another module that fails", config("access_token_ttl 5m") + "http://localhost:%PORT% {\nbasic_auth {\nbob not-a-hash\n}\n}\n", "http_basic"},
		{"an edge of a server that is not there", config("") + "http://localhost:%PORT% {\nbearer_auth nobody\n}\n", "nobody"},
	} {
		t.Run("G18: after "+test.name+", three times, everything is as it was", func(t *testing.T) {
			x := sessions(s.Web(), t)
			for range 3 {
				harness.WantLoadError(t, load(test.sites), test.text)
			}
			settle(s, t)
			plug := unplug(s)
			harness.WantLoadError(t, load(test.sites), test.text)
			settle(s, t)
			if going, over := s.Edge(x.untouched.Access), s.Edge(x.revoked.Access); going != 200 || over != 401 {
				t.Errorf("without storage the edge answers %d to a token and %d to a revoked one", going, over)
			}
			plug()
			x.wantSurvived(t, s.Web())
		})
	}
	t.Run("I22: a reload that succeeds without the storage un-revokes nothing", func(t *testing.T) {
		x := sessions(s.Web(), t)
		plug := unplug(s)
		if err := load(config("access_token_ttl 10m")); err != nil {
			t.Fatal(err)
		}
		settle(s, t)
		if going, over := s.Edge(x.untouched.Access), s.Edge(x.revoked.Access); going != 200 || over != 401 {
			t.Errorf("the edge answers %d to a token and %d to a revoked one", going, over)
		}
		s.Web().Refresh(x.untouched.Refresh).Want(t, 503, "temporarily_unavailable")
		plug()
		x.wantSurvived(t, s.Web())
	})
}

// A process that ends and one that begins share nothing but the storage.
func TestRefreshSurvivesARestart(t *testing.T) {
	s, config := harness.NewSite(t), reloadableSessions(t)
	s.Reload("", config("access_token_ttl 40m"))
	x := sessions(s.Web(), t)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	file := s.Write("Caddyfile", s.Expand(harness.WithoutPKI+config("")))
	harness.StartProcess(t, s.Dir, file)
	settle(s, t)
	t.Run("G18, I22: state, revocations and replays are known after it", func(t *testing.T) { x.wantSurvived(t, s.Web()) })
}

// Reloads cut connections, and no refresh in the middle: clients that try again, as
// they may within the grace, are never logged out.
func TestRefreshUnderReloads(t *testing.T) {
	s, config := harness.NewSite(t), reloadableSessions(t)
	site := func(round int) string {
		return config(fmt.Sprintf("refresh_grace 1m\naccess_token_ttl %dm", 1+round%2))
	}
	s.Reload("", site(0))
	web := s.Web()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var rotations, lost atomic.Int64
	for range 3 {
		token := web.Login(t, "alice").Refresh
		clients.Go(func() {
			for generation := int64(1); ; generation++ {
				a, err := web.Send("", web.RefreshForm(token))
				for ; err != nil; a, err = web.Send("", web.RefreshForm(token)) {
					lost.Add(1)
					select {
					case <-stop:
						return
					default:
						s.Client.CloseIdleConnections()
					}
				}
				next, _ := a.JSON["refresh_token"].(string)
				if a.Status != 200 || next == "" {
					t.Errorf("refresh %d gets %d %s", generation, a.Status, a.Body)
					return
				}
				token = next
				rotations.Add(1)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for round := range 10 {
		for before := rotations.Load(); rotations.Load() < before+10 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		s.Reload("", site(round+1))
	}
	close(stop)
	clients.Wait()
	t.Logf("%d rotations, %d connections were lost", rotations.Load(), lost.Load())
}
