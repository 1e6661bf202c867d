package caddygrant

import (
	"context"
	"errors"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/throttle"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// This file bounds what somebody with a password, or with a secret of HS256, can have written
// to storage. A login writes nothing. The first refresh of a session makes its record, and a
// revocation makes a marker: whoever may do these without end fills the storage. The bounds
// hold with `throttle off` too, and are asked by the sessions right before they write.

// storageBounds are buckets, each for one kind of write.
type storageBounds struct {
	sessions    *throttle.Bucket // first refreshes, of a user by a client
	revocations *throttle.Bucket // of sessions of a user by a client
	clients     *throttle.Bucket // revocations by tokens that apps can sign, of all users by a client
}

func newStorageBounds() *storageBounds {
	return &storageBounds{
		sessions:    throttle.NewBucket(throttle.LimitSessions, maxWritesAtOnce, writeInterval),
		revocations: throttle.NewBucket(throttle.LimitRevocations, maxWritesAtOnce, writeInterval),
		clients:     throttle.NewBucket(throttle.LimitClient, maxClientRevocationsAtOnce, clientRevocationInterval),
	}
}

// sessionOwner is whose a session is, by a token of it.
type sessionOwner struct {
	client, subject string

	// forgeable says that the token is an access token that was signed with a secret. Apps
	// that have it can make those, for any user and any session, but no refresh tokens.
	forgeable bool
}

// ownerOf is whose session a refresh token belongs to.
func ownerOf(t *token.RefreshToken) sessionOwner {
	return sessionOwner{client: t.ClientID, subject: t.UserID}
}

func (o sessionOwner) account() string { return throttle.Join(o.client, o.subject) }

// firstRefresh is the allowance of the record of a session.
type firstRefresh struct {
	bounds  *storageBounds
	account string
}

func (a firstRefresh) Take() error { return notYet(a.bounds.sessions.Take(a.account)) }
func (a firstRefresh) Return()     { a.bounds.sessions.Return(a.account) }

// revocation is the allowance of the marker of a session. That of the user comes first, so
// that one user does not use up what there is for all of them. What an app may have made up
// is an account of its own: it must not keep the user from logging out by a refresh token,
// nor a session from being ended in storage whose token was used twice.
type revocation struct {
	bounds  *storageBounds
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

// notYet is a refusal in the words of the sessions.
func notYet(err error) error {
	if refused, ok := errors.AsType[*throttle.RefusedError](err); ok {
		return &session.NotYetError{After: refused.RetryAfter, Cause: refused}
	}
	return err
}

// refusedWrite returns the refusal of a bound, if that is what an error is.
func refusedWrite(err error) (*throttle.RefusedError, bool) {
	return errors.AsType[*throttle.RefusedError](err)
}

// Rotate is that of the store, within the bounds.
func (x *serverSessions) Rotate(ctx context.Context, of sessionOwner, id session.ID, generation uint64, grace time.Duration, current bool) (uint64, error) {
	return x.Within(firstRefresh{x.bounds, of.account()}).Rotate(ctx, id, generation, grace, current)
}

// Revoke is that of the store, within the bounds.
func (x *serverSessions) Revoke(ctx context.Context, of sessionOwner, id session.ID) error {
	err := x.revocable(of).Revoke(ctx, id)
	if _, refused := refusedWrite(err); refused {
		if revoked, _ := x.memory.InView(id); revoked { // which waits to be written, or was written meanwhile
			return nil // nobody gets a token of it any more
		}
	}
	return err
}

// End revokes a session that must not go on, whatever the bounds say: beyond them it is over
// in this process at once, and in storage as soon as they allow. later says that it is so.
func (x *serverSessions) End(ctx context.Context, of sessionOwner, id session.ID) (later bool, err error) {
	bounded := x.revocable(of)
	err = bounded.Revoke(ctx, id)
	refused, ok := refusedWrite(err)
	switch {
	case !ok:
		return false, err
	case bounded.RevokeLater(id, refused.RetryAfter):
		return true, nil
	}
	return false, x.Store.Revoke(ctx, id) // too many wait: rather too much in storage than a thief let in
}

func (x *serverSessions) revocable(of sessionOwner) *session.Store {
	return x.Within(x.allowance(of))
}

func (x *serverSessions) allowance(of sessionOwner) revocation {
	allowance := revocation{bounds: x.bounds, account: of.account()}
	if of.forgeable {
		allowance.client = of.client
		allowance.account = throttle.Join(allowance.account, "forgeable")
	}
	return allowance
}

// The bounds of users are for an account that several hundred devices share, all of which
// refresh after a restart. What they let through for good is 6 writes a minute.
const (
	maxWritesAtOnce = 1000
	writeInterval   = 10 * time.Second

	maxClientRevocationsAtOnce = 10_000
	clientRevocationInterval   = time.Minute / 100
)
