package directory

import (
	"iter"
	"slices"

	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// ClientSet is clients under their ids.
type ClientSet struct {
	clients []*Client
	byID    map[string]*Client
	hashes  *password.Mix
	advised HashAdvice
	options SourceOptions
}

func NewClientSet(options SourceOptions) *ClientSet {
	return &ClientSet{
		byID:    make(map[string]*Client),
		hashes:  new(password.Mix),
		advised: make(HashAdvice),
		options: options,
	}
}

// Add checks a client and takes it in; at is where it was found. Its errors never hold the
// secret or its hash.
func (s *ClientSet) Add(c *Client, at int) error {
	if err := c.Validate(s.options); err != nil {
		return err
	}
	if s.byID[c.ID] != nil {
		return userfile.ErrDuplicate
	}
	switch {
	case c.Secret != "":
		c.hash = password.Digest(secretDigestKey, c.Secret)
	case c.SecretHash != "":
		var err error
		if c.hash, err = password.Parse(c.SecretHash, s.options.AllowWeakHashes); err != nil {
			return err
		}
	}
	s.clients = append(s.clients, c)
	s.byID[c.ID] = c
	if !c.Public {
		s.hashes.Add(c.hash.Params())
		s.advised.Add(c.hash.Params(), at)
	}
	return nil
}

func (s *ClientSet) ByID(id string) *Client { return s.byID[id] }

func (s *ClientSet) All() iter.Seq[*Client] { return slices.Values(s.clients) }

func (s *ClientSet) Len() int { return len(s.clients) }

func (s *ClientSet) Hashes() *password.Mix { return s.hashes }

func (s *ClientSet) Advice() HashAdvice { return s.advised }
