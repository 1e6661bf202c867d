package caddygrant

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/caddyrequest"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/listenerguard"
)

// bearerState is what the bearer checks of one request share: a site may have several,
// and one must not undo what another did.
type bearerState struct {
	received      time.Time
	authorization []string // as the client sent it
	removed       bool     // the client's identity headers
	stripped      bool     // the Authorization header
	forwarded     bool     // the Authorization header, by the innermost check that says so
	byKeyHeader   bool     // an API key in a header of its own let the request through
	checks        []credentialCheck
	checked       [1]credentialCheck // room for the checks of most requests
	sessions      *sessionCheck      // a list: most requests have one or none
	made          string             // the Authorization header that the app gets for a session
	user          bearer.Named       // of {http.auth.user.*}; of none if its Identity is nil
}

// Format does not print the token: the state is a variable of the request, which
// {http.vars.*} can print.
func (*bearerState) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "checked") }

// String is what Format prints.
func (*bearerState) String() string { return "checked" }

// verifier checks credentials of one kind: the tokens of a server, those of an outside
// issuer, or API keys. It is a pointer, by which it is recognized.
type verifier interface {
	// verify returns who has the credential. An error is the reason for the log, see
	// [token.Checker.Check]: the identity returned with it is whose it was, if that is
	// certain, and nil otherwise.
	verify(ctx context.Context, shown bearer.Credential) (bearer.Identity, error)
}

// credentialCheck is what a verifier says of a credential of the request. There may be
// more than one: API keys in the headers of two checks.
type credentialCheck struct {
	by  verifier
	raw string
	id  bearer.Identity
	err error
}

// sessionCheck is what a login page says of the request's session cookies.
type sessionCheck struct {
	page *loginPage
	next *sessionCheck
	foundSession
}

// bearerStateOf returns the request's state, making it at the first check.
func bearerStateOf(r *http.Request) *bearerState {
	if state, ok := caddyhttp.GetVar(r.Context(), bearerStateVar).(*bearerState); ok {
		return state
	}
	state := &bearerState{
		received:      clock.Now(),
		authorization: r.Header["Authorization"],
	}
	state.checks = state.checked[:0]
	caddyhttp.SetVar(r.Context(), bearerStateVar, state)
	if !listenerguard.HasSeen(r) { // else they are there
		mapUserPlaceholders(r)
	}
	return state
}

// verified checks a credential of the request once with each verifier.
func (s *bearerState) verified(ctx context.Context, by verifier, shown bearer.Credential) (bearer.Identity, error) {
	for _, check := range s.checks {
		if check.by == by && check.raw == shown.Raw {
			return check.id, check.err
		}
	}
	id, err := by.verify(ctx, shown)
	s.checks = append(s.checks, credentialCheck{by, shown.Raw, id, err})
	return id, err
}

// sessionFor checks the session cookies of a request once for each login page.
func (s *bearerState) sessionFor(r *http.Request, page *loginPage) *foundSession {
	for check := s.sessions; check != nil; check = check.next {
		if check.page == page {
			return &check.foundSession
		}
	}
	check := &sessionCheck{page: page}
	page.cookies.findIn(cookiesOf(r), page.server.tokens, r, &check.foundSession)
	check.next, s.sessions = s.sessions, check
	return &check.foundSession
}

// withhold takes away the token that an outer check gave to the app.
func (s *bearerState) withhold(r *http.Request) {
	if h := r.Header["Authorization"]; s.made != "" && len(h) == 1 && h[0] == s.made {
		r.Header.Del("Authorization")
	}
}

// removeKeys takes away the API keys that the client sent as Bearer credentials, beside a
// session that lets the request through. All else there is the app's own.
func (s *bearerState) removeKeys(r *http.Request) {
	sent := r.Header["Authorization"]
	if !slices.ContainsFunc(sent, hasBearerKey) || !slices.Equal(sent, s.authorization) {
		return
	}
	r.Header["Authorization"] = slices.DeleteFunc(slices.Clone(sent), hasBearerKey)
	if len(r.Header["Authorization"]) == 0 {
		r.Header.Del("Authorization")
	}
}

// hasBearerKey tells whether an Authorization header has an API key, alone or in a list.
func hasBearerKey(value string) bool {
	for credential := range strings.SplitSeq(value, ",") {
		if slices.ContainsFunc(bearer.TokensIn([]string{credential}), apikey.LooksLike) {
			return true
		}
	}
	return false
}

// removeIdentityHeaders removes the identity headers once per request, so that no check
// removes what another check has set.
func (s *bearerState) removeIdentityHeaders(r *http.Request, names map[string]bool) {
	if s.removed {
		return
	}
	s.removed = true
	bearer.RemoveIdentityHeaders(r, names)
}

// setUserPlaceholders makes {http.auth.user.*} describe who sent the request. What
// another handler has set there is removed: it was of another user, or of none.
func (s *bearerState) setUserPlaceholders(r *http.Request, sender bearer.Named) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.DeleteByPrefix(caddyrequest.UserPlaceholders)
	}
	s.user = sender
}

// userPlaceholder is empty where there is no user, or the user has no such claim.
func (s *bearerState) userPlaceholder(name string) any {
	if s == nil || s.user.Identity == nil {
		return ""
	}
	return s.user.Placeholder(name)
}

// mapUserPlaceholders makes {http.auth.user.*} describe the user of a check, or be
// empty: otherwise Caddy would leave the placeholder as it is written, and an app would
// take that for the name of a user. What a handler sets takes precedence. Most requests
// use few of them, so they are made on demand.
func mapUserPlaceholders(r *http.Request) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	repl.Map(func(key string) (any, bool) {
		name, ok := strings.CutPrefix(key, caddyrequest.UserPlaceholders)
		if !ok {
			return nil, false
		}
		state, _ := vars[bearerStateVar].(*bearerState)
		return state.userPlaceholder(name), true
	})
}

const bearerStateVar = "caddy_grant.bearer"
