// Package oauth has the vocabulary of OAuth 2.0 (RFC 6749, RFC 6750): the errors and
// what the log says about them, the names of grant types and endpoints, the syntax of
// scopes, and the range of lifetimes. It knows nothing of HTTP writers, users or
// configuration.
package oauth

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is an answer other than success: what the client is told and, separately, what
// the log says. Descriptions are constants, so nothing that a client sent is returned,
// and the characters are those of RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E.
type Error struct {
	Status      int
	Code        string
	Description string

	Reason       string        // for the log: one of a closed set
	Cause        error         // for the log: a fault of the server
	Ours         bool          // for the log: not caused by the client
	Alarm        bool          // for the log: a token may have been stolen
	Limit        string        // for the log: which limit refused the request
	Seldom       bool          // for the log: one of many, for which one line a minute is enough
	ScopeAllowed []string      // for the log: what could have been requested
	Remedy       string        // for the log: what the operator can do
	Allow        string        // Allow header of a 405
	Codings      string        // Accept-Encoding header of a 415
	Challenge    bool          // whether to send WWW-Authenticate
	RetryAfter   time.Duration // Retry-After header of a 429 or 503
}

// Error describes the refusal without anything that the client sent.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Reason, e.Cause)
	}
	return e.Code + ": " + e.Reason
}

// OrNil is the error, or nil if there is none.
func (e *Error) OrNil() error {
	if e == nil {
		return nil
	}
	return e
}

// Unwrap returns the server's fault, if it was one.
func (e *Error) Unwrap() error { return e.Cause }

// Error codes of RFC 6749 §5.2. The last two are from §4.1.2.1, for statuses that a
// token endpoint needs as well.
const (
	CodeInvalidRequest         = "invalid_request"
	CodeInvalidClient          = "invalid_client"
	CodeInvalidGrant           = "invalid_grant"
	CodeInvalidScope           = "invalid_scope"
	CodeUnauthorizedClient     = "unauthorized_client"
	CodeUnsupportedGrantType   = "unsupported_grant_type"
	CodeServerError            = "server_error"
	CodeTemporarilyUnavailable = "temporarily_unavailable"
)

// Error codes of RFC 6750 §3.1.
const (
	CodeInvalidToken      = "invalid_token"
	CodeInsufficientScope = "insufficient_scope"
)

func InvalidRequest(reason, description string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: CodeInvalidRequest, Description: description, Reason: reason}
}

func NotSecure() *Error {
	e := InvalidRequest("not_secure", "this endpoint needs HTTPS")
	e.Remedy = "serve the site over HTTPS; behind a proxy that terminates TLS, name it in the global option trusted_proxies (with trusted_proxies_strict) and have it send X-Forwarded-Proto; or set allow_http, if the network in between is safe"
	return e
}

// MethodNotAllowed also mentions credentials in the query, if there are any.
func MethodNotAllowed(methods []string, leaked bool) *Error {
	e := InvalidRequest("method", "this endpoint needs the method "+strings.Join(methods, " or "))
	e.Status, e.Allow = http.StatusMethodNotAllowed, strings.Join(methods, ", ")
	if leaked {
		e.Description += ", and " + notInQuery
		e.Remedy = changeLeaked
	}
	return e
}

func CredentialsInQuery() *Error {
	e := InvalidRequest("credentials_in_query", notInQuery)
	e.Remedy = changeLeaked
	return e
}

const (
	notInQuery   = "credentials belong in the body, not in the query: logs and browsers keep queries"
	changeLeaked = "change the password, secret or token that was in the URL: logs have it now"
)

// CrossSite refuses what a page of another site sends without CORS: it could use up the
// attempts of the user who views the page.
func CrossSite() *Error {
	e := InvalidRequest("cross_site", "a page of another site must send this with CORS")
	e.Status = http.StatusForbidden
	e.Remedy = "a form, link or no-cors request of another site's page sent it, and nothing was counted; if the page is yours, have its script use fetch() with CORS, and allow its origin"
	return e
}

