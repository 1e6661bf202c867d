package caddygrant

import (
	"context"

	"github.com/caddygrant/caddy-grant/internal/credential"
	"github.com/caddygrant/caddy-grant/internal/throttle"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// passwordGrant is the resource owner password credentials grant (RFC 6749 §4.3).
type passwordGrant struct {
	credentials *credential.Checker
	policy      *token.Policy
	sessions    *serverSessions
}

func newPasswordGrant(parts grantParts) grant {
	return &passwordGrant{credentials: parts.credentials, policy: parts.policy, sessions: parts.sessions}
}

func (*passwordGrant) parameters() []string { return []string{"username", "password"} }

// authorize checks the user's password, then narrows the scopes to the user's.
func (g *passwordGrant) authorize(ctx context.Context, keys *token.KeySet, req *clientRequest) (*token.Authorization, error) {
	origin, err := g.sessions.Origin(ctx) // first: a notice that comes meanwhile ends the session
	if err != nil {
		return nil, errStorage(ctx, err)
	}
	checked, err := g.credentials.CheckUser(ctx, keys.Decoy, req.params.Get("username"), req.params.Get("password"), req.sender(userSource(req)))
	req.user, req.repeated, req.locked = checked.Found, checked.Repeated, checked.Locked
	if err != nil {
		return nil, err
	}
	scopes := req.scopes
	if scopes == nil {
		scopes = g.policy.DefaultScopes(req.client)
	}
	granted, err := req.user.Narrow(scopes)
	if err != nil {
		return nil, err
	}
	return &token.Authorization{Client: req.client, User: req.user, Scopes: granted, Origin: origin}, nil
}

// userSource is the source for which a password attempt is counted. All users of an
// authenticated client may have its address, so that address is not counted: the user's
// address is, if the client gives it, or else the client itself.
func userSource(req *clientRequest) throttle.Source {
	switch {
	case req.endUserIP.IsValid():
		return throttle.Address(req.endUserIP)
	case req.client.Public:
		return addressOf(req.address)
	}
	return throttle.Party(req.client.ID)
}
