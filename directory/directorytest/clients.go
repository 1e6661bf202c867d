package directorytest

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
)

// Clients is how the suite makes a source of clients.
type Clients struct {
	// Source returns a source that is ready for look-ups, with exactly these clients.
	// The confidential ones have a SecretHash. What has to be ended is left to
	// t.Cleanup.
	Source func(t *testing.T, clients ...directory.Client) directory.Clients

	// Change replaces the clients of the source that was made last. When it returns,
	// look-ups must know. Nil if the clients of a source never change.
	Change func(t *testing.T, clients ...directory.Client)

	// Break takes away from the source that was made last what it needs, such as its
	// database. Nil if there is nothing.
	Break func(t *testing.T)

	// Plain says that clients of the source have an id and a hash only.
	Plain bool
}

// TestClients tests all that the contract of [directory.Clients] says, and of the
// optional interfaces that the source has.
func TestClients(t *testing.T, s Clients) {
	clients := s.clients()
	t.Run("finds each client", func(t *testing.T) { s.finds(t, clients) })
	t.Run("has no other client", func(t *testing.T) { s.hasNoOther(t, clients) })
	t.Run("changes no client that it has returned", func(t *testing.T) { s.changesNone(t, clients) })
	t.Run("is safe for concurrent use", func(t *testing.T) { s.concurrent(t, clients) })
	t.Run("returns when the context has ended", func(t *testing.T) { s.returns(t, clients) })
	t.Run("is usable for a server", func(t *testing.T) { s.serves(t, clients) })
	t.Run("finds what has changed", func(t *testing.T) { s.follows(t, clients) })
	t.Run("says that it cannot tell", func(t *testing.T) { s.fails(t, clients) })
	t.Run("lists each client once", func(t *testing.T) { s.lists(t, clients) })
}

// clients are those of the suite.
func (s Clients) clients() []directory.Client {
	clients := []directory.Client{
		{ID: "web", SecretHash: Hash},
		{ID: "o'clock", SecretHash: Hash},
	}
	if s.Plain {
		return clients
	}
	return append(clients,
		directory.Client{ID: "https://app.example/", SecretHash: Hash},
		directory.Client{ID: "mobile", Public: true},
		directory.Client{
			ID: "full", SecretHash: Hash, Scopes: []string{"read", "write"}, DefaultScopes: []string{"read"}, Grants: []string{"password"},
			Audience: []string{"https://api.example"}, AccessTokenTTL: caddy.Duration(time.Minute), RefreshTokenTTL: caddy.Duration(time.Hour),
			Introspect: []string{"https://api.example"}, EndUserIP: "X-End-User-IP",
			Deprecation: "2026-01-31", DeprecationLink: "https://app.example/login", Sunset: "2027-01-31T18:00:00Z",
		},
		directory.Client{ID: "empty", SecretHash: Hash, Scopes: []string{}, Grants: []string{}},
	)
}

func (s Clients) finds(t *testing.T, clients []directory.Client) {
	source := s.Source(t, clients...)
	for _, want := range clients {
		same(t, byID(t, source, want.ID), &want)
	}
}

func (s Clients) hasNoOther(t *testing.T, clients []directory.Client) {
	source := s.Source(t, clients...)
	for _, id := range []string{
		"", " ", "nobody", "web ", "web\x00", "\x00", "w\xffeb", "%", "w%", "*", "' OR '1'='1", "'; DROP TABLE clients; --", "$1", strings.Repeat("x", 64<<10),
	} {
		client, err := source.ByID(t.Context(), id)
		if err != nil {
			t.Errorf("%.40q: %v; want no client and no error", id, err)
		}
		if client != nil && client.ID == id {
			t.Errorf("%.40q: there is such a client", id)
		}
	}
}

func (s Clients) changesNone(t *testing.T, clients []directory.Client) {
	source := s.Source(t, clients...)
	first := make(map[string]directory.Client)
	seen := make(map[string]*directory.Client)
	for range 3 {
		for _, client := range clients {
			found := byID(t, source, client.ID)
			if found == nil {
				t.Fatalf("there is no %s", client.ID)
			}
			if seen[client.ID] == nil {
				seen[client.ID], first[client.ID] = found, settingsOf(found)
			}
			if !reflect.DeepEqual(settingsOf(found), first[client.ID]) || !reflect.DeepEqual(settingsOf(seen[client.ID]), first[client.ID]) {
				t.Errorf("%s differs from look-up to look-up, though nothing has changed", client.ID)
			}
		}
	}
}

func (s Clients) concurrent(t *testing.T, clients []directory.Client) {
	source := s.Source(t, clients...)
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for i := range 50 {
				want := clients[(worker+i)%len(clients)]
				client, err := source.ByID(t.Context(), want.ID)
				if err != nil || client == nil || client.ID != want.ID {
					t.Errorf("%s: %v, %v", want.ID, client, err)
					return
				}
				_ = len(client.Scopes) + len(client.Audience)
			}
		})
	}
	group.Wait()
}

