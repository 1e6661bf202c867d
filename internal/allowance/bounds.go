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

// Bounds bound what a user with a password, or an app with a secret of HS256,
// can have written to storage. A login writes nothing. The first refresh of a session
// makes its record, and a revocation makes a marker: a client that may do these without
// end fills the storage. The bounds hold with `throttle off` too, and are asked by the
// sessions right before they write. Each is for one kind of write.
type Bounds struct {
	sessions    *throttle.Bucket // first refreshes, of a user by a client
	revocations *throttle.Bucket // of sessions of a user by a client
	clients     *throttle.Bucket // revocations by tokens that apps can sign, of all users by a client
}

// NewBounds returns bounds of which nothing is used up.
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

// Owner is whose a session is, by a token of it.
type Owner struct {
	Client, Subject string

	// Forgeable says that the token is an access token that was signed with a secret. Apps
	// that have it can make those, for any user and any session, but no refresh tokens.
	Forgeable bool
}

// OwnerOf is whose session a refresh token belongs to.
func OwnerOf(t *token.RefreshToken) Owner {
	return Owner{Client: t.ClientID, Subject: t.UserID}
}

// Account is the client and the user together.
func (o Owner) Account() string { return throttle.Join(o.Client, o.Subject) }

// firstRefresh is the allowance of the record of a session.
type firstRefresh struct {
	bounds  *Bounds
	account string
}

func (a firstRefresh) Take() error { return notYet(a.bounds.sessions.Take(a.account)) }
func (a firstRefresh) Return()     { a.bounds.sessions.Return(a.account) }

// revocation is the allowance of the marker of a session. That of the user comes first,
// so that one user does not use up what there is for all of them. What an app may have
// made up is an account of its own: it must not keep the user from logging out by a
// refresh token, nor a session from being ended in storage whose token was used twice.
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
	return firstRefresh{b, of.Account()}
}

// RevocationBy is the allowance of a revocation by a token of that owner.
func (b *Bounds) RevocationBy(of Owner) session.Allowance {
	allowance := revocation{bounds: b, account: of.Account()}
	if of.Forgeable {
		allowance.client = of.Client
		allowance.account = throttle.Join(allowance.account, "forgeable")
	}
	return allowance
}

// notYet is a refusal in the words of the sessions.
func notYet(err error) error {
	if refused, ok := errors.AsType[*throttle.RefusedError](err); ok {
		return &session.NotYetError{After: refused.RetryAfter, Cause: refused}
	}
	return err
}

// Refused returns the refusal of a bound, if that is what an error is.
func Refused(err error) (*throttle.RefusedError, bool) {
	return errors.AsType[*throttle.RefusedError](err)
}

// The bounds of users are for an account that several hundred devices share, all of
// which refresh after a restart. What they let through for good is 6 writes a minute.
const (
	maxWritesAtOnce = 1000 // then one each WriteInterval

	maxClientRevocationsAtOnce = 10_000
	clientRevocationInterval   = time.Minute / 100
)
