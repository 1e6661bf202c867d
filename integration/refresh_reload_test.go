package integration

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Row G18: what was true of sessions before a change of the config, or a restart, is true
// after it. In the process of these tests that is caddy.Load and caddy.Stop.

// sessionsOf is one session in each state that must survive.
type sessionsOf struct {
	untouched tokenPair // a login
	refreshed tokenPair // two generations on
	spent     tokenPair // whose successor is current
	current   tokenPair
	revoked   tokenPair
	reused    tokenPair // ended by a second use
}

func (c oauthClient) sessions(t *testing.T) sessionsOf {
	t.Helper()
	x := sessionsOf{untouched: c.login(t, "alice"), revoked: c.login(t, "alice")}
	x.refreshed = c.refreshed(t, c.refreshed(t, c.login(t, "alice").refresh).refresh)
	x.spent = c.refreshed(t, c.login(t, "alice").refresh)
	x.current = c.refreshed(t, x.spent.refresh)
	first := c.login(t, "alice")
	x.reused = c.refreshed(t, first.refresh)
	c.refresh(first.refresh).want(t, 400, "invalid_grant")
	c.revoke(x.revoked.access).want(t, 200, "")
	return x
}

// wantSurvived holds all of them against what they were.
func (x *sessionsOf) wantSurvived(t *testing.T, c oauthClient) {
	t.Helper()
	x.untouched = c.wantGoing(t, x.untouched)
	x.refreshed = c.wantGoing(t, x.refreshed)
	c.wantOver(t, x.revoked)
	c.wantOver(t, x.reused)
	c.refresh(x.spent.refresh).want(t, 400, "invalid_grant")
	c.wantOver(t, x.current)
}

// settle makes sure that later requests go to the config that runs now: a connection to it
// is open.
func (s *site) settle(t *testing.T) {
	t.Helper()
	s.client.CloseIdleConnections()
	s.relogin("alice", "correct horse").want(t, 200, "")
}

// reloadableSessions is sessionSite as a function of its %SETTINGS%, always with the same
// hashes: credential versions come from them.
func reloadableSessions(t *testing.T) func(settings string) string {
	t.Helper()
	text := cheap(t, sessionSite)
	return func(settings string) string { return strings.Replace(text, "%SETTINGS%", settings, 1) }
}

func TestRefreshSurvivesReloads(t *testing.T) {
	s, config := newSite(t), reloadableSessions(t)
	s.reload("", config(""))
	for name, settings := range map[string]string{
		"to an equal config": "", "with another lifetime": "access_token_ttl 30m", "with another leeway": "leeway 1s",
	} {
		x := s.web().sessions(t)
		s.reload("", config(settings))
		s.settle(t)
		t.Run("G18: a reload "+name+" changes nothing, and a replay across it is detected", func(t *testing.T) {
			x.wantSurvived(t, s.web())
		})
	}
	t.Run("G12, G18: the grace goes on across reloads", func(t *testing.T) {
		s.reload("", config("refresh_grace 1m"))
		s.settle(t)
		first := s.web().login(t, "alice")
		s.web().refreshed(t, first.refresh)
		s.reload("", config("refresh_grace 2m"))
		s.settle(t)
		next := s.web().refreshed(t, first.refresh)
		if got := numericClaim(t, next.refresh, "gen"); got != 1 {
			t.Errorf("the retry gets generation %d", got)
		}
		s.web().wantGoing(t, next)
	})
	t.Run("D6: without the grant nobody refreshes, and with it again the tokens are as good as before", func(t *testing.T) {
		session := s.web().login(t, "alice")
		s.reload("", config("grants password"))
		s.settle(t)
		s.web().refresh(session.refresh).want(t, 400, "unsupported_grant_type")
		if a := s.web().introspect(session.refresh); a.json["active"] != false {
			t.Errorf("K8: introspection says %s", a.body)
		}
		s.reload("", config(""))
		s.settle(t)
		s.web().wantGoing(t, session)
	})
	t.Run("G2: a server of another name has other sessions", func(t *testing.T) {
		session := s.web().login(t, "alice")
		s.reload("", strings.Replace(config("name another"), "bearer_auth /app*", "bearer_auth /app* another", 1))
		s.settle(t)
		s.web().wantOver(t, session)
	})
}

// Elsewhere, the Cleanup of a config that failed took away what the one that ran was using.
// All of it is tried with the storage unplugged as well: what was in memory has to be there.
func TestRefreshSurvivesFailedReloads(t *testing.T) {
	s, config := newSite(t), reloadableSessions(t)
	load := func(sites string) error {
		adapted, err := adapt(s.expand(withoutPKI + sites))
		if err != nil {
			return err
		}
		return caddy.Load(adapted, true)
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
			x := s.web().sessions(t)
			for range 3 {
				wantLoadError(t, load(test.sites), test.text)
			}
			s.settle(t)
			plug := s.unplug()
			wantLoadError(t, load(test.sites), test.text)
			s.settle(t)
			if going, over := s.edge(x.untouched.access), s.edge(x.revoked.access); going != 200 || over != 401 {
				t.Errorf("without storage the edge answers %d to a token and %d to a revoked one", going, over)
			}
			plug()
			x.wantSurvived(t, s.web())
		})
	}
	t.Run("I22: a reload that succeeds without the storage un-revokes nothing", func(t *testing.T) {
		x := s.web().sessions(t)
		plug := s.unplug()
		if err := load(config("access_token_ttl 10m")); err != nil {
			t.Fatal(err)
		}
		s.settle(t)
		if going, over := s.edge(x.untouched.access), s.edge(x.revoked.access); going != 200 || over != 401 {
			t.Errorf("the edge answers %d to a token and %d to a revoked one", going, over)
		}
		s.web().refresh(x.untouched.refresh).want(t, 503, "temporarily_unavailable")
		plug()
		x.wantSurvived(t, s.web())
	})
}

// A process that ends and one that begins share nothing but the storage.
func TestRefreshSurvivesARestart(t *testing.T) {
	s, config := newSite(t), reloadableSessions(t)
	s.reload("", config("access_token_ttl 40m"))
	x := s.web().sessions(t)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	file := s.write("Caddyfile", s.expand(withoutPKI+config("")))
	startProcess(t, s.dir, file, s.address())
	s.settle(t)
	t.Run("G18, I22: state, revocations and replays are known after it", func(t *testing.T) { x.wantSurvived(t, s.web()) })
}

// Reloads cut connections, and no refresh in the middle: clients that try again, as they
// may within the grace, are never logged out.
func TestRefreshUnderReloads(t *testing.T) {
	s, config := newSite(t), reloadableSessions(t)
	site := func(round int) string {
		return config(fmt.Sprintf("refresh_grace 1m\naccess_token_ttl %dm", 1+round%2))
	}
	s.reload("", site(0))
	web := s.web()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var rotations, lost atomic.Int64
	for range 3 {
		token := web.login(t, "alice").refresh
		clients.Go(func() {
			for generation := int64(1); ; generation++ {
				a, err := web.send("", web.refreshForm(token))
				for ; err != nil; a, err = web.send("", web.refreshForm(token)) {
					lost.Add(1)
					select {
					case <-stop:
						return
					default:
						s.client.CloseIdleConnections()
					}
				}
				next, _ := a.json["refresh_token"].(string)
				if a.status != 200 || next == "" {
					t.Errorf("refresh %d gets %d %s", generation, a.status, a.body)
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
		s.reload("", site(round+1))
	}
	close(stop)
	clients.Wait()
	t.Logf("%d rotations, %d connections were lost", rotations.Load(), lost.Load())
}
