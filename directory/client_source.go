package directory

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// clientSource is a source of clients as the directory has it: in memory, or one that
// has to be asked.
type clientSource struct {
	Clients
	guard
	memory ClientSnapshot // nil for a source that has to be asked
	bounds bounds
	live   *liveClients // nil for a source in memory
}

// liveClients is what it takes to ask a source, and what is known of its clients.
type liveClients struct {
	byID  *recent[Client]
	costs *costs

	mu      sync.Mutex
	longest caddy.Duration // of access tokens, of those that were seen
}

func newClientSource(source Clients, i int, settings Settings) *clientSource {
	s := &clientSource{Clients: source, guard: guard{nameOf(source), settings.Logger}}
	s.bounds = settings.boundsOf("clients", i, s.name)
	if s.memory, _ = source.(ClientSnapshot); s.memory != nil {
		return s
	}
	d := &door{name: s.name, options: settings.Options}
	live := &liveClients{costs: newCosts()}
	idOf := func(c *Client) string { return c.ID }
	live.byID = newRecent(question[Client]{
		name:   s.name,
		look:   named(s.bounds.on("looks"), source.ByID, idOf),
		found:  newTurns(s.name, named(s.bounds.on("found"), source.ByID, idOf)).ask,
		tokens: named(s.bounds.on("tokens"), source.ByID, idOf),
		admit: func(raw *Client) (*Client, error) {
			client, err := d.client(raw)
			if err == nil {
				live.note(client)
			}
			return client, err
		},
		equal: (*Client).equal, maxAge: settings.MaxAge, logger: settings.Logger,
	})
	s.live = live
	return s
}

// snapshot is the clients of a source in memory. A source that has lost them cannot
// tell.
func (s *clientSource) snapshot() (*ClientSet, error) {
	if set := s.memory.Snapshot(); set != nil {
		return set, nil
	}
	return noClients, fmt.Errorf("%s: %w", s.name, errNoSnapshot)
}

// noClients stands for a snapshot that is not there, where it is only counted.
var noClients = NewClientSet(Options{})

// note takes in what is known of a client.
func (l *liveClients) note(c *Client) {
	if !c.Public {
		l.costs.noteHash(c.ID, c.hash.Params())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest = max(l.longest, c.AccessTokenTTL)
}

// requested returns the client with an id that a request has.
func (s *clientSource) requested(ctx context.Context, id string) (*Client, error) {
	if s.memory != nil {
		set, err := s.snapshot()
		return set.byID[id], err
	}
	return s.live.byID.nowOrNone(ctx, id, false)
}

// ofToken returns the client with the id of a verified token. A source that fails has
// none if it said so a moment ago.
func (s *clientSource) ofToken(ctx context.Context, id string, how manner) (*Client, error) {
	if s.memory != nil {
		set, err := s.snapshot()
		return set.byID[id], err
	}
	return s.live.byID.ofToken(ctx, id, how)
}

// hashes counts the clients by what checking their secrets costs, as far as is known.
func (s *clientSource) hashes() *password.Mix {
	if s.memory != nil {
		set, _ := s.snapshot()
		return set.Hashes()
	}
	return s.live.costs.hashes()
}

var errNoSnapshot = errors.New("it has no snapshot")
