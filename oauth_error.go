package caddygrant

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// oauthError is an answer other than success: what the client is told and, apart from
// it, what the log says. Descriptions are constants, so nothing a client sent comes back
// and the characters are those of RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E.
type oauthError struct {
	status      int
	code        string
	description string

	reason       string        // for the log: one of a closed set
	cause        error         // for the log: a fault of the server
	ours         bool          // for the log: not caused by the client
	alarm        bool          // for the log: somebody may have stolen something
	limit        string        // for the log: which limit refused the request
	seldom       bool          // for the log: one of many, of which a line a minute is enough
	scopeAllowed []string      // for the log: what might have been asked for
	remedy       string        // for the log: what the operator can do
	allow        string        // Allow header of a 405
	codings      string        // Accept-Encoding header of a 415
	challenge    bool          // whether to send WWW-Authenticate
	retryAfter   time.Duration // Retry-After header of a 429 or 503
}

// Error describes the refusal without anything that the client sent.
func (e *oauthError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.code, e.reason, e.cause)
	}
	return e.code + ": " + e.reason
}

// orNil is the error, or nil if there is none.
func (e *oauthError) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

// Unwrap gives the server's fault, if it was one.
func (e *oauthError) Unwrap() error { return e.cause }

// Error codes of RFC 6749 §5.2. The last two are of §4.1.2.1, for the statuses that a
// token endpoint needs as well.
const (
	codeInvalidRequest         = "invalid_request"
	codeInvalidClient          = "invalid_client"
	codeInvalidGrant           = "invalid_grant"
	codeInvalidScope           = "invalid_scope"
	codeUnauthorizedClient     = "unauthorized_client"
	codeUnsupportedGrantType   = "unsupported_grant_type"
	codeServerError            = "server_error"
	codeTemporarilyUnavailable = "temporarily_unavailable"
)

func errInvalidRequest(reason, description string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, code: codeInvalidRequest, description: description, reason: reason}
}

func errNotSecure() *oauthError {
	e := errInvalidRequest("not_secure", "this endpoint needs HTTPS")
	e.remedy = "serve the site by HTTPS; behind a proxy that ends TLS, name it in the global option trusted_proxies (with trusted_proxies_strict) and have it send X-Forwarded-Proto; or allow_http, if the network between is safe"
	return e
}

// errMethod tells of credentials in the query too, if they are there.
func errMethod(methods []string, leaked bool) *oauthError {
	e := errInvalidRequest("method", "this endpoint needs the method "+strings.Join(methods, " or "))
	e.status, e.allow = http.StatusMethodNotAllowed, strings.Join(methods, ", ")
	if leaked {
		e.description += ", and " + notInQuery
		e.remedy = changeLeaked
	}
	return e
}

func errCredentialsInQuery() *oauthError {
	e := errInvalidRequest("credentials_in_query", notInQuery)
	e.remedy = changeLeaked
	return e
}

const (
	notInQuery   = "credentials belong in the body, not in the query: logs and browsers keep queries"
	changeLeaked = "change the password, secret or token that was in the URL: logs have it now"
)

// errCrossSite is for what a page of another site sends without asking by CORS: it could
// use up the tries of whoever looks at the page.
func errCrossSite() *oauthError {
	e := errInvalidRequest("cross_site", "a page of another site must send this with CORS")
	e.status = http.StatusForbidden
	e.remedy = "a form, link or no-cors request of another site's page sent it, and nothing was counted; if the page is yours, have its script use fetch() with CORS, and allow its origin"
	return e
}

func errNoEndpoint() *oauthError {
	e := errInvalidRequest("no_such_endpoint", "there is no endpoint at this path")
	e.status = http.StatusNotFound
	return e
}

func errBodyTooLarge() *oauthError {
	e := errInvalidRequest("body_too_large", "the body is larger than 64 KiB")
	e.status = http.StatusRequestEntityTooLarge
	return e
}

// errContentEncoding is for a body in a coding that would have to be undone first.
func errContentEncoding() *oauthError {
	e := errInvalidRequest("content_encoding", "the body must not be compressed or encoded otherwise: send it without Content-Encoding")
	e.status, e.codings = http.StatusUnsupportedMediaType, "identity"
	return e
}

func errTooManyParameters() *oauthError {
	return errInvalidRequest("too_many_parameters", "there are more than 100 parameters")
}

// errTooEarly refuses what comes before the end of the TLS handshake, for it may be sent
// again by an attacker who has recorded it (RFC 8470 §5.2).
func errTooEarly() *oauthError {
	return &oauthError{
		status: http.StatusTooEarly, code: codeTemporarilyUnavailable, reason: "too_early",
		description: "this must not be sent in TLS early data: send it again after the handshake",
	}
}

func errMissingParameter(name string) *oauthError {
	return errInvalidRequest("missing_"+name, "the parameter "+name+" is missing")
}

func errUnsupportedGrantType() *oauthError {
	return &oauthError{
		status: http.StatusBadRequest, code: codeUnsupportedGrantType, reason: "grant_type",
		description: "this server does not offer this grant_type",
	}
}

// errInvalidClient is one answer for every way in which a client fails to authenticate. It
// becomes a challenge where the client waits for one.
func errInvalidClient(reason string) *oauthError {
	return &oauthError{
		status: http.StatusBadRequest, code: codeInvalidClient, reason: reason,
		description: "client authentication failed",
	}
}

// errNoClient says what to send, since there is no client yet of which that tells anything.
func errNoClient() *oauthError {
	e := errInvalidClient("no_client")
	e.description = "no client is named: send its id and secret as client_id and client_secret in the body or in a Basic Authorization header, or the client_id alone if it is a public client"
	return e
}

