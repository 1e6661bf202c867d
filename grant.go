package caddygrant

import (
	"context"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// grant is one way to get tokens. The server does what all grants have in common before
// and after it, so that none can forget it: see Server.token.
type grant interface {
	// parameters names the parameters that a request must have besides those of the client.
	parameters() []string

	// authorize finds out who the user is and what of the requested scopes is granted. An
	// *oauthError is an answer to the client, any other error is a fault of the server.
	authorize(ctx context.Context, keys *keySet, req *tokenRequest) (*authorization, error)
}

// authorization is what a grant found: for whom to mint tokens, and for which scopes.
type authorization struct {
	user    *directory.User
	scopes  []string      // of the access token
	session *tokenSession // that goes on; nil where one begins
}

// grantTypes are all that there are.
var grantTypes = []string{oauth.GrantTypePassword, oauth.GrantTypeRefreshToken}
