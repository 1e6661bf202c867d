// Package bearer enforces RFC 6750 on a request to a protected resource: it finds the
// token, refuses it with the challenge, and keeps clients from naming a user
// themselves, by identity headers or on an upgraded connection. It knows net/http and
// nothing of servers and settings.
package bearer

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Error is the refusal of a request to a protected resource (RFC 6750 §3.1).
type Error struct {
	Status int
	Code   string // empty for a request without credentials, which gets no code
	Scope  string // what insufficient_scope asks for
	Reason string // for the log
	Cause  error  // for the log: why tokens cannot be checked; nil if the reason says all

	Token *token.AccessToken // if this server issued it, so that its claims can be trusted

	Kind Kind
}

// Kind is what kind of refusal it is, where that makes a difference.
type Kind uint8

const (
	Other       Kind = iota
	Anonymous        // no Bearer credentials, rather than bad ones
	Unchecked        // tokens cannot be checked now
	LacksScope       // of a session that is good
	NotForHere       // of a session that is good, for another audience
	CrossOrigin      // of a session that is good
)

// Of adds whose token it was.
func (e *Error) Of(token *token.AccessToken) *Error {
	e.Token = token
	return e
}

// noCredentials is for a request that does not try to authenticate with a token.
func noCredentials(reason string) *Error {
	return &Error{Status: http.StatusUnauthorized, Reason: reason, Kind: Anonymous}
}

// InvalidRequest is for a request that can be read in more than one way.
func InvalidRequest(reason string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: oauth.CodeInvalidRequest, Reason: reason}
}

// InvalidToken is one answer for every defect, so that it does not reveal how far a
// forged token got.
func InvalidToken(reason string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: oauth.CodeInvalidToken, Reason: reason}
}

// InsufficientScope is for a valid token that lacks one of the scopes.
func InsufficientScope(scopes []string) *Error {
	return &Error{
		Status: http.StatusForbidden, Code: oauth.CodeInsufficientScope, Reason: "the token lacks a scope",
		Scope: strings.Join(scopes, " "),
	}
}

// Admits tells what is wrong with a valid token at a resource that asks for one of
// these audiences, if there are any, and for all of these scopes.
func Admits(checked *token.AccessToken, audience, scopes []string) *Error {
	if len(audience) > 0 && !slices.ContainsFunc(checked.Audience, func(a string) bool { return slices.Contains(audience, a) }) {
		return InvalidToken("aud does not name this resource").Of(checked)
	}
	for _, scope := range scopes {
		if !slices.Contains(checked.Scopes, scope) {
			return InsufficientScope(scopes).Of(checked)
		}
	}
	return nil
}

// Unavailable is the answer while tokens cannot be checked. cause may be nil.
func Unavailable(reason string, cause error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Reason: reason, Cause: cause, Kind: Unchecked}
}

// SessionLacksScope is InsufficientScope for the session of a browser.
func SessionLacksScope(scopes []string) *Error {
	e := InsufficientScope(scopes)
	e.Kind, e.Reason = LacksScope, "the session lacks a scope"
	return e
}

// SessionNotForHere is for the session of a browser that is good for another resource.
// It is not the 401 of a token: logging in again would not help.
func SessionNotForHere() *Error {
	return &Error{Status: http.StatusForbidden, Reason: "the server's audience is not that of this resource", Kind: NotForHere}
}

// CrossSession is for a request that a page of another origin sends with the session of
// its visitor.
func CrossSession() *Error {
	return &Error{Status: http.StatusForbidden, Reason: "a page of another origin sent it", Kind: CrossOrigin}
}

// Error describes the refusal for Caddy's own log, without anything the client sent.
func (e *Error) Error() string { return e.Reason }

// SetHeaders sets the challenge, or when to try again.
func (e *Error) SetHeaders(h http.Header, realm string) {
	switch e.Kind {
	case Unchecked:
		h.Set("Retry-After", "5")
		return
	case NotForHere, CrossOrigin: // no token would help
		return
	}
	challenge := `Bearer realm="` + realm + `"`
	if e.Code != "" {
		challenge += `, error="` + e.Code + `"`
	}
	if e.Scope != "" {
		challenge += `, scope="` + e.Scope + `"`
	}
	h.Set("WWW-Authenticate", challenge)
}

// Interface guard
var _ error = (*Error)(nil)
