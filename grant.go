package caddygrant

import (
	"context"
	"time"

	"github.com/caddygrant/caddy-grant/internal/credential"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// grant is one way to get tokens. The token endpoint does what all grants have in
// common, before and after, so that no grant can forget it: see issueTokens.
type grant interface {
	// parameters names the parameters that a request must have in addition to those of
	// the client.
	parameters() []string

	// authorize finds out who the user is, if there is one, and which of the requested
	// scopes are granted. An *oauth.Error is an answer to the client, any other error is a fault
	// of the server.
	authorize(ctx context.Context, keys *token.KeySet, req *clientRequest) (*token.Authorization, error)
}

// grantParts are the parts of a server that grants need; each takes its own.
type grantParts struct {
	server       string // its name
	policy       *token.Policy
	tokens       *token.Checker
	credentials  *credential.Checker
	sessions     *serverSessions
	refreshGrace time.Duration
}
