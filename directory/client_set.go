package directory

import (
	"context"
	"iter"
	"slices"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// ClientSet is clients in memory. A source that embeds one has all methods of a source
// but Open, in which it makes the set and adds to it. Once it is looked up in, a set
// must not be added to: a source whose clients change makes a new one, and is a
// [ClientSnapshot].
type ClientSet struct {
	clients []*Client
	byID    map[string]*Client
	anyActs bool // one of them may get tokens for itself
	hashes  *password.Mix
	advised HashAdvice
	options Options
}

// NewClientSet returns an empty set for a server with these options.
func NewClientSet(options Options) *ClientSet {
	return &ClientSet{
		byID:    make(map[string]*Client),
		hashes:  new(password.Mix),
		advised: make(HashAdvice),
		options: options,
	}
}

// Add checks a client and takes it in; at is where it was found, such as a line. Its
// errors never hold the secret or its hash.
func (s *ClientSet) Add(c *Client, at int) error {
	if err := c.Validate(s.options); err != nil {
		return err
	}
	if s.byID[c.ID] != nil {
		return userfile.ErrDuplicate
	}
	if err := c.prepare(s.options); err != nil {
		return err
	}
	s.clients = append(s.clients, c)
	s.anyActs = s.anyActs || c.MayUse(oauth.GrantTypeClientCredentials)
	s.byID[c.ID] = c
	if !c.Public {
		s.hashes.Add(c.hash.Params())
		s.advised.add(c.hash.Params(), at)
	}
	return nil
}

// ByID returns the client with that id, or nil.
func (s *ClientSet) ByID(_ context.Context, id string) (*Client, error) {
	return s.byID[id], nil
}

// Snapshot returns the set itself.
func (s *ClientSet) Snapshot() *ClientSet { return s }

// All goes through all clients in the order in which they were added.
func (s *ClientSet) All(context.Context) iter.Seq2[*Client, error] { return each(s.clients) }

// Known is All for a set whose type is known: it never fails.
func (s *ClientSet) Known() iter.Seq[*Client] { return slices.Values(s.clients) }

// Len returns the number of clients.
func (s *ClientSet) Len() int { return len(s.clients) }

// Hashes counts the confidential clients by what checking their secrets costs.
func (s *ClientSet) Hashes() *password.Mix { return s.hashes }

// Advice is about the hashes that should be replaced.
func (s *ClientSet) Advice() HashAdvice { return s.advised }

// Interface guards
var (
	_ ClientSnapshot = (*ClientSet)(nil)
	_ ClientLister   = (*ClientSet)(nil)
)
