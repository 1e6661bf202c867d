package token

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// browserKeys are the keys of a server with this digit repeated as its secret.
func browserKeys(t testing.TB, digit string) *KeySet {
	t.Helper()
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	store := keyring.NewStore(storage, "grant/default")
	if err := storage.Store(t.Context(), store.SecretName(), []byte("caddy-grant secret v1\n"+strings.Repeat(digit, 64)+"\n")); err != nil {
		t.Fatal(err)
	}
	var secret *keyring.Secret
	err := keyring.NewFollower(keyring.FollowerOptions{
		Store: store, Memory: keyring.NewMemory(), Lifetime: func() time.Duration { return time.Hour },
		Use: func(g keyring.Generated) error { secret = g.Secret; return nil },
	}).Read(t.Context())
	if err != nil || secret == nil {
		t.Fatal("no secret", err)
	}
	key, err := keyring.NewHMACKey("HS256", []byte(strings.Repeat(digit, 32)))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.NewRing(TypeJWT, key)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := NewKeySet(ring, secret)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// browserServer is what checks cookies, and whatever a test changes about it.
type browserServer struct {
	*Checker
	keys     *KeySet
	sessions *revocations
	at       time.Time
}

// revocations are those that a node knows, and those that storage has.
type revocations struct {
	known, stored map[session.ID]bool
	failed        error
	asked         atomic.Int32 // storage was
}

func (r *revocations) SessionRevoked(_ context.Context, of session.Claims) (bool, error) {
	return r.known[of.ID], r.failed
}

func (r *revocations) Revoked(_ context.Context, of session.Claims) (bool, error) {
	r.asked.Add(1)
	return r.stored[of.ID] || r.known[of.ID], r.failed
}

func aliceOfBrowser() directory.User {
	return directory.User{Username: "alice", PasswordHash: "$2a$04$u5PzEs8PW01VjYrq6dWKtuaxwfwYpNj2/gSe7y0qkmrlYXB0ySPXy"}
}

func newBrowserServer(t testing.TB) *browserServer {
	t.Helper()
	s := &browserServer{
		keys:     browserKeys(t, "7"),
		sessions: &revocations{known: make(map[session.ID]bool), stored: make(map[session.ID]bool)},
		at:       time.Now().Truncate(time.Second),
	}
	before := clock.Now
	t.Cleanup(func() { clock.Now = before })
	clock.Now = func() time.Time { return s.at }
	s.Checker = &Checker{
		Policy: &Policy{
			Server: "default", Scopes: []string{"read", "write"}, AccessTTL: 15 * time.Minute, Audience: []string{"https://app.example.com"},
			Browser: &BrowserPolicy{
				Client:     &directory.Client{ID: LoginPage, Public: true},
				SessionTTL: 7 * 24 * time.Hour, IdleTTL: 12 * time.Hour, RememberTTL: 30 * 24 * time.Hour,
			},
		},
		Keys:     func(context.Context) *KeySet { return s.keys },
		Sessions: s.sessions,
	}
	s.setUsers(t, aliceOfBrowser())
	s.setClient(t, s.Browser.Client)
	return s
}

func (s *browserServer) setUsers(t testing.TB, users ...directory.User) {
	t.Helper()
	set := directory.NewUserSet(directory.Options{})
	for i := range users {
		if err := set.Add(&users[i], i); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.Users, err = directory.NewUserDirectory([]directory.Users{set}, directory.Settings{}); err != nil {
		t.Fatal(err)
	}
}

// setClient is what a reload does with the page's settings. nil: it has no page.
func (s *browserServer) setClient(t testing.TB, client *directory.Client) {
	t.Helper()
	var err error
	if s.Clients, err = directory.NewClientDirectory(nil, directory.Settings{OwnClient: client}); err != nil {
		t.Fatal(err)
	}
}

// begin logs alice in, and returns her session and her cookie.
func (s *browserServer) begin(t testing.TB, remember bool) (*SessionCookie, string) {
	t.Helper()
	user, err := s.Users.BySubject(t.Context(), "alice")
	if err != nil || user == nil {
		t.Fatal("no alice", err)
	}
	cookie := s.BeginBrowserSession(s.keys, user, session.Origin{}, []string{"read", "write"}, remember, s.at)
	return cookie, s.seal(t, cookie)
}

func (s *browserServer) seal(t testing.TB, cookie *SessionCookie) string {
	t.Helper()
	value, err := s.keys.Seal(cookie, atApp, s.at)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// wantCookie checks a cookie, and wants the reason, or success if that is empty.
func (s *browserServer) wantCookie(t testing.TB, value, reason string) *BrowserSession {
	t.Helper()
	session, err := s.CheckCookie(t.Context(), value, atApp)
	if reason == "" && err != nil || reason != "" && (err == nil || err.Error() != reason) {
		t.Fatalf("the check says %v, want %q", err, reason)
	}
	return session
}

// isUncheckedError tells whether an error is no fault of the cookie.
func isUncheckedError(err error) bool {
	_, unchecked := errors.AsType[UncheckedError](err)
	return unchecked
}

var atApp = CookiePlace{Name: "__Host-grant-default", Host: "app.example.com"}
