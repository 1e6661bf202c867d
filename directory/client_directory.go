package directory

import (
	"context"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// ClientDirectory is all client sources of a server in their order: the first one that
// has an id decides.
type ClientDirectory struct {
	sources []ClientSource
}

// NewClientDirectory joins sources that are open.
func NewClientDirectory(sources []ClientSource) *ClientDirectory {
	return &ClientDirectory{sources: sources}
}

// All are the sources in their order.
func (d *ClientDirectory) All() []ClientSource { return d.sources }

// ByID returns the client with that id, or nil.
func (d *ClientDirectory) ByID(_ context.Context, id string) (*Client, error) {
	for _, source := range d.sources {
		if client := source.ByID(id); client != nil {
			return client, nil
		}
	}
	return nil, nil
}

// AuthMethods are the ways in which the clients that there are can authenticate, by their
// names in RFC 8414 §2: those with a secret, and "none" of public clients.
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

// kinds tells which kinds of clients there are.
func (d *ClientDirectory) kinds() (confidential, public bool) {
	for _, source := range d.sources {
		for client := range source.All() {
			public = public || client.Public
			if public {
				break
			}
		}
		// the hashes are those of the confidential ones
		confidential = confidential || source.Hashes().Len() > 0
	}
	return confidential, public
}

// Hashes says what checking secrets costs, source by source.
func (d *ClientDirectory) Hashes() []*password.Mix {
	mixes := make([]*password.Mix, len(d.sources))
	for i, source := range d.sources {
		mixes[i] = source.Hashes()
	}
	return mixes
}
