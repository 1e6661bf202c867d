package caddygrant

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// tokenSession is the session that tokens belong to.
type tokenSession struct {
	id    session.ID
	ends  time.Time // no token outlives it
	scope string    // of the login: refresh tokens keep it (RFC 6749 §6)

	// refusedScope is what the login asked for and the user may not have.
	refusedScope string

	refreshes bool     // whether it has refresh tokens
	exchange  exchange // of the refresh token with which it goes on; nil where it begins
}

// exchange is a refresh token that is about to be exchanged for the next one.
type exchange interface {
	// consume makes the token worth nothing and returns the generation of the next one.
	consume(context.Context) (generation uint64, err error)
}

// next returns the generation of the refresh token to hand out.
func (s *tokenSession) next(ctx context.Context) (generation uint64, err error) {
	if s.exchange == nil {
		return 0, nil
	}
	return s.exchange.consume(ctx)
}

// newSession begins a session at a login that asked for some scopes and was granted others.
// Nothing is written anywhere. Without refresh tokens it ends with its access token.
func (p *tokenPolicy) newSession(client *directory.Client, asked, granted []string, begins time.Time) *tokenSession {
	if !p.mayRefresh(client) {
		ends := begins.Add(p.accessTokenTTL(client))
		return &tokenSession{id: session.NewID(ends), ends: ends}
	}
	ends := begins.Add(p.sessionTTL)
	return &tokenSession{
		id:           session.NewID(ends),
		ends:         ends,
		scope:        strings.Join(granted, " "),
		refusedScope: refusedScope(asked, granted),
		refreshes:    true,
	}
}

// refusedScope is what was asked for and not granted. So much that it could make a refresh
// token too long is not remembered: it is an error then to ask for it again.
func refusedScope(asked, granted []string) string {
	if len(asked) == len(granted) { // granted is some of what was asked for
		return ""
	}
	var refused []string
	size := 0
	for _, scope := range granted {
		size += len(scope) + 1
	}
	for _, scope := range asked {
		if !slices.Contains(granted, scope) {
			refused = append(refused, scope)
			size += len(scope) + 1
		}
	}
	if size > maxRememberedScope {
		return ""
	}
	return strings.Join(refused, " ")
}

// maxRememberedScope is how many bytes all scopes that a login asked for may have to be
// remembered: half of what a token has room for, in base64.
const maxRememberedScope = keyring.MaxTokenLength * 3 / 8
