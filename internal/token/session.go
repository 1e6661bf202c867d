package token

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/internal/keyring"
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

// NewSession begins the session of an authorization, given the requested scopes.
// Nothing is written anywhere. Without refresh tokens it ends with its access token:
// a client that acts for itself has none (RFC 6749 §4.4.3).
func (p *Policy) NewSession(a *Authorization, asked []string, begins time.Time) *Session {
	if a.User == nil || !p.MayRefresh(a.Client) {
		ends := begins.Add(p.accessTokenTTL(a.Client))
		return &Session{ID: a.Origin.NewID(ends).String(), Version: a.Origin.Version, Ends: ends}
	}
	ends := begins.Add(p.SessionTTL)
	return &Session{
		ID:           a.Origin.NewID(ends).String(),
		Version:      a.Origin.Version,
		Ends:         ends,
		Scope:        strings.Join(a.Scopes, " "),
		RefusedScope: refusedScope(asked, a.Scopes),
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
