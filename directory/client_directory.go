package directory

import (
	"context"
	"fmt"
	"iter"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// ClientDirectory is all client sources of a server in their order: the first one that
// has an id decides.
type ClientDirectory struct {
	sources  []*clientSource
	live     bool // a source has to be asked
	settings Settings
}

// NewClientDirectory joins sources that are open.
func NewClientDirectory(sources []Clients, settings Settings) (*ClientDirectory, error) {
	d := &ClientDirectory{settings: settings.withDefaults()}
	for i, source := range sources {
		s := newClientSource(source, i, d.settings)
		d.sources = append(d.sources, s)
		d.live = d.live || s.memory == nil
		if s.memory != nil {
			if _, err := s.snapshot(); err != nil {
				return nil, err
			}
		}
	}
	if err := d.CheckOwn(context.Background()); err != nil {
		return nil, err
	}
	return d, surveyClients(context.Background(), d)
}

// CheckOwn tells whether a source has a client with the id of the server's own. A
// source that cannot tell is passed over: whatever it says later, that client cannot
// authenticate.
func (d *ClientDirectory) CheckOwn(ctx context.Context) error {
	if d.settings.OwnClient == nil {
		return nil
	}
	for _, source := range d.sources {
		if client, err := source.requested(ctx, d.settings.OwnClient.ID); client != nil && err == nil {
			return fmt.Errorf("%s: client %s: this id is that of the server's own login page: give the client another id", source.name, Shown(client.ID))
		}
	}
	return nil
}

// isOwn tells whether an id is that of the server's own client.
func (d *ClientDirectory) isOwn(id string) bool {
	return d.settings.OwnClient != nil && d.settings.OwnClient.ID == id
}

// All are the sources in their order.
func (d *ClientDirectory) All() []Clients {
	all := make([]Clients, len(d.sources))
	for i, source := range d.sources {
		all[i] = source.Clients
	}
	return all
}

// IsLive tells whether a source has to be asked: then a look-up costs something, an
// attempt has to be counted before it, and there may be clients that Known does not
// have.
func (d *ClientDirectory) IsLive() bool { return d.live }

// Known goes through the clients that are in memory: the server's own, and those of all
// sources.
func (d *ClientDirectory) Known() iter.Seq[*Client] {
	return func(yield func(*Client) bool) {
		if own := d.settings.OwnClient; own != nil && !yield(own) {
			return
		}
		for _, clients := range d.KnownBySource() {
			for client := range clients {
				if !yield(client) {
					return
				}
			}
		}
	}
}

// KnownBySource goes through the sources that have their clients in memory: their
// names, and their clients.
func (d *ClientDirectory) KnownBySource() iter.Seq2[string, iter.Seq[*Client]] {
	return func(yield func(string, iter.Seq[*Client]) bool) {
		for _, source := range d.sources {
			if source.memory == nil {
				continue
			}
			if set, _ := source.snapshot(); !yield(source.name, set.Known()) {
				return
			}
		}
	}
}

// ByID returns the client with that id, which may authenticate as it, or nil. It asks
// the sources now, all at the same time. An error says that a source cannot tell.
func (d *ClientDirectory) ByID(ctx context.Context, id string) (*Client, error) {
	if d.isOwn(id) {
		return nil, nil
	}
	if d.live {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // what is still under way is not waited for
		_, client, err := firstOf(ctx, askAll(ctx, d.sources, func(ctx context.Context, s *clientSource) (*Client, error) { return s.requested(ctx, id) }))
		return client, err
	}
	for _, source := range d.sources {
		set, err := source.snapshot()
		if client := set.byID[id]; client != nil || err != nil {
			return client, err
		}
	}
	return nil, nil
}

// OfToken returns the client to whom a token was issued, or nil. It asks the sources
// now. The id is that of a token that was verified.
func (d *ClientDirectory) OfToken(ctx context.Context, id string) (*Client, error) {
	return d.ofToken(ctx, id, asIs)
}

// RecentByID is OfToken by what the sources said at most max_age ago.
func (d *ClientDirectory) RecentByID(ctx context.Context, id string) (*Client, error) {
	return d.ofToken(ctx, id, recently)
}

func (d *ClientDirectory) ofToken(ctx context.Context, id string, how manner) (*Client, error) {
	if d.isOwn(id) {
		return d.settings.OwnClient, nil
	}
	for _, source := range d.sources {
		if client, err := source.ofToken(ctx, id, how); client != nil || err != nil {
			return client, err
		}
	}
	return nil, nil
}

// AnyMayAct tells whether there may be a client that lists the grant client_credentials
// and so acts for itself: one in memory does, or there is a source that has to be asked.
func (d *ClientDirectory) AnyMayAct() bool {
	for _, source := range d.sources {
		if source.memory == nil {
			return true
		}
		if set, _ := source.snapshot(); set.anyActs {
			return true
		}
	}
	return false
}

// LongestAccessTokenTTL is the longest access_token_ttl of a client that is known: of
// all in memory or listed, and of those that were looked up.
func (d *ClientDirectory) LongestAccessTokenTTL() caddy.Duration {
	var longest caddy.Duration
	for client := range d.Known() {
		longest = max(longest, client.AccessTokenTTL)
	}
	for _, source := range d.sources {
		if source.live != nil {
			source.live.mu.Lock()
			longest = max(longest, source.live.longest)
			source.live.mu.Unlock()
		}
	}
	return longest
}

// AuthMethods are the ways in which the clients that there are can authenticate, by
// their names in RFC 8414 §2: those with a secret, and "none" of public clients.
func (d *ClientDirectory) AuthMethods() (secret, none []string) {
	confidential, public := d.kinds()
	if confidential {
		secret = []string{"client_secret_basic", "client_secret_post"}
	}
	if public {
		none = []string{"none"}
	}
	return secret, none
}

// kinds tells which kinds of clients there are, or may be.
func (d *ClientDirectory) kinds() (confidential, public bool) {
	for _, source := range d.sources {
		if source.memory == nil {
			return true, true
		}
		set, _ := source.snapshot()
		for _, client := range set.clients {
			if public = public || client.Public; public {
				break
			}
		}
		// the hashes are those of the confidential ones
		confidential = confidential || set.Hashes().Len() > 0
	}
	return confidential, public
}

// Hashes says what checking secrets costs, source by source, as far as is known.
func (d *ClientDirectory) Hashes() []*password.Mix {
	mixes := make([]*password.Mix, len(d.sources))
	for i, source := range d.sources {
		mixes[i] = source.hashes()
	}
	return mixes
}

// HashMemory is the most memory that one comparison takes, in bytes. Where a source has
// clients that are not known, it is that of the largest hash that is allowed.
func (d *ClientDirectory) HashMemory() uint64 {
	var most uint64
	for _, source := range d.sources {
		if source.memory != nil {
			most = max(most, largestOf(source.hashes()))
		} else {
			most = max(most, source.live.costs.largest())
		}
	}
	return most
}
