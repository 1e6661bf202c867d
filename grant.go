package caddygrant

import (
	"context"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// grant is one way to get tokens. The server does what all grants have in common before
// and after it, so that none can forget it: see Server.token.
type grant interface {
	// parameters names the parameters that a request must have besides those of the client.
	parameters() []string

	// authorize finds out who the user is and what of the requested scopes is granted. An
	// *oauthError is an answer to the client, any other error is a fault of the server.
	authorize(ctx context.Context, keys *token.KeySet, req *tokenRequest) (*token.Authorization, error)
}

// grantTypes are all that there are.
var grantTypes = []string{oauth.GrantTypePassword, oauth.GrantTypeRefreshToken}
