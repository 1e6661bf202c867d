package directory

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// fakeClients is a source of clients that has to be asked.
type fakeClients struct {
	name string
	ask  func(context.Context) error
	odd  *Client

	mu      sync.Mutex
	clients []*Client
	asked   int
}

func (f *fakeClients) String() string { return f.name }

func (f *fakeClients) ByID(ctx context.Context, id string) (*Client, error) {
	f.mu.Lock()
	f.asked++
	ask := f.ask
	f.mu.Unlock()
	if ask != nil {
		if err := ask(ctx); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.odd != nil {
		return f.odd, nil
	}
	for _, client := range f.clients {
		if client.ID == id {
			return client.clone(), nil
		}
	}
	return nil, nil
}

func clientDirectory(t *testing.T, sources ...Clients) *ClientDirectory {
	t.Helper()
	d, err := NewClientDirectory(sources, Settings{Options: Options{GrantTypes: []string{"password"}}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAClientIsValidatedBeforeItIsUsed(t *testing.T) {
	for _, test := range []struct {
		name   string
		client Client
		want   string
	}{
		{"no secret", Client{ID: "app"}, "no secret"},
		{"two secrets", Client{ID: "app", Secret: "s3cret", SecretHash: someHash}, "exclude"},
		{"a hash out of bounds", Client{ID: "app", SecretHash: "$2a$31" + someHash[6:]}, "bcrypt"},
		{"a secret that no client can send", Client{ID: "app", Secret: "a\x00b"}, "NUL"},
		{"an id that is not ASCII", Client{ID: "äpp", Public: true}, "ASCII"},
		{"a control character", Client{ID: "a\npp", Public: true}, "control"},
		{"a grant that there is not", Client{ID: "app", Public: true, Grants: []string{"implicit"}}, "implicit"},
		{"a lifetime of a nanosecond", Client{ID: "app", Public: true, AccessTokenTTL: 1}, "access_token_ttl"},
		{"a public client that introspects", Client{ID: "app", Public: true, Introspect: []string{"a"}}, "introspect"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := clientDirectory(t, &fakeClients{name: "clients db", clients: []*Client{&test.client}})
			for how, ask := range map[string]func(context.Context, string) (*Client, error){"now": d.ByID, "recently": d.RecentByID} {
				client, err := ask(t.Context(), test.client.ID)
				if how == "recently" && !possible(test.client.ID) { // such a token is made up
					if client != nil || err != nil {
						t.Errorf("%s: %v, %v", how, client, err)
					}
					continue
				}
				if client != nil || err == nil || !strings.HasPrefix(err.Error(), "clients db: ") || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: %v, %v", how, client, err)
				}
				if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), someHash) {
					t.Errorf("%s: a secret is in %v", how, err)
				}
			}
		})
	}
	d := clientDirectory(t, &fakeClients{name: "clients db", odd: &Client{ID: "app", Secret: "s3cret"}})
	for _, id := range []string{"APP", "app ", ""} {
		if client, err := d.ByID(t.Context(), id); client != nil || err != nil {
			t.Errorf("%q: %v, %v", id, client, err)
		}
	}
	if client, err := d.ByID(t.Context(), "app"); err != nil || !client.CheckHash().Matches("s3cret") {
		t.Errorf("%v, %v", client, err)
	}
}

func TestEveryChangeOfAClientIsAnotherClient(t *testing.T) {
	client := func() *Client { return &Client{ID: "app", Secret: "s3cret"} }
	source := &fakeClients{name: "clients db", clients: []*Client{client()}}
	d := clientDirectory(t, source)
	before, err := d.ByID(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := d.ByID(t.Context(), "app"); again != before {
		t.Error("an equal client has another pointer")
	}
	for name, change := range map[string]func(*Client){
		"secret":            func(c *Client) { c.Secret = "another" },
		"hash":              func(c *Client) { c.Secret, c.SecretHash = "", someHash },
		"public":            func(c *Client) { c.Secret, c.Public = "", true },
		"scopes":            func(c *Client) { c.Scopes = []string{} },
		"default_scopes":    func(c *Client) { c.DefaultScopes = []string{"a"} },
		"grants":            func(c *Client) { c.Grants = []string{} },
		"audience":          func(c *Client) { c.Audience = []string{"a"} },
		"access_token_ttl":  func(c *Client) { c.AccessTokenTTL = caddy.Duration(time.Minute) },
		"refresh_token_ttl": func(c *Client) { c.RefreshTokenTTL = caddy.Duration(time.Minute) },
		"introspect":        func(c *Client) { c.Introspect = []string{"a"} },
		"end_user_ip":       func(c *Client) { c.EndUserIP = "X-IP" },
		"deprecation":       func(c *Client) { c.Deprecation = "2026-01-31" },
		"deprecation_link":  func(c *Client) { c.Deprecation, c.DeprecationLink = "2026-01-31", "https://example.com/" },
		"sunset":            func(c *Client) { c.Sunset = "2027-01-31" },
	} {
		changed := client()
		change(changed)
		source.clients = []*Client{changed}
		after, err := d.ByID(t.Context(), "app")
		if err != nil || after == before || !after.equal(changed) {
			t.Errorf("%s: %+v, %v", name, after, err)
		}
		before = after
	}
}

func TestClientsOfAnEarlierSourceAreServedWhileALaterOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := NewClientSet(Options{})
		if err := set.Add(&Client{ID: "web", Public: true}, 1); err != nil {
			t.Fatal(err)
		}
		later := NewClientSet(Options{})
		if err := later.Add(&Client{ID: "late", Public: true}, 1); err != nil {
			t.Fatal(err)
		}
		source := &fakeClients{name: "clients db", clients: []*Client{{ID: "app", Public: true}}}
		d := clientDirectory(t, set, source, later)
		if client, err := d.RecentByID(t.Context(), "late"); client == nil || err != nil {
			t.Fatal(client, err)
		}
		source.ask = down
		for id, served := range map[string]bool{"web": true, "app": false, "unknown": false, "late": true} {
			// that late is none of the source was said a moment ago
			if client, err := d.ByID(t.Context(), id); served != (client != nil) || served == (err != nil) {
				t.Errorf("%s: %v, %v", id, client, err)
			}
		}
		time.Sleep(DefaultMaxAge)
		if client, err := d.ByID(t.Context(), "late"); client != nil || err == nil {
			t.Errorf("late: %v, %v", client, err)
		}
	})
}

// Without knowing the clients, the metadata names all ways.
func TestMetadataNamesBothWaysWhereClientsAreNotKnown(t *testing.T) {
	d := clientDirectory(t, &fakeClients{name: "clients db"})
	if secret, none := d.AuthMethods(); len(secret) != 2 || len(none) != 1 {
		t.Error(secret, none)
	}
	if !d.IsLive() || d.HashMemory() != largestHash {
		t.Error(d.IsLive(), d.HashMemory())
	}
}

func TestTheLongestLifetimeIsThatOfClientsThatWereSeen(t *testing.T) {
	hour := caddy.Duration(time.Hour)
	d := clientDirectory(t, &fakeClients{name: "clients db", clients: []*Client{{ID: "app", Public: true, AccessTokenTTL: hour}}})
	if longest := d.LongestAccessTokenTTL(); longest != 0 {
		t.Error(longest)
	}
	if _, err := d.ByID(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	if longest := d.LongestAccessTokenTTL(); longest != hour {
		t.Error(longest)
	}
}
