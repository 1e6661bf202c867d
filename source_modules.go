package caddygrant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

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
	var sources []directory.Users
	for _, module := range modules.([]any) {
		source, ok := module.(directory.Users)
		if !ok {
			return nil, fmt.Errorf("module %T in namespace grant.users is not a user source", module)
		}
		if err := s.openSource(module); err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return directory.NewUserDirectory(sources, s.sourceSettings())
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
	var sources []directory.Clients
	for _, module := range modules.([]any) {
		source, ok := module.(directory.Clients)
		if !ok {
			return nil, fmt.Errorf("module %T in namespace grant.clients is not a client source", module)
		}
		if err := s.openSource(module); err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return directory.NewClientDirectory(sources, s.sourceSettings())
}

// openSource gets a source ready, if it wants to know what the server asks of it.
func (s *Server) openSource(module any) error {
	if opener, ok := module.(directory.Opener); ok {
		return opener.Open(s.sourceOptions())
	}
	return nil
}

// sourceOptions is what the server asks of users and clients.
func (s *Server) sourceOptions() directory.Options {
	return directory.Options{AllowWeakHashes: s.AllowWeakHashes, GrantTypes: grantTypeNames()}
}

func (s *Server) sourceSettings() directory.Settings {
	return directory.Settings{Options: s.sourceOptions(), MaxAge: time.Duration(s.SourceMaxAge), Logger: s.logger}
}

// checkDefaultClient finds a default_client that is none now. Files change later, so every
// request asks again.
func (s *Server) checkDefaultClient(ctx context.Context) error {
	if s.DefaultClient == "" {
		return nil
	}
	switch client, err := s.clients.ByID(ctx, s.DefaultClient); {
	case err != nil: // a database that is down now refuses no config
		s.logger.Warn("default_client could not be looked up", zap.String("client_id", s.DefaultClient), zap.Error(err))
	case client == nil:
		return fmt.Errorf("default_client %q: there is no such client: add one, with \"client %s\" and \"public\" in its block, or correct the id", s.DefaultClient, s.DefaultClient)
	case !client.Public:
		return fmt.Errorf("default_client %q: this client has a secret, which requests without a client cannot know: name a public client", s.DefaultClient)
	}
	return nil
}

var errNoUsers = errors.New("no users: add \"users htpasswd <path>\", \"users json <path>\" or \"user <username> <hash>\"")
var errNoClients = errors.New("no clients: add \"client <id>\" with a block that holds \"secret {file./path/to/secret}\", or \"clients htpasswd <path>\" or \"clients json <path>\"; apps ask for tokens in the name of a client")