// CrossOrigin refuses a form of the login page that a page of another origin sends: it
// could log its visitor in as somebody else, or out.
func CrossOrigin() *Error {
	e := InvalidRequest("cross_origin", "a page of another origin sent this")
	e.Status = http.StatusForbidden
	e.Remedy = "if it was the page itself, a proxy in between changes the host: have it keep Host, or name it in the global option trusted_proxies and have it send X-Forwarded-Host"
	return e
}

// WrongHost is for a browser that would not keep the cookie.
func WrongHost() *Error {
	e := InvalidRequest("wrong_host", "the host is not part of cookie_domain")
	e.Status = http.StatusForbidden
	e.Remedy = "open the site at a host within cookie_domain, or give the login page of other hosts a server of its own"
	return e
}

func NoEndpoint() *Error {
	e := InvalidRequest("no_such_endpoint", "there is no endpoint at this path")
	e.Status = http.StatusNotFound
	return e
}

func BodyTooLarge() *Error {
	e := InvalidRequest("body_too_large", "the body is larger than 64 KiB")
	e.Status = http.StatusRequestEntityTooLarge
	return e
}

// ContentEncoding refuses a body in a coding that would have to be undone first.
func ContentEncoding() *Error {
	e := InvalidRequest("content_encoding", "the body must not be compressed or encoded otherwise: send it without Content-Encoding")
	e.Status, e.Codings = http.StatusUnsupportedMediaType, "identity"
	return e
}

func TooManyParameters() *Error {
	return InvalidRequest("too_many_parameters", "there are more than 100 parameters")
}

// TooEarly refuses what comes before the end of the TLS handshake: an attacker who
// recorded it could replay it (RFC 8470 §5.2).
func TooEarly() *Error {
	return &Error{
		Status: http.StatusTooEarly, Code: CodeTemporarilyUnavailable, Reason: "too_early",
		Description: "this must not be sent in TLS early data: send it again after the handshake",
	}
}

func MissingParameter(name string) *Error {
	return InvalidRequest("missing_"+name, "the parameter "+name+" is missing")
}

func UnsupportedGrantType() *Error {
	return &Error{
		Status: http.StatusBadRequest, Code: CodeUnsupportedGrantType, Reason: "grant_type",
		Description: "this server does not offer this grant_type",
	}
}

// InvalidClient is one answer for every way in which a client fails to authenticate. It
// becomes a challenge where the client waits for one.
func InvalidClient(reason string) *Error {
	return &Error{
		Status: http.StatusBadRequest, Code: CodeInvalidClient, Reason: reason,
		Description: "client authentication failed",
	}
}

// NoClient says what to send; no client is named yet, so this reveals nothing about
// one.
func NoClient() *Error {
	e := InvalidClient("no_client")
	e.Description = "no client is named: send its id and secret as client_id and client_secret in the body or in a Basic Authorization header, or the client_id alone if it is a public client"
	return e
}

// Challenged is the answer that asks for Basic credentials (RFC 6749 §5.2).
func (e *Error) Challenged() *Error {
	e.Status, e.Challenge = http.StatusUnauthorized, true
	return e
}

// OfBasic adds a reminder of an encoding that many programs leave out, if it makes a
// difference.
func (e *Error) OfBasic(escaped bool) *Error {
	if escaped {
		e.Remedy = "the Basic header was read as it is and form-decoded: for the latter, + must be sent as %2B and % as %25, in both halves"
	}
	return e
}

func UnauthorizedClient() *Error {
	return &Error{
		Status: http.StatusBadRequest, Code: CodeUnauthorizedClient, Reason: "grant_not_allowed",
		Description: "this client may not use this grant_type",
	}
}

// ClientNamedLikeUser refuses a token to a client whose id is also the subject or the
// username of a user: apps could take the client for that user (RFC 9700 §4.15). The
// client is told no more than that it may not.
func ClientNamedLikeUser() *Error {
	e := UnauthorizedClient()
	e.Reason = "client_named_like_user"
	e.Remedy = "a user has the id of this client as username or id, and apps could take the client for that user: give the client another id"
	return e
}

func InvalidScope(reason, description string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: CodeInvalidScope, Reason: reason, Description: description}
}

// ScopeNotAllowed refuses a scope that the client may not request.
func ScopeNotAllowed(allowed []string) *Error {
	return InvalidScope("scope_not_allowed", "a scope is unknown or not allowed for this client").Of(allowed)
}

