package caddygrant

import (
	"context"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// Server is one authorization server: what all endpoints of its name share.
type Server struct {
	Config
	fingerprint string // of the Config as it was given
	definedAt   string // where the config has its first endpoint
	app         *App

	logger   *zap.Logger
	users    *directory.UserDirectory
	clients  *directory.ClientDirectory
	grants   map[string]grant // that the server offers
	verifier *pooledVerifier
	throttle *serverThrottle
	keys     *serverKeys
	sessions *serverSessions

	hashKinds hashKinds
}

// provision resolves placeholders, loads the sources and reads the keys that exist. It
// leaves no trace, since `caddy validate` comes this far.
func (s *Server) provision(ctx caddy.Context) error {
	s.logger = ctx.Logger().With(zap.String("server", s.Name))
	if !validName.MatchString(s.Name) {
		return fmt.Errorf("name %q: it must be 1 to 32 of the characters a-z, 0-9, _ and -", s.Name)
	}
	if err := s.resolve(caddy.NewReplacer()); err != nil {
		return err
	}
	given := s.Config // before defaults take the place of what it leaves out
	if err := s.validateTokens(); err != nil {
		return err
	}
	var err error
	if s.users, err = s.loadUsers(ctx); err != nil {
		return err
	}
	if s.clients, err = s.loadClients(ctx); err != nil {
		return err
	}
	if err := s.checkDefaultClient(ctx); err != nil {
		return err
	}

	all := map[string]grant{
		oauth.GrantTypePassword:     &passwordGrant{server: s},
		oauth.GrantTypeRefreshToken: &refreshGrant{server: s},
	}
	s.grants = make(map[string]grant, len(s.Grants))
	for _, grantType := range s.Grants {
		s.grants[grantType] = all[grantType]
	}
	s.warnOfGrants()
	s.warnOfConfig(given)
	s.watchHashKinds()

	if s.throttle, err = newServerThrottle(s.Name, s.Throttle); err != nil {
		return err
	}
	if s.keys, err = newServerKeys(ctx, s); err != nil {
		return err
	}
	s.warnOfSecrets()
	if s.sessions, err = newServerSessions(ctx, s); err != nil {
		return err
	}
	s.keys.read(ctx)
	s.sessions.readRevocations(ctx)
	return nil
}

// start generates what is missing of the keys, in the background and for as long as the
// config lives if the storage does not answer, and keeps up with the sessions there. Only
// where tokens are checked is there a need to know what other nodes revoke.
func (s *Server) start(ctx context.Context, checked bool) {
	s.sessions.memory.Serve(s.sessions.Store)
	go s.keys.follow(ctx)
	go s.sessions.sweep(ctx)
	if checked {
		s.sessions.followed = true
		followView(s.Name, s.sessions.memory.ViewReadAt())
		go s.sessions.followRevocations(ctx)
	}
}

// release gives back what this server took of the process's state.
func (s *Server) release() {
	s.unwatchHashKinds()
	if s.keys != nil {
		s.keys.release()
	}
	if s.sessions != nil {
		s.sessions.release()
	}
	if s.throttle != nil {
		s.throttle.release()
	}
}

// token is the way of every token request, whatever its grant: who is the client, may it
// use this grant, are the grant's parameters there, which scopes does it ask for; then
// the grant says who the user is, and the tokens are issued. The order is that of
// RFC 6749's security considerations: no password is looked at before the client is
// authenticated, and no answer about a scope says anything about a password.
func (s *Server) token(ctx context.Context, req *tokenRequest) (*tokenResponse, error) {
	if req.grantType() == "" {
		return nil, oauth.MissingParameter("grant_type")
	}
	grant, ok := s.grants[req.grantType()]
	if !ok {
		return nil, oauth.UnsupportedGrantType()
	}
	keys, err := s.authenticate(ctx, req)
	if err != nil {
		return nil, err
	}
	if !req.client.MayUse(req.grantType()) {
		return nil, oauth.UnauthorizedClient()
	}
	for _, name := range grant.parameters() {
		if req.params.Get(name) == "" {
			return nil, oauth.MissingParameter(name)
		}
	}
	if err := s.checkScope(req); err != nil {
		return nil, err
	}
	authorization, err := grant.authorize(ctx, keys, req)
	if err != nil {
		return nil, err
	}
	return s.issue(ctx, keys, req, authorization)
}

// authenticate is how every request of a client begins, at whatever endpoint.
func (s *Server) authenticate(ctx context.Context, req *tokenRequest) (*keySet, error) {
	keys := s.keys.current(ctx)
	if keys == nil {
		return nil, oauth.NoKeys()
	}
	return keys, s.authenticateClient(ctx, keys, req)
}

// longestTokenLife is how long after a key last signed its tokens may still be good.
func (s *Server) longestTokenLife() time.Duration {
	return time.Duration(max(s.AccessTokenTTL, s.clients.LongestAccessTokenTTL()) + *s.Leeway)
}
