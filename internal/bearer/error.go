// Package bearer enforces RFC 6750 on a request to a protected resource: it finds the
// token, refuses it with the challenge, and keeps clients from naming a user
// themselves, by identity headers or on an upgraded connection. It knows net/http and
// nothing of servers and settings.
package bearer

import (
	"net/http"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// Error is the refusal of a request to a protected resource (RFC 6750 §3.1).
type Error struct {
	Status int
	Code   string // empty for a request without credentials, which gets no code
	Scope  string // what insufficient_scope asks for
	Claim  string // for the log: the required claim; empty if it is not about one
	Reason string // for the log
	Cause  error  // for the log: why tokens cannot be checked; nil if the reason says all

	Issuer string // for the log: the outside issuer that the credential names; empty otherwise

	Identity Identity // if its credential was verified, so that its claims can be trusted; nil otherwise

	Kind Kind
}

// Kind is what kind of refusal it is, where that makes a difference.
type Kind uint8

const (
	Other       Kind = iota
	Anonymous        // no Bearer credentials, rather than bad ones
	Unchecked        // tokens cannot be checked now
	LacksScope       // of a session that is good
	LacksClaim       // likewise
	NotForHere       // of a session that is good, for another audience
	CrossOrigin      // of a session that is good
)

// Of adds who sent the request.
func (e *Error) Of(id Identity) *Error {
	e.Identity = id
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

// Unavailable is the answer while tokens cannot be checked. cause may be nil.
func Unavailable(reason string, cause error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Reason: reason, Cause: cause, Kind: Unchecked}
}

// InsufficientClaim is for a valid credential whose claim has none of the values that
// are required.
func InsufficientClaim(claim string) *Error {
	return &Error{
		Status: http.StatusForbidden, Code: oauth.CodeInsufficientScope, Reason: "a required claim is missing or has another value",
		Claim: claim,
	}
}

// UsersOnly is for a valid credential of a client where only users may pass.
func UsersOnly() *Error {
	return &Error{
		Status: http.StatusForbidden, Code: oauth.CodeInsufficientScope,
		Reason: "it is a client that acts for itself, and only users may pass here",
	}
}

// SessionLacksScope is InsufficientScope for the session of a browser.
func SessionLacksScope(scopes []string) *Error {
	e := InsufficientScope(scopes)
	e.Kind, e.Reason = LacksScope, "the session lacks a scope"
	return e
}

// SessionLacksClaim is InsufficientClaim for the session of a browser.
func SessionLacksClaim(claim string) *Error {
	e := InsufficientClaim(claim)
	e.Kind = LacksClaim
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
