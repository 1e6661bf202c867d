package token

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// Session is the session that tokens belong to.
type Session struct {
	ID      string    // as in its tokens (`sid`)
	Version int64     // likewise (`sver`), see [session.Claims]
	Ends    time.Time // no token outlives it
	Scope   string    // of the login: refresh tokens keep it (RFC 6749 §6)

	// RefusedScope is what the login requested and the user may not have.
	RefusedScope string

	Refreshes bool     // whether it has refresh tokens
	Exchange  Exchange // of the refresh token that continues it; nil at a login
}

// Exchange is a refresh token that is about to be exchanged for the next one.
type Exchange interface {
	// Consume makes the token worthless and returns the generation of the next one.
	Consume(context.Context) (generation uint64, err error)
}

// next returns the generation of the refresh token to hand out.
func (s *Session) next(ctx context.Context) (generation uint64, err error) {
	if s.Exchange == nil {
		return 0, nil
	}
	return s.Exchange.Consume(ctx)
}

// NewSession begins a session at a login, given its version and the requested and the
// granted scopes. Nothing is written anywhere. Without refresh tokens it ends with its
// access token.
func (p *Policy) NewSession(client *directory.Client, version int64, asked, granted []string, begins time.Time) *Session {
	if !p.MayRefresh(client) {
		ends := begins.Add(p.accessTokenTTL(client))
		return &Session{ID: session.NewID(ends).String(), Version: version, Ends: ends}
	}
	ends := begins.Add(p.SessionTTL)
	return &Session{
		ID:           session.NewID(ends).String(),
		Version:      version,
		Ends:         ends,
		Scope:        strings.Join(granted, " "),
		RefusedScope: refusedScope(asked, granted),
		Refreshes:    true,
	}
}

// refusedScope is what was requested and not granted. If it could make a refresh token
// too long, it is not remembered: it is then an error to request it again.
func refusedScope(asked, granted []string) string {
	if len(asked) == len(granted) { // granted is part of what was requested
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

// maxRememberedScope is how many bytes all scopes that a login requests may have to be
// remembered: half of what a token has room for, in base64.
const maxRememberedScope = keyring.MaxTokenLength * 3 / 8
