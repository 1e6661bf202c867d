// Package credential handles every password and every client secret in one way: count
// the attempt, see whether the same was correct a moment ago, wait for a turn at
// hashing, compare, and report the result. Known and unknown names differ in the hash
// that is compared with, never in the cost. The package knows nothing of requests or
// metrics.
package credential

import (
	"context"
	"errors"
	"slices"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// Checker checks the passwords and client secrets of a server.
type Checker struct {
	Server   string // its name
	Users    *directory.UserDirectory
	Clients  *directory.ClientDirectory
	Verifier *password.Verifier
	Throttle *throttle.Throttle // nil: nothing is counted
	Observer Observer
}

// credential is a password or client secret as presented.
type credential struct {
	kind      string // KindUser or KindClient
	name      string
	hash      password.Hash // of the name, or a decoy
	plaintext string
	usable    bool              // whether a match counts: not for a decoy, nor for a disabled user
	or        *password.Attempt // another reading of what was presented
	sender    Sender
	attempt   throttle.Attempt // without its fingerprints
	reserved  reservation      // of an attempt that was counted before the name was looked up, else nil
}

// outcome is how a check ended.
type outcome struct {
	password.Result
	repeated bool // it was wrong a moment ago, and was not compared again
	locked   bool // it was the last failure that the account may have, or nodes together had it
}

// check tells whether a credential matches, unless there were too many failures before
// or too many are being checked. What was wrong a moment ago is still wrong, and is
// neither counted nor hashed again.
func (c *Checker) check(ctx context.Context, presented credential) (outcome, error) {
	attempt := password.Attempt{
		Kind: presented.kind, Name: presented.name, Hash: presented.hash, Password: presented.plaintext,
		Keep: presented.usable, Or: presented.or,
	}
	if presented.reserved != nil {
		return c.recognize(ctx, presented, attempt)
	}
	var result password.Result
	settlement, refused := c.settle(presented.attempt, func() (o throttle.Outcome) {
		result, o.Known = c.Verifier.AtOnce(attempt)
		if o.Right = result.Matches && presented.usable; !o.Right {
			o.Fingerprint, o.Also = c.fingerprints(attempt)
		}
		return o
	})
	switch {
	case settlement == throttle.Settled, settlement == throttle.Locked:
		c.observe(presented, result)
		return outcome{Result: result, locked: settlement == throttle.Locked}, refused.OrNil()
	case settlement == throttle.Repeated:
		return c.repeated(presented, refused)
	case refused != nil:
		c.Observer.Checked(presented.kind, Throttled)
		return outcome{locked: settlement == throttle.Reached}, refused
	}
	return c.hash(ctx, presented, attempt)
}

// hash is check for what has to be hashed, perhaps after a wait: the attempt is counted
// for as long as that takes.
func (c *Checker) hash(ctx context.Context, presented credential, attempt password.Attempt) (outcome, error) {
	presented.attempt.Fingerprint, presented.attempt.Also = c.fingerprints(attempt)
	reserved, refused := c.reserve(presented.attempt)
	if refused != nil {
		c.Observer.Checked(presented.kind, Throttled)
		return outcome{}, refused
	}
	if reserved.Repeated() { // an equal attempt has ended since check looked
		return c.repeated(presented, asStranger(reserved.AsStranger()))
	}
	return c.compare(ctx, presented, attempt, reserved)
}

// recognize is check for an attempt that was counted before the name was looked up.
func (c *Checker) recognize(ctx context.Context, presented credential, attempt password.Attempt) (outcome, error) {
	if presented.reserved.Recognize(c.fingerprints(attempt)) {
		return c.repeated(presented, asStranger(presented.reserved.AsStranger()))
	}
	return c.compare(ctx, presented, attempt, presented.reserved)
}

// compare makes a counted attempt, and returns the result.
func (c *Checker) compare(ctx context.Context, presented credential, attempt password.Attempt, reserved reservation) (outcome, error) {
	attempt.Key, attempt.First = presented.sender.network(), reserved.KnownGood()
	result, err := c.Verifier.Verify(ctx, attempt)
	if err != nil {
		reserved.Cancel()
		return outcome{}, c.failed(ctx, presented, err)
	}
	c.observe(presented, result)
	return settled(result, presented.usable, reserved)
}

// settled settles an attempt that was made.
func settled(result password.Result, usable bool, reserved reservation) (outcome, error) {
	if result.Matches && usable {
		reserved.Succeed()
		return outcome{Result: result}, nil
	}
	reserved.Fail()
	return outcome{Result: result, locked: reserved.Locked()}, asStranger(reserved.AsStranger()).OrNil()
}

// fingerprints are that of an attempt and, if it has two readings, that of the first
// alone: if both are wrong, so is the first, which some libraries send next in the
// body.
func (c *Checker) fingerprints(attempt password.Attempt) (whole, first throttle.Fingerprint) {
	whole = c.Verifier.Fingerprint(attempt)
	if attempt.Or != nil {
		attempt.Or = nil
		first = c.Verifier.Fingerprint(attempt)
	}
	return whole, first
}

// repeated is the result for a credential that was wrong a moment ago.
func (c *Checker) repeated(presented credential, refused *oauth.Error) (outcome, error) {
	c.Observer.Checked(presented.kind, Repeated)
	return outcome{repeated: true}, refused.OrNil()
}

// failed is the error when there is no result.
func (c *Checker) failed(ctx context.Context, presented credential, err error) error {
	switch {
	case errors.Is(err, password.ErrBusy):
		c.Observer.Checked(presented.kind, Shed)
		return oauth.Busy()
	case ctx.Err() != nil:
		c.Observer.Checked(presented.kind, Gone)
		return oauth.Gone()
	}
	return err
}

// unavailable is the answer when a source failed.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return oauth.Gone()
	}
	return oauth.SourceUnavailable(err)
}

// HashMemory is the most memory that one comparison takes, in bytes.
func (c *Checker) HashMemory() uint64 {
	return max(c.Users.HashMemory(), c.Clients.HashMemory())
}

// SlowSchemes are the schemes of the slow hashes.
func (c *Checker) SlowSchemes() (schemes []string) {
	for _, mix := range append(c.Users.Hashes(), c.Clients.Hashes()...) {
		for params := range mix.All() {
			if scheme := string(params.Scheme); !params.Cheap() && !slices.Contains(schemes, scheme) {
				schemes = append(schemes, scheme)
			}
		}
	}
	return schemes
}