// challenged is the answer that asks for Basic credentials (RFC 6749 §5.2).
func (e *oauthError) challenged() *oauthError {
	e.status, e.challenge = http.StatusUnauthorized, true
	return e
}

// ofBasic reminds of an encoding that many programs leave out, where it makes a difference.
func (e *oauthError) ofBasic(escaped bool) *oauthError {
	if escaped {
		e.remedy = "the Basic header was read as it is and form-decoded: in the latter + must be sent as %2B, % as %25, in both halves alike"
	}
	return e
}

func errUnauthorizedClient() *oauthError {
	return &oauthError{
		status: http.StatusBadRequest, code: codeUnauthorizedClient, reason: "grant_not_allowed",
		description: "this client may not use this grant_type",
	}
}

func errInvalidScope(reason, description string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, code: codeInvalidScope, reason: reason, description: description}
}

// of says what might have been asked for. What was asked for is not logged: somebody may
// have put a password there.
func (e *oauthError) of(allowed []string) *oauthError {
	e.scopeAllowed = allowed
	if allowed == nil {
		e.scopeAllowed = []string{}
	}
	return e
}

// errInvalidGrant is one answer for unknown users, wrong passwords and disabled users.
func errInvalidGrant(reason string) *oauthError {
	return &oauthError{
		status: http.StatusBadRequest, code: codeInvalidGrant, reason: reason,
		description: "the username or password is wrong",
	}
}

// errInvalidRefreshToken is one answer for every way in which a refresh token is no good.
func errInvalidRefreshToken(reason string) *oauthError {
	e := errInvalidGrant(reason)
	e.description = "the refresh token is not valid, or not any more: log in again"
	return e
}

// errTokenOfAnotherClient refuses to revoke what a client was not given (RFC 7009 §2.1).
func errTokenOfAnotherClient() *oauthError {
	e := errInvalidGrant("token_of_another_client")
	e.description = "the token was not issued to this client"
	return e
}

// errTokenOfAnotherServer refuses what that server can revoke, and this one cannot.
func errTokenOfAnotherServer() *oauthError {
	e := errInvalidGrant("token_of_another_server")
	e.description = "the token was not issued by this server"
	return e
}

func errBusy() *oauthError {
	return &oauthError{
		status: http.StatusServiceUnavailable, code: codeTemporarilyUnavailable, reason: "password_checks_busy",
		description: "too many requests are waiting, try again later", retryAfter: time.Second,
		remedy: "password_checks raises the bounds; a cheaper hash raises the rate",
	}
}

// errThrottled is for too many failures before, of whoever asks: no password was looked at.
func errThrottled(cause *throttle.RefusedError) *oauthError {
	return &oauthError{
		status: http.StatusTooManyRequests, code: codeTemporarilyUnavailable, reason: "throttled", limit: string(cause.Limit),
		description: "too many failed attempts, try again later", retryAfter: cause.RetryAfter,
	}
}

func errTooManyRevocations(cause *throttle.RefusedError) *oauthError {
	return &oauthError{
		status: http.StatusTooManyRequests, code: codeTemporarilyUnavailable, reason: "too_many_revocations", limit: string(cause.Limit),
		description: "too many revocations, try again later", retryAfter: cause.RetryAfter, seldom: true,
	}
}

// errTooManySessions is for the first refresh of a session. The refresh token is not spent.
func errTooManySessions(cause *throttle.RefusedError) *oauthError {
	return &oauthError{
		status: http.StatusTooManyRequests, code: codeTemporarilyUnavailable, reason: "too_many_sessions", limit: string(cause.Limit),
		description: "too many new sessions, try again later", retryAfter: cause.RetryAfter, seldom: true,
		remedy: "a client that logs in for every refresh should keep its session; where many people share one account, give each their own",
	}
}

// errGone is for a client that hung up while it waited: nobody reads the answer.
func errGone() *oauthError {
	e := errBusy()
	e.reason, e.remedy = "client_gone", ""
	return e
}

func errNoKeys() *oauthError {
	return &oauthError{
		status: http.StatusServiceUnavailable, code: codeTemporarilyUnavailable, reason: "no_signing_key",
		description: "the server is not ready, try again later", retryAfter: 5 * time.Second, ours: true,
	}
}

func errStorageUnavailable(cause error) *oauthError {
	return &oauthError{
		status: http.StatusServiceUnavailable, code: codeTemporarilyUnavailable, reason: "storage_unavailable", cause: cause, ours: true,
		remedy:      storageRemedy(cause),
		description: "the server cannot answer now, try again later", retryAfter: 2 * time.Second,
	}
}

func errServer(cause error) *oauthError {
	return &oauthError{
		status: http.StatusInternalServerError, code: codeServerError, reason: "server_error", cause: cause, ours: true,
		description: "the server could not answer the request",
	}
}

// write sends the error as RFC 6749 §5.2 wants it. It is the only place that does.
func (e *oauthError) write(w http.ResponseWriter, realm string) error {
	header := w.Header()
	if e.challenge {
		header.Set("WWW-Authenticate", `Basic realm="`+realm+`", charset="UTF-8"`)
	}
	if e.allow != "" {
		header.Set("Allow", e.allow)
	}
	if e.codings != "" {
		header.Set("Accept-Encoding", e.codings)
	}
	if e.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(e.retryAfter.Seconds())))
	}
	return writeJSON(w, e.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{e.code, e.description})
}
