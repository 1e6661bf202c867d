package caddygrant

import (
	"context"
)

// passwordGrant is the resource owner password credentials grant (RFC 6749 §4.3).
type passwordGrant struct {
	server *Server
}

func (*passwordGrant) parameters() []string { return []string{"username", "password"} }

// authorize checks the user's password, then narrows the scopes to the user's.
func (g *passwordGrant) authorize(ctx context.Context, keys *keySet, req *tokenRequest) (*authorization, error) {
	user, err := g.server.authenticateUser(ctx, keys, req)
	if err != nil {
		return nil, err
	}
	scopes := req.scopes
	if scopes == nil {
		scopes = g.server.defaultScopes(req.client)
	}
	granted, err := user.Narrow(scopes)
	if err != nil {
		return nil, err
	}
	return &authorization{user: user, scopes: granted}, nil
}
