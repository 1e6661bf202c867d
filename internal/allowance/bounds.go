// Package allowance says how many writes to storage the sessions of a user, and those
// of a client, may cause.
package allowance

import (
	"errors"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/throttle"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Bounds limit what a user with a password, or an app with an HS256 secret, can cause
// to be written to storage. A login writes nothing. The first refresh of a session
// makes its record, and a revocation makes a marker: a client that may do these without
// limit fills the storage. The bounds apply with `throttle off` too, and the sessions
// ask them right before they write. Each is for one kind of write.
type Bounds struct {
	sessions    *throttle.Bucket // first refreshes, of a user by a client
	revocations *throttle.Bucket // of sessions of a user by a client
	clients     *throttle.Bucket // revocations by tokens that apps can sign, of all users by a client
}

// NewBounds returns unused bounds.
func NewBounds() *Bounds {
	return &Bounds{
		sessions:    throttle.NewBucket(throttle.LimitSessions, maxWritesAtOnce, WriteInterval),
		revocations: throttle.NewBucket(throttle.LimitRevocations, maxWritesAtOnce, WriteInterval),
		clients:     throttle.NewBucket(throttle.LimitClient, maxClientRevocationsAtOnce, clientRevocationInterval),
	}
}

// WriteInterval is how long a user who has used up a bound waits for another write. It
// is a variable for tests, which change it before they make bounds.
var WriteInterval = 10 * time.Second

// Owner is the owner of a session, according to a token.
type Owner struct {
	Client  string
	Subject string // of the user; empty: the client acts for itself

	// Forgeable says that the token is an access token that was signed with a secret.
	// Apps that have the secret can make access tokens, for any user and any session,
	// but not refresh tokens.
	Forgeable bool
}

// OwnerOf is the owner of the session of a refresh token.
func OwnerOf(t *token.RefreshToken) Owner {
	return Owner{Client: t.ClientID, Subject: t.UserID}
}

// account is the client and the user together. No user has an empty subject, so this
// tells a client that acts for itself from each of its users.
func (o Owner) account() string { return throttle.Join(o.Client, o.Subject) }

// Party is the user, whichever client the session is by, or else the client. A user and
// a client of one name are two parties.
func (o Owner) Party() string {
	if o.Subject == "" {
		return throttle.Join("client", o.Client)
	}
	return throttle.Join("user", o.Subject)
}

// firstRefresh is the allowance of the record of a session.
type firstRefresh struct {
	bounds  *Bounds
	account string
}

func (a firstRefresh) Take() error { return notYet(a.bounds.sessions.Take(a.account)) }
func (a firstRefresh) Return()     { a.bounds.sessions.Return(a.account) }

// revocation is the allowance of the marker of a session. That of the user comes first,
// so that one user does not use up the allowance of all users. What an app may have
// made up is a separate account: it must not keep the user from logging out with a
// refresh token, nor keep a session whose token was used twice from being ended in
// storage.
type revocation struct {
	bounds  *Bounds
	account string
	client  string // empty: by a token that only the server can have made
}

func (a revocation) Take() error {
	if err := notYet(a.bounds.revocations.Take(a.account)); err != nil || a.client == "" {
		return err
	}
	err := notYet(a.bounds.clients.Take(a.client))
	if err != nil {
		a.bounds.revocations.Return(a.account)
	}
	return err
}

func (a revocation) Return() {
	a.bounds.revocations.Return(a.account)
	if a.client != "" {
		a.bounds.clients.Return(a.client)
	}
}

// FirstRefreshBy is the allowance of the first refresh of a session of that owner.
func (b *Bounds) FirstRefreshBy(of Owner) session.Allowance {
	return firstRefresh{b, of.account()}
}

// RevocationBy is the allowance of a revocation by a token of that owner.
func (b *Bounds) RevocationBy(of Owner) session.Allowance {
	allowance := revocation{bounds: b, account: of.account()}
	if of.Forgeable {
		allowance.client = of.Client
		allowance.account = throttle.Join(allowance.account, "forgeable")
	}
	return allowance
}

// notYet is a refusal as an error of the sessions.
func notYet(err error) error {
	if refused, ok := errors.AsType[*throttle.RefusedError](err); ok {
		return &session.NotYetError{After: refused.RetryAfter, Cause: refused}
	}
	return err
}

// Refused returns the refusal of a bound, if an error is one.
func Refused(err error) (*throttle.RefusedError, bool) {
	return errors.AsType[*throttle.RefusedError](err)
}

// The bounds of users are for an account that several hundred devices share, all of
// which refresh after a restart. In the long run they allow 6 writes a minute.
const (
	maxWritesAtOnce = 1000 // then one each WriteInterval

	maxClientRevocationsAtOnce = 10_000
	clientRevocationInterval   = time.Minute / 100
)
