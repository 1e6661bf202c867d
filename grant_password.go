package caddygrant

import (
	"context"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// passwordGrant is the resource owner password credentials grant (RFC 6749 §4.3).
type passwordGrant struct {
	server *Server
}

func (*passwordGrant) parameters() []string { return []string{"username", "password"} }

// authorize checks the user's password, then narrows the scopes to the user's.
func (g *passwordGrant) authorize(ctx context.Context, keys *token.KeySet, req *tokenRequest) (*token.Authorization, error) {
	user, err := g.server.authenticateUser(ctx, keys, req)
	if err != nil {
		return nil, err
	}
	scopes := req.scopes
	if scopes == nil {
		scopes = g.server.policy.DefaultScopes(req.client)
	}
	granted, err := user.Narrow(scopes)
	if err != nil {
		return nil, err
	}
	return &token.Authorization{Client: req.client, User: user, Scopes: granted}, nil
}
