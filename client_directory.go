package caddygrant

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// clientDirectory is all client sources of a server in their order: the first one that
// has an id decides.
type clientDirectory struct {
	sources []ClientSource
}

// loadClients opens the sources of the config in order.
func (s *Server) loadClients(ctx caddy.Context) error {
	if len(s.ClientsRaw) == 0 {
		return errNoClients
	}
	modules, err := ctx.LoadModule(&s.Config, "ClientsRaw")
	if err != nil {
		return fmt.Errorf("loading clients: %w", err)
	}
	for _, module := range modules.([]any) {
		source, ok := module.(ClientSource)
		if !ok {
			return fmt.Errorf("module %T in namespace grant.clients is not a client source", module)
		}
		if err := source.Open(SourceOptions{AllowWeakHashes: s.AllowWeakHashes}); err != nil {
			return err
		}
		s.clients.sources = append(s.clients.sources, source)
	}
	return nil
}

func (d *clientDirectory) byID(id string) *Client {
	for _, source := range d.sources {
		if client := source.ByID(id); client != nil {
			return client
		}
	}
	return nil
}

// checkDefaultClient finds a default_client that is none now. Files change later, so every
// request asks again.
func (s *Server) checkDefaultClient() error {
	if s.DefaultClient == "" {
		return nil
	}
	switch client := s.clients.byID(s.DefaultClient); {
	case client == nil:
		return fmt.Errorf("default_client %q: there is no such client: add one, with \"client %s\" and \"public\" in its block, or correct the id", s.DefaultClient, s.DefaultClient)
	case !client.Public:
		return fmt.Errorf("default_client %q: this client has a secret, which requests without a client cannot know: name a public client", s.DefaultClient)
	}
	return nil
}

// authMethods are the ways in which the clients that there are can authenticate, by their
// names in RFC 8414 §2: those with a secret, and "none" of public clients.
func (d *clientDirectory) authMethods() (secret, none []string) {
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
func (d *clientDirectory) kinds() (confidential, public bool) {
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

// hashes says what checking secrets costs, source by source.
func (d *clientDirectory) hashes() []*password.Mix {
	mixes := make([]*password.Mix, len(d.sources))
	for i, source := range d.sources {
		mixes[i] = source.Hashes()
	}
	return mixes
}

var errNoClients = errors.New("no clients: add \"client <id>\" with a block that holds \"secret {file./path/to/secret}\", or \"clients htpasswd <path>\" or \"clients json <path>\"; apps ask for tokens in the name of a client")