// ScopeNotUsers refuses scopes of which the user may have none.
func ScopeNotUsers(granted []string) *Error {
	return InvalidScope("scope_not_users", "this user may not have any of these scopes").Of(granted)
}

// Of adds what could have been requested. What was requested is not logged: it may be a
// password.
func (e *Error) Of(allowed []string) *Error {
	e.ScopeAllowed = allowed
	if allowed == nil {
		e.ScopeAllowed = []string{}
	}
	return e
}

// InvalidGrant is one answer for unknown users, wrong passwords and disabled users.
func InvalidGrant(reason string) *Error {
	return &Error{
		Status: http.StatusBadRequest, Code: CodeInvalidGrant, Reason: reason,
		Description: "the username or password is wrong",
	}
}

// InvalidRefreshToken is one answer for every way in which a refresh token is invalid.
func InvalidRefreshToken(reason string) *Error {
	e := InvalidGrant(reason)
	e.Description = "the refresh token is invalid, expired or revoked; log in again"
	return e
}

// TokenOfAnotherClient refuses to revoke a token that was not issued to the client (RFC
// 7009 §2.1).
func TokenOfAnotherClient() *Error {
	e := InvalidGrant("token_of_another_client")
	e.Description = "the token was not issued to this client"
	return e
}

// TokenOfAnotherServer refuses a token that the other server can revoke, and this
// server cannot.
func TokenOfAnotherServer() *Error {
	e := InvalidGrant("token_of_another_server")
	e.Description = "the token was not issued by this server"
	return e
}

func Busy() *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: CodeTemporarilyUnavailable, Reason: "password_checks_busy",
		Description: "too many requests are waiting, try again later", RetryAfter: time.Second,
		Remedy: "password_checks raises the bounds; a cheaper hash raises the rate",
	}
}

// Throttled is the answer after too many failures, of anyone who asks: no password was
// checked.
func Throttled(limit string, retryAfter time.Duration) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Code: CodeTemporarilyUnavailable, Reason: "throttled", Limit: limit,
		Description: "too many failed attempts, try again later", RetryAfter: retryAfter,
	}
}

func TooManyRevocations(limit string, retryAfter time.Duration) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Code: CodeTemporarilyUnavailable, Reason: "too_many_revocations", Limit: limit,
		Description: "too many revocations, try again later", RetryAfter: retryAfter, Seldom: true,
	}
}

// TooManySessions refuses the first refresh of a session. The refresh token is not
// consumed.
func TooManySessions(limit string, retryAfter time.Duration) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Code: CodeTemporarilyUnavailable, Reason: "too_many_sessions", Limit: limit,
		Description: "too many new sessions, try again later", RetryAfter: retryAfter, Seldom: true,
		Remedy: "a client that logs in for every refresh should keep its session; where many people share one account, give each their own",
	}
}

// Gone is for a client that hung up while it waited: the answer is not read.
func Gone() *Error {
	e := Busy()
	e.Reason, e.Remedy = "client_gone", ""
	return e
}

func NoKeys() *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: CodeTemporarilyUnavailable, Reason: "no_signing_key",
		Description: "the server is not ready, try again later", RetryAfter: 5 * time.Second, Ours: true,
	}
}

// StorageUnavailable is for a storage that failed. remedy is what the operator can do.
func StorageUnavailable(cause error, remedy string) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: CodeTemporarilyUnavailable, Reason: "storage_unavailable", Cause: cause, Ours: true,
		Remedy:      remedy,
		Description: "the server cannot answer now, try again later", RetryAfter: 2 * time.Second,
	}
}

// SourceUnavailable is for a source of users or clients that failed.
func SourceUnavailable(cause error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: CodeTemporarilyUnavailable, Reason: "source_unavailable", Cause: cause, Ours: true,
		Description: "the server cannot answer now, try again later", RetryAfter: 2 * time.Second,
	}
}

func ServerError(cause error) *Error {
	return &Error{
		Status: http.StatusInternalServerError, Code: CodeServerError, Reason: "server_error", Cause: cause, Ours: true,
		Description: "the server could not answer the request",
	}
}
