package caddygrant

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
)

// loadUsers opens the sources of the config in order.
func (s *Server) loadUsers(ctx caddy.Context) (*directory.UserDirectory, error) {
	if len(s.UsersRaw) == 0 {
		return nil, errNoUsers
	}
	modules, err := ctx.LoadModule(&s.Config, "UsersRaw")
	if err != nil {
		return nil, fmt.Errorf("loading users: %w", err)
	}
	var sources []directory.UserSource
	for _, module := range modules.([]any) {
		source, ok := module.(directory.UserSource)
		if !ok {
			return nil, fmt.Errorf("module %T in namespace grant.users is not a user source", module)
		}
		if err := source.Open(directory.SourceOptions{AllowWeakHashes: s.AllowWeakHashes, GrantTypes: grantTypeNames()}); err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return directory.NewUserDirectory(sources)
}

// loadClients opens the sources of the config in order.
func (s *Server) loadClients(ctx caddy.Context) (*directory.ClientDirectory, error) {
	if len(s.ClientsRaw) == 0 {
		return nil, errNoClients
	}
	modules, err := ctx.LoadModule(&s.Config, "ClientsRaw")
	if err != nil {
		return nil, fmt.Errorf("loading clients: %w", err)
	}
	var sources []directory.ClientSource
	for _, module := range modules.([]any) {
		source, ok := module.(directory.ClientSource)
		if !ok {
			return nil, fmt.Errorf("module %T in namespace grant.clients is not a client source", module)
		}
		if err := source.Open(directory.SourceOptions{AllowWeakHashes: s.AllowWeakHashes, GrantTypes: grantTypeNames()}); err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return directory.NewClientDirectory(sources), nil
}

// checkDefaultClient finds a default_client that is none now. Files change later, so every
// request asks again.
func (s *Server) checkDefaultClient(ctx context.Context) error {
	if s.DefaultClient == "" {
		return nil
	}
	switch client, err := s.clients.ByID(ctx, s.DefaultClient); {
	case err != nil:
		return err
	case client == nil:
		return fmt.Errorf("default_client %q: there is no such client: add one, with \"client %s\" and \"public\" in its block, or correct the id", s.DefaultClient, s.DefaultClient)
	case !client.Public:
		return fmt.Errorf("default_client %q: this client has a secret, which requests without a client cannot know: name a public client", s.DefaultClient)
	}
	return nil
}

var errNoUsers = errors.New("no users: add \"users htpasswd <path>\", \"users json <path>\" or \"user <username> <hash>\"")
var errNoClients = errors.New("no clients: add \"client <id>\" with a block that holds \"secret {file./path/to/secret}\", or \"clients htpasswd <path>\" or \"clients json <path>\"; apps ask for tokens in the name of a client")