func (s Clients) returns(t *testing.T, clients []directory.Client) {
	source := s.Source(t, clients...)
	ended, end := context.WithCancel(t.Context())
	end()
	soon(t, "ByID", func() {
		if client, err := source.ByID(ended, clients[0].ID); client == nil && err == nil {
			t.Error("a look-up that was not made says that there is no such client")
		}
	})
}

// serves looks clients up as a server does, which refuses what is not valid.
func (s Clients) serves(t *testing.T, clients []directory.Client) {
	d, err := directory.NewClientDirectory([]directory.Clients{s.Source(t, clients...)}, directory.Settings{Options: options()})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range clients {
		client, err := d.ByID(t.Context(), want.ID)
		if err != nil || client == nil {
			t.Errorf("%s: %v, %v", want.ID, client, err)
			continue
		}
		if hash := client.CheckHash(); !want.Public && !hash.Matches(Password) {
			t.Errorf("%s: its secret does not match", want.ID)
		}
		if again, err := d.RecentByID(t.Context(), want.ID); again != client || err != nil {
			t.Errorf("%s: another client at a second look-up, %v", want.ID, err)
		}
	}
}

func (s Clients) follows(t *testing.T, clients []directory.Client) {
	source := s.Source(t, clients...)
	if s.Change == nil {
		return
	}
	gone := clients[0].ID
	s.Change(t, append(clients[1:len(clients):len(clients)], directory.Client{ID: "new", SecretHash: Hash})...)
	if client := byID(t, source, gone); client != nil {
		t.Errorf("a client that is gone: %v", client.ID)
	}
	if client := byID(t, source, "new"); client == nil {
		t.Error("a client that is new is not found")
	}
}

func (s Clients) fails(t *testing.T, clients []directory.Client) {
	source := s.Source(t, clients...)
	if s.Break == nil {
		return
	}
	s.Break(t)
	for _, id := range []string{clients[0].ID, "nobody"} {
		client, err := source.ByID(t.Context(), id)
		if client == nil && err == nil {
			t.Errorf("%s: a source that cannot tell says that there is no such client", id)
		}
		if err != nil && strings.Contains(err.Error(), Hash) {
			t.Errorf("%s: a hash is in the error", id)
		}
	}
}

func (s Clients) lists(t *testing.T, clients []directory.Client) {
	source := s.Source(t, clients...)
	if hashed, ok := source.(directory.Hashed); ok {
		for range hashed.DecoyHashes() {
			break // must not go on
		}
		if _, err := directory.NewClientDirectory([]directory.Clients{source}, directory.Settings{Options: options()}); err != nil {
			t.Error(err)
		}
	}
	lister, ok := source.(directory.ClientLister)
	if !ok {
		return
	}
	listed := make(map[string]*directory.Client)
	for client, err := range lister.All(t.Context()) {
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if listed[client.ID] != nil {
			t.Errorf("%s is listed twice", client.ID)
		}
		listed[client.ID] = client
	}
	for _, want := range clients {
		same(t, listed[want.ID], &want)
	}
	if len(listed) != len(clients) {
		t.Errorf("%d clients are listed, there are %d", len(listed), len(clients))
	}
	for range lister.All(t.Context()) {
		break // must not go on
	}
}

// options are those of a server with the grants that clients of the suite have.
func options() directory.Options { return directory.Options{GrantTypes: []string{"password"}} }

func byID(t *testing.T, source directory.Clients, id string) *directory.Client {
	t.Helper()
	client, err := source.ByID(t.Context(), id)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return client
}

func same(t *testing.T, got, want *directory.Client) {
	t.Helper()
	if got == nil {
		t.Errorf("there is no %s", want.ID)
		return
	}
	checked := settingsOf(got)
	if err := checked.Prepare(options()); err != nil {
		t.Errorf("%s is not valid: %v", want.ID, err)
	}
	if !reflect.DeepEqual(settingsOf(got), settingsOf(want)) {
		t.Errorf("got %+v, want %+v", *got, *want)
	}
}

// settingsOf is a client without what Prepare has made of it.
func settingsOf(c *directory.Client) directory.Client {
	return directory.Client{
		ID: c.ID, Secret: c.Secret, SecretHash: c.SecretHash, Public: c.Public, Scopes: c.Scopes, DefaultScopes: c.DefaultScopes,
		Grants: c.Grants, Audience: c.Audience, AccessTokenTTL: c.AccessTokenTTL, RefreshTokenTTL: c.RefreshTokenTTL,
		Introspect: c.Introspect, EndUserIP: c.EndUserIP,
		Deprecation: c.Deprecation, DeprecationLink: c.DeprecationLink, Sunset: c.Sunset,
	}
}
