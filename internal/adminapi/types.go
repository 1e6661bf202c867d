// Package adminapi is what an operator can see of the authorization servers of a
// running Caddy, and do with them, over its admin endpoint: the paths, the JSON, and a
// client. Every answer is JSON. Times are RFC 3339, durations are in seconds.
//
//	GET  /grant/servers                      []Status
//	GET  /grant/servers/{name}               Status
//	GET  /grant/servers/{name}/sessions      Sessions; query: user or subject
//	POST /grant/servers/{name}/revoke        RevokeRequest → Revoked
//	POST /grant/servers/{name}/unlock        UnlockRequest → Unlocked
//	POST /grant/servers/{name}/rotate-key    → []Key
//	POST /grant/servers/{name}/reload        → []File
//	POST /grant/servers/{name}/explain       ExplainRequest → Explanation
//	GET  /grant/issuers                      []Issuer
//	POST /grant/issuers/explain              ExplainRequest → Explanation
package adminapi

import (
	"context"
	"strings"
	"time"
)

// Server is an authorization server that an operator looks at. An error is for the
// operator: it says what to do. An [Error] has the status of the answer; any other error
// is answered 500, or 503 if it is [ErrUnavailable].
type Server interface {
	Status(context.Context) (Status, error)
	Sessions(context.Context, SessionsQuery) (Sessions, error)
	Revoke(context.Context, RevokeRequest) (Revoked, error)
	Unlock(context.Context, UnlockRequest) (Unlocked, error)
	RotateKey(context.Context) ([]Key, error)
	Reload(context.Context) ([]File, error)
	Explain(context.Context, ExplainRequest) (Explanation, error)
}

// Status is the state of a server in one process.
type Status struct {
	Name      string    `json:"name"`
	Issuer    string    `json:"issuer,omitempty"`
	Grants    []string  `json:"grants"`     // grant types
	LoginPage bool      `json:"login_page"` // whether it has one
	StartedAt time.Time `json:"started_at"` // when this config took effect

	Keys     []Key      `json:"keys"`
	Files    []File     `json:"files"`   // that are followed
	Users    Count      `json:"users"`   // of all sources
	Clients  Count      `json:"clients"` // of all sources
	Checks   Checks     `json:"password_checks"`
	Throttle Throttle   `json:"throttle"`
	Sessions Knowledge  `json:"sessions"`
	Ended    []EndedAll `json:"ended,omitempty"` // sessions that were revoked as a whole, newest first
}

// ListedClients counts the clients without the login page, which is one of them where
// there is a page.
func (s Status) ListedClients() (count Count, page bool) {
	count = s.Clients
	if s.LoginPage && count.Count > 0 {
		count.Count--
	}
	return count, s.LoginPage
}

// Key is a signing key. Its stage is one of the constants.
type Key struct {
	ID        string     `json:"kid"`
	Algorithm string     `json:"alg"`
	Stage     string     `json:"stage"`
	Since     *time.Time `json:"since,omitempty"`  // when the stage began, if known
	Until     *time.Time `json:"until,omitempty"`  // when it ends, if known
	Generated bool       `json:"generated"`        // whether it rotates; else it is configured
	Object    string     `json:"object,omitempty"` // its place in storage, if it is generated
}

// Stages of a key, in the order of its life.
const (
	StagePublished = "published" // in the key set, does not sign yet
	StageSigning   = "signing"
	StageVerifying = "verifying" // its tokens are valid, it no longer signs
)

// Count is how many users or clients there are. With a source that cannot list them,
// such as a database, they are only those of the other sources.
type Count struct {
	Count   int  `json:"count"`
	Partial bool `json:"partial,omitempty"`
}

// File is a file of users, clients or API keys that is followed.
type File struct {
	Path     string    `json:"path"`
	Reads    string    `json:"reads"` // "users", "clients" or "api_keys"
	Entries  int       `json:"entries"`
	LoadedAt time.Time `json:"loaded_at"`       // its active version
	Error    string    `json:"error,omitempty"` // why its present version is not active

	// Why API keys in it are refused although it is active: another file has them, too.
	Conflict string `json:"conflict,omitempty"`
}

// Reason is the error without the path, which it may begin with.
func (f File) Reason() string { return strings.TrimPrefix(f.Error, f.Path+": ") }

// Checks is how busy the hashing of passwords is. All servers of a process share it.
type Checks struct {
	Running     int `json:"running"`
	Concurrency int `json:"concurrency"` // the maximum
	Waiting     int `json:"waiting"`
	Queue       int `json:"queue"` // the maximum
}

// Throttle is how many accounts and sources have to wait because of wrong passwords.
type Throttle struct {
	Off       bool `json:"off,omitempty"`
	Accounts  int  `json:"accounts"`  // that only known sources can log in to
	Pairs     int  `json:"pairs"`     // of an account and a source
	Addresses int  `json:"addresses"` // and IPv6 networks
}

