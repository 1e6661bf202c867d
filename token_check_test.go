package caddygrant

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// The token has been checked before, and what never changes about it is remembered.
func TestATokenThatWasCheckedIsHeldAgainstWhatIsTrueNow(t *testing.T) {
	alice := directory.User{Username: "alice", PasswordHash: speedHash}
	users := func(list ...directory.User) func(*testing.T, *Server, *token.AccessToken) {
		return func(t *testing.T, s *Server, _ *token.AccessToken) { setUsers(t, s, list...) }
	}
	with := func(change func(*directory.User)) directory.User {
		changed := alice
		change(&changed)
		return changed
	}
	for _, test := range []struct {
		name   string
		change func(*testing.T, *Server, *token.AccessToken)
		reason string // empty: the token is still valid
	}{
		{"nothing changes", func(*testing.T, *Server, *token.AccessToken) {}, ""},
		{"the file is read anew, with the same user", users(alice), ""},
		{"the user is gone", users(directory.User{Username: "bob", PasswordHash: speedHash}), "its user is gone"},
		{"the user is disabled", users(with(func(u *directory.User) { u.Disabled = true })), "its user is disabled"},
		{"the user has another password", users(with(func(u *directory.User) { u.PasswordHash = testHash })), "its user has another password now"},
		{"the client is gone", func(_ *testing.T, s *Server, _ *token.AccessToken) {
			s.tokens.Clients, _ = directory.NewClientDirectory(nil, directory.Settings{})
		}, "its client is gone"},
		{"the session is revoked", func(t *testing.T, s *Server, token *token.AccessToken) {
			if err := s.sessions.Store.Revoke(t.Context(), token.Session); err != nil {
				t.Fatal(err)
			}
		}, "its session was revoked"},
		{"it expires", func(t *testing.T, s *Server, token *token.AccessToken) {
			setClock(t, time.Unix(token.Expires, 0).Add(time.Duration(*s.Leeway)))
		}, "expired"},
		{"the clock is set back to before it was issued", func(t *testing.T, s *Server, token *token.AccessToken) {
			setClock(t, time.Unix(token.NotBefore, 0).Add(-time.Duration(*s.Leeway)-time.Second))
		}, "not yet valid"},
		{"its key is retired", func(t *testing.T, s *Server, _ *token.AccessToken) {
			key, err := keyring.GenerateKey("HS256")
			if err != nil {
				t.Fatal(err)
			}
			s.keys.configured = []configuredKey{{algorithm: "HS256", key: key}}
			if err := s.keys.generated.Attempt(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, keyring.ErrUnknownKey.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			site := newSpeedSite(t, "HS256")
			server := site.endpoint.server
			setUsers(t, server, alice)
			raw := site.login(t).AccessToken
			var first *token.AccessToken
			for range 2 {
				token, err := server.tokens.Check(t.Context(), raw)
				if err != nil {
					t.Fatal(err)
				}
				if first != nil && token != first {
					t.Fatal("it was not remembered")
				}
				first = token
			}

			test.change(t, server, first)
			for range 2 { // the first time may change what is remembered
				_, err := server.tokens.Check(t.Context(), raw)
				if got := fmt.Sprint(err); test.reason == "" && err != nil || test.reason != "" && got != test.reason {
					t.Fatalf("%s, want %q", got, test.reason)
				}
			}
		})
	}
}

func TestARenamedUserHasTheNewNameInATokenThatWasChecked(t *testing.T) {
	site := newSpeedSite(t, "HS256")
	server := site.endpoint.server
	setUsers(t, server, directory.User{ID: "1", Username: "alice", PasswordHash: speedHash})
	raw := site.login(t).AccessToken
	for _, name := range []string{"alice", "al", "alice", "ally"} {
		setUsers(t, server, directory.User{ID: "1", Username: name, PasswordHash: speedHash})
		for range 2 {
			token, err := server.tokens.Check(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			if token.Username != name || token.Claim("username") != name {
				t.Fatalf("username %q and %q, want %q", token.Username, token.Claim("username"), name)
			}
		}
	}
}

func TestATokenThatIsRefusedIsNotRemembered(t *testing.T) {
	site := newSpeedSite(t, "HS256")
	server := site.endpoint.server
	raw := site.login(t).AccessToken
	token, err := server.tokens.Open(site.keys(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.sessions.Store.Revoke(t.Context(), token.Session); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{raw, raw + "x", raw[1:], "", strings.Repeat("x", keyring.MaxTokenLength+1)} {
		if _, err := server.tokens.Check(t.Context(), raw); err == nil {
			t.Errorf("%.20s… is good", raw)
		}
	}
	if n, _ := site.keys().Remembered(); n != 0 {
		t.Errorf("%d are remembered", n)
	}
}

// Reading the same keys again is not a reason to check everything again.
func TestCheckedTokensBelongToASetOfKeys(t *testing.T) {
	site := newSpeedSite(t, "HS256")
	before := site.keys()
	if err := site.endpoint.server.keys.generated.Attempt(context.Background()); err != nil {
		t.Fatal(err)
	}
	if site.keys() != before {
		t.Error("the same keys became another set")
	}
}

// Claims of the user's own may be many times as large in memory as they are in the
// token.
func TestCheckedTokensTakeAboutTheMemoryThatIsCounted(t *testing.T) {
	var sites []*speedSite // none is collected while another is measured
	defer func() { runtime.KeepAlive(sites) }()
	for _, test := range []struct{ name, own string }{
		{"no claims of their own", ""},
		{"a list of short strings", "[" + strings.Repeat(`"ab",`, 300) + `"ab"]`},
		{"a list of numbers", "[" + strings.Repeat("12,", 500) + "12]"},
		{"a list of objects", "[" + strings.Repeat(`{"a":1},`, 200) + `{"a":1}]`},
		{"nested lists", strings.Repeat("[", 500) + strings.Repeat("]", 500)},
		{"an object with many members", `{"0":1` + func() (members string) {
			for i := range 150 {
				members += fmt.Sprintf(`,"%d":[]`, i+1)
			}
			return members + "}"
		}()},
		{"one long string", `"` + strings.Repeat("x", 2000) + `"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			alice := directory.User{Username: "alice", PasswordHash: speedHash}
			if test.own != "" {
				alice.Claims = map[string]json.RawMessage{"own": json.RawMessage(test.own)}
			}
			measure := func() (taken, counted float64) {
				site := newSpeedSite(t, "HS256")
				sites = append(sites, site)
				setUsers(t, site.endpoint.server, alice)
				raws := make([]string, 100)
				for i := range raws {
					raws[i] = site.login(t).AccessToken
				}
				before := heap()
				for _, raw := range raws {
					if _, err := site.endpoint.server.tokens.Check(t.Context(), raw); err != nil {
						t.Fatal(err)
					}
				}
				taken = float64(heap()) - float64(before)
				runtime.KeepAlive(raws)
				n, size := site.keys().Remembered()
				if n != len(raws) {
					t.Fatalf("%d tokens are remembered", n)
				}
				return taken, float64(size)
			}
			var taken, counted float64
			for range 5 { // other work in the process allocates and frees memory too
				if taken, counted = measure(); taken <= 1.5*counted && taken >= counted/4 {
					return
				}
			}
			t.Errorf("100 tokens take %.0f bytes each, %.0f are counted", taken/100, counted/100)
		})
	}
}

// heap is what is in use, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // pools release their contents at the second collection
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// setUsers replaces the users of a server.
func setUsers(t *testing.T, s *Server, users ...directory.User) {
	t.Helper()
	d, err := directory.NewUserDirectory([]directory.Users{inlineUsers(t, users...)}, directory.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	s.users = d
	s.connect()
}

func inlineUsers(t *testing.T, list ...directory.User) directory.Users {
	source := &InlineUsers{Users: list}
	if err := source.Open(directory.Options{}); err != nil {
		t.Fatal(err)
	}
	return source
}

func setClock(t *testing.T, at time.Time) {
	before := clock.Now
	t.Cleanup(func() { clock.Now = before })
	clock.Now = func() time.Time { return at }
}
