package caddygrant

import (
	"context"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// clientCredentialsGrant is the client credentials grant (RFC 6749 §4.4): a client gets
// a token for itself, and there is no user.
type clientCredentialsGrant struct {
	users    *directory.UserDirectory
	policy   *token.Policy
	sessions *serverSessions
}

func newClientCredentialsGrant(parts grantParts) grant {
	return &clientCredentialsGrant{users: parts.tokens.Users, policy: parts.policy, sessions: parts.sessions}
}

func (*clientCredentialsGrant) parameters() []string { return nil }

// authorize refuses a client that could be taken for a user. The client has
// authenticated and lists the grant; that it is not a public one is checked here, since
// such a client proves nothing but that it knows its own id.
func (g *clientCredentialsGrant) authorize(ctx context.Context, _ *token.KeySet, req *clientRequest) (*token.Authorization, error) {
	if !g.policy.MayAct(req.client) {
		return nil, oauth.UnauthorizedClient()
	}
	origin, err := g.sessions.Origin(ctx) // first: a notice that comes meanwhile ends the session
	if err != nil {
		return nil, errStorage(ctx, err)
	}
	switch named, err := g.users.HasName(ctx, req.client.ID); {
	case err != nil:
		return nil, oauth.SourceUnavailable(err)
	case named:
		return nil, oauth.ClientNamedLikeUser()
	}
	scopes := req.scopes
	if scopes == nil {
		scopes = g.policy.DefaultScopes(req.client)
	}
	return &token.Authorization{Client: req.client, Scopes: scopes, Origin: origin}, nil
}