// Knowledge is what a process knows of the revoked sessions.
type Knowledge struct {
	Revoked int        `json:"revoked"`           // how many
	ReadAt  *time.Time `json:"read_at,omitempty"` // when all of them were last read; none: not yet
	Error   string     `json:"error,omitempty"`   // of the last attempt

	// Engines are where sessions live, first the engine in which they begin. None: in
	// the storage alone.
	Engines []Engine `json:"engines,omitempty"`
}

// Engine is a session engine, or the storage, as this process reaches it.
type Engine struct {
	Name         string     `json:"name"`
	Error        string     `json:"error,omitempty"`         // of the last attempt; empty: it answers
	FailingSince *time.Time `json:"failing_since,omitempty"` // the first of the attempts that failed
}

// OtherError is the error unless it is that of an engine.
func (k Knowledge) OtherError() string {
	for _, engine := range k.Engines {
		if engine.Error == k.Error {
			return ""
		}
	}
	return k.Error
}

// EndedAll is that all sessions of a user, a client or the server up to a time were
// revoked.
type EndedAll struct {
	Scope string    `json:"scope"` // "user", "client" or "server"
	Of    string    `json:"of,omitempty"`
	At    time.Time `json:"at"`
}

// RevokeRequest says which sessions to revoke: exactly one of its fields is set.
type RevokeRequest struct {
	Session string `json:"session,omitempty"` // `sid`
	User    string `json:"user,omitempty"`    // username
	Subject string `json:"subject,omitempty"` // `sub`, also of a user who is no longer there
	Client  string `json:"client,omitempty"`  // client_id
	All     bool   `json:"all,omitempty"`     // of the server
}

// Revoked is what was revoked: from then on this node refuses its tokens, and so does
// every other node once it has read that from storage.
type Revoked struct {
	Scope  string `json:"scope"` // "session", "user", "client" or "server"
	Of     string `json:"of,omitempty"`
	Within int64  `json:"within_seconds"` // how long other nodes may take to learn of it
}

// UnlockRequest says whose failures to forget: a user or a client, an address, or both.
type UnlockRequest struct {
	User    string `json:"user,omitempty"`    // username, as it was typed
	Client  string `json:"client,omitempty"`  // client_id
	Address string `json:"address,omitempty"` // IP address
}

// Unlocked is whose failures were forgotten.
type Unlocked struct {
	UnlockRequest
	Within  int64 `json:"within_seconds"`    // how long other nodes may take to do so
	Unknown bool  `json:"unknown,omitempty"` // there is no user or client of that name
}

// SessionsQuery says whose sessions to list: one field is set.
type SessionsQuery struct {
	User    string // username
	Subject string // `sub`
}

// Sessions are the sessions of a user that storage knows: those that were refreshed.
type Sessions struct {
	Subject  string          `json:"subject"`
	Sessions []Session       `json:"sessions"`         // newest first
	Unread   []UnreadSession `json:"unread,omitempty"` // that could not be read
	More     bool            `json:"more"`             // there are more than were read
	Note     string          `json:"note"`             // what the list cannot have
}

// UnreadSession is a session that storage knows, and whose engine does not say how it is.
type UnreadSession struct {
	ID     string `json:"sid"`
	Client string `json:"client_id,omitempty"`
	Ends   string `json:"ends"`   // the day, 2006-01-02
	Engine string `json:"engine"` // where it lives
	Error  string `json:"error"`  // why it could not be read
}

// Session is a session in storage.
type Session struct {
	ID          string    `json:"sid"`
	Client      string    `json:"client_id,omitempty"` // this and the two below are not known once it was revoked itself
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
	Refreshes   uint64    `json:"refreshes,omitempty"`
	Ends        string    `json:"ends"` // the day, 2006-01-02
	Revoked     bool      `json:"revoked"`
	Ended       bool      `json:"ended,omitempty"` // revoked together with others, of its user, its client or the server
}

// ExplainRequest has a token to look into, and what a bearer_auth asks of it.
type ExplainRequest struct {
	Token    string   `json:"token"`
	Audience []string `json:"audience,omitempty"` // none: that of the server
	Scopes   []string `json:"scopes,omitempty"`
}

// Explanation is what the checks of a token found, in their order, up to the first that
// fails. Claims are those of a token whose signature verifies.
type Explanation struct {
	Active bool           `json:"active"`
	Kind   string         `json:"kind"` // "access_token", "refresh_token", "api_key" or "unknown"
	Checks []CheckResult  `json:"checks"`
	Claims map[string]any `json:"claims,omitempty"`
}

// CheckResult is one check of a token.
type CheckResult struct {
	Check   string `json:"check"` // such as "signature"
	Passed  bool   `json:"passed"`
	Skipped bool   `json:"skipped,omitempty"` // it could not be made, and did not fail
	Found   string `json:"found"`             // in words
	Remedy  string `json:"remedy,omitempty"`  // what to do if it did not pass
}
