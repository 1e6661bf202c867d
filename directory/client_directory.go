package directory

import (
	"context"
	"iter"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// ClientDirectory is all client sources of a server in their order: the first one that
// has an id decides.
type ClientDirectory struct {
	sources []*clientSource
}

// clientSource is a source as the directory has it.
type clientSource struct {
	Clients
	name   string
	memory ClientSnapshot // nil for a source that has to be asked
}

// NewClientDirectory joins sources that are open.
func NewClientDirectory(sources []Clients) *ClientDirectory {
	d := new(ClientDirectory)
	for _, source := range sources {
		memory, _ := source.(ClientSnapshot)
		d.sources = append(d.sources, &clientSource{Clients: source, name: nameOf(source), memory: memory})
	}
	return d
}

// All are the sources in their order.
func (d *ClientDirectory) All() []Clients {
	all := make([]Clients, len(d.sources))
	for i, source := range d.sources {
		all[i] = source.Clients
	}
	return all
}

// AllKnown tells whether Known has all clients that there are.
func (d *ClientDirectory) AllKnown() bool {
	for _, source := range d.sources {
		if source.memory == nil {
			return false
		}
	}
	return true
}

// Known goes through the clients that are in memory, of all sources.
func (d *ClientDirectory) Known() iter.Seq[*Client] {
	return func(yield func(*Client) bool) {
		for _, clients := range d.KnownBySource() {
			for client := range clients {
				if !yield(client) {
					return
				}
			}
		}
	}
}

// KnownBySource goes through the sources that have their clients in memory: their names,
// and their clients.
func (d *ClientDirectory) KnownBySource() iter.Seq2[string, iter.Seq[*Client]] {
	return func(yield func(string, iter.Seq[*Client]) bool) {
		for _, source := range d.sources {
			if source.memory != nil && !yield(source.name, source.memory.Snapshot().Known()) {
				return
			}
		}
	}
}

// ByID returns the client with that id, or nil.
func (d *ClientDirectory) ByID(ctx context.Context, id string) (*Client, error) {
	for _, source := range d.sources {
		if client, err := source.ByID(ctx, id); client != nil || err != nil {
			return client, err
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
		if source.memory == nil {
			return true, true
		}
		set := source.memory.Snapshot()
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

// Hashes says what checking secrets costs, source by source.
func (d *ClientDirectory) Hashes() []*password.Mix {
	var mixes []*password.Mix
	for _, source := range d.sources {
		if source.memory != nil {
			mixes = append(mixes, source.memory.Snapshot().Hashes())
		}
	}
	return mixes
}
