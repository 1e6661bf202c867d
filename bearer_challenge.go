package caddygrant

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/http/httpguts"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// bearerError is the refusal of a request to a protected resource (RFC 6750 §3.1).
type bearerError struct {
	status int
	code   string // empty for a request without credentials, which gets no code
	scope  string // what insufficient_scope asks for
	reason string // for the log

	token *token.AccessToken // if this server issued it, so that its claims can be believed

	anonymous bool // no Bearer credentials, rather than bad ones
}

// of says whose token it was.
func (e *bearerError) of(token *token.AccessToken) *bearerError {
	e.token = token
	return e
}

func errNoCredentials(reason string) *bearerError {
	return &bearerError{status: http.StatusUnauthorized, reason: reason, anonymous: true}
}

func errBearerRequest(reason string) *bearerError {
	return &bearerError{status: http.StatusBadRequest, code: oauth.CodeInvalidRequest, reason: reason}
}

// errInvalidToken is one answer for every defect, so that it does not tell how far a
// forged token came.
func errInvalidToken(reason string) *bearerError {
	return &bearerError{status: http.StatusUnauthorized, code: oauth.CodeInvalidToken, reason: reason}
}

func errInsufficientScope(scopes []string) *bearerError {
	return &bearerError{
		status: http.StatusForbidden, code: oauth.CodeInsufficientScope, reason: "the token lacks a scope",
		scope: strings.Join(scopes, " "),
	}
}

func errBearerUnavailable(reason string) *bearerError {
	return &bearerError{status: http.StatusServiceUnavailable, reason: reason}
}

// Error describes the refusal for Caddy's own log, without anything the client sent.
func (e *bearerError) Error() string { return e.reason }

// send sets the challenge and leaves the answer to Caddy, so that handle_errors can style it.
func (e *bearerError) send(w http.ResponseWriter, realm string) error {
	if e.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
		return caddyhttp.Error(e.status, e)
	}
	challenge := `Bearer realm="` + realm + `"`
	if e.code != "" {
		challenge += `, error="` + e.code + `"`
	}
	if e.scope != "" {
		challenge += `, scope="` + e.scope + `"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	return caddyhttp.Error(e.status, e)
}

// bearerToken finds the one token of a request. It is taken from the Authorization header
// only: a query stays in logs, histories and Referer headers (RFC 6750 §5.3).
func bearerToken(r *http.Request, authorization []string) (string, *bearerError) {
	if wire.QueryHas(r.URL.RawQuery, "access_token") {
		return "", errBearerRequest("the query has an access_token")
	}
	switch len(authorization) {
	case 0:
		return "", errNoCredentials("no Authorization header")
	case 1:
	default:
		return "", errBearerRequest("more than one Authorization header")
	}
	// HTTP/2 keeps the space around a value that HTTP/1 drops: the app would see another
	// scheme than is judged here
	scheme, token := strings.Trim(authorization[0], " \t"), ""
	if end := strings.IndexAny(scheme, " \t,"); end >= 0 {
		scheme, token = scheme[:end], scheme[end:]
	}
	switch {
	case scheme == "" && token == "":
		return "", errNoCredentials("the Authorization header is empty")
	case !httpguts.ValidHeaderFieldName(scheme) || strings.Contains(token, ",") && bearerInList.MatchString(token):
		return "", errBearerRequest("the Authorization header is malformed")
	case !strings.EqualFold(scheme, "Bearer"):
		return "", errNoCredentials("the Authorization header is not of the scheme Bearer")
	}
	token = strings.Trim(token, " ")
	// one after the other, which for a token is twenty times as quick as all at once
	if token == "" || strings.Contains(token, " ") || strings.Contains(token, "\t") || strings.Contains(token, ",") {
		return "", errBearerRequest("the Authorization header is malformed")
	}
	return token, nil
}

// bearerInList finds Bearer credentials behind others, which some apps would take.
var bearerInList = regexp.MustCompile(`(?i),[ \t]*bearer([ \t]|$)`)

// Interface guard
var _ error = (*bearerError)(nil)
