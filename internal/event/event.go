// Package event has the names of the events that the module emits to Caddy, and of
// their data.
package event

// Names of events.
const (
	Issued        = "grant_issued"
	Refused       = "grant_refused"
	ReuseDetected = "grant_reuse_detected"
	Throttled     = "grant_throttled"
	Locked        = "grant_locked"
	Revoked       = "grant_revoked"
	KeyRotated    = "grant_key_rotated"
	ReloadFailed  = "grant_reload_failed"
)

// Names of data. Those that the log has too are named as there.
const (
	Time        = "time" // RFC 3339, UTC
	Server      = "server"
	Endpoint    = "endpoint"
	ClientIP    = "client_ip"
	EndUserIP   = "end_user_ip"
	GrantType   = "grant_type"
	ClientID    = "client_id"
	UserID      = "user_id"
	Username    = "username"
	SessionID   = "session_id"
	TokenID     = "token_id"
	Scope       = "scope"
	Status      = "status"
	OAuthError  = "oauth_error"
	Reason      = "reason"
	Limit       = "limit"
	RetryAfter  = "retry_after" // seconds
	What        = "what"
	By          = "by"
	KeyID       = "kid"
	Algorithm   = "algorithm"
	Path        = "path"
	Reads       = "reads"
	Error       = "error"
	ActiveSince = "active_since" // RFC 3339, UTC
)

// What is revoked, the values of What.
const (
	WhatSession = "session"
	WhatUser    = "user"
	WhatClient  = "client"
	WhatServer  = "server"
)

// Who revokes, the values of By.
const (
	ByClient   = "client"   // at the revocation endpoint
	ByUser     = "user"     // who logs out on the login page
	ByLogin    = "login"    // on the login page, which replaces a session
	ByServer   = "server"   // a session that must not go on; Reason says why
	ByOperator = "operator" // over the admin API
)

// Kind is an event with its data.
type Kind struct {
	Name string

	// Always are there each time. Sometimes are there if they are known, or if they
	// apply.
	Always, Sometimes []string
}

// Kinds are all events.
var Kinds = []Kind{
	{
		Issued,
		[]string{Time, Server, Endpoint, ClientIP, ClientID, SessionID, Scope},
		[]string{UserID, GrantType, TokenID, EndUserIP},
	}, {
		Refused,
		[]string{Time, Server, Endpoint, ClientIP, Status, OAuthError, Reason},
		[]string{GrantType, ClientID, UserID, Username, SessionID, EndUserIP, Limit},
	}, {
		ReuseDetected,
		[]string{Time, Server, Endpoint, ClientIP, GrantType, ClientID, UserID, SessionID},
		[]string{EndUserIP},
	}, {
		Throttled,
		[]string{Time, Server, Endpoint, ClientIP, Limit, RetryAfter},
		[]string{GrantType, ClientID, UserID, Username, SessionID, EndUserIP},
	}, {
		Locked,
		[]string{Time, Server, Endpoint, ClientIP, ClientID, UserID},
		[]string{GrantType, Username, EndUserIP},
	}, {
		Revoked,
		[]string{Time, Server, What, By},
		[]string{SessionID, UserID, ClientID, Endpoint, ClientIP, EndUserIP, GrantType, Reason},
	}, {
		KeyRotated,
		[]string{Time, Server, KeyID, Algorithm},
		nil,
	}, {
		ReloadFailed,
		[]string{Time, Path, Reads, Error, ActiveSince},
		nil,
	},
}
