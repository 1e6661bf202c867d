// Package throttle limits the attempts on passwords and client secrets by the failures
// before them.
//
// Each attempt is reserved before it is made, and counts as a failure until it is known
// how it ended: parallel attempts get no more guesses than sequential ones. An attempt
// that takes no time is settled at once instead. It is counted for
//
//   - the pair of account and source: after Limits.Failures each attempt waits, longer
//     with each failure;
//   - the source's address, and for IPv6 its /48: the same with more failures, whatever
//     the accounts;
//   - the account, whatever the sources: at most Limits.AccountCeiling failures in a row.
//
// A source from which an attempt has succeeded is known good for that account. Its
// attempts are counted for the pair only, so an attacker elsewhere, or in the same
// network, cannot lock the owner out. It stays good for AccountCeiling failures in a
// row. Where a stranger in its place would be refused, its failures and its own waits
// are answered like that refusal: otherwise the answers would tell which accounts
// exist.
//
// A secret that was wrong a moment ago, for the same account from the same source, is
// wrong again and not counted again: a client that sends everything twice, or a script
// with a typo, guesses nothing.
//
// Failures are forgotten after 24 hours without one, or twice the MaxDelay if that is
// longer; those of an account after AccountCeiling times the MaxDelay. An address and a
// /48 are also forgiven one failure in each MaxDelay. A success takes away the failures
// of the pair and of the account, never those of the address: the owner of one account
// could otherwise try all others.
//
// Nothing is kept but keyed digests, in memory of fixed size. Several nodes can count
// together, see [Throttle.Report] and [Throttle.Heed].
package throttle

import (
	"container/list"
	"fmt"
	"sync"
	"time"
)

// How many entries the tables have at most. A pair, an account and an address take
// about 130 bytes each, a known good source at most about 270, and a pair with wrong
// secrets about 250: 65 MB when all are full.
const (
	maxPairs           = 1 << 17
	maxAccounts        = 1 << 17
	maxAddresses       = 1 << 16 // IPv6 networks included
	maxKnown           = 1 << 16
	maxKnownPerAccount = 16
	maxRepeats         = 1 << 14 // pairs
)

// lifetime is how long an attempt may be in flight. It counts as a failure then, so a
// lost reservation neither blocks forever nor is a free attempt.
const lifetime = time.Minute

// Throttle counts failures. Its methods are safe for concurrent use; none of them
// waits. One mutex is enough: what is done under it takes microseconds, and what it is
// for, hashing a password, takes milliseconds.
type Throttle struct {
	digester digester
	changed  chan struct{} // has a value when there is something to tell other nodes

	mu        sync.Mutex
	clock     clock
	limits    Limits
	pairs     *table
	accounts  *table
	addresses *table
	known     *known
	repeats   *repeats
	inFlight  *list.List         // of *flight, oldest first
	guesses   map[digest]*flight // those in flight that have a secret
	shared    shared
}

// New returns a throttle that has seen nothing.
func New(limits Limits) *Throttle { return newThrottle(limits, time.Now) }

func newThrottle(limits Limits, now func() time.Time) *Throttle {
	t := &Throttle{
		digester: newDigester(),
		changed:  make(chan struct{}, 1),
		clock:    newClock(now),
		limits:   limits.complete(),
		inFlight: list.New(),
		shared:   newShared(),
	}
	t.reset()
	return t
}

// reset forgets all but the attempts in flight.
func (t *Throttle) reset() {
	t.pairs = newTable(maxPairs)
	t.accounts = newTable(maxAccounts)
	t.addresses = newTable(maxAddresses)
	t.known = newKnown(maxKnown, maxKnownPerAccount)
	t.repeats = newRepeats(maxRepeats)
	t.guesses = make(map[digest]*flight)
}

// SetLimits changes the limits. What was counted stays and is checked against the new
// limits; only a new prefix turns the addresses it applies to into new sources, with no
// failures and not known good.
func (t *Throttle) SetLimits(limits Limits) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limits = limits.complete()
}

// Limit is a limit that refuses an attempt.
type Limit string

// The limits, by what they are for.
const (
	LimitPair    Limit = "pair"    // an account and a source
	LimitAccount Limit = "account" // the ceiling of an account
	LimitAddress Limit = "address"
	LimitNetwork Limit = "network" // an IPv6 /48
	LimitRate    Limit = "rate"    // see Rate

	// see Bucket
	LimitSessions    Limit = "sessions"
	LimitRevocations Limit = "revocations"
	LimitClient      Limit = "client"
)

// RefusedError says that an attempt must not be made now.
type RefusedError struct {
	RetryAfter time.Duration // whole seconds, at least one
	Limit      Limit         // for the log, not for the refused client; of several the limit with the longest wait
}

// Error says when to try again.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("too many attempts (%s), the next one in %v", e.Limit, e.RetryAfter)
}

// orNil is the error, or nil if there is none.
func (e *RefusedError) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

// refused rounds a wait up to whole seconds.
func refused(limit Limit, wait time.Duration) *RefusedError {
	wait += time.Second - 1
	return &RefusedError{RetryAfter: max(time.Second, wait.Truncate(time.Second)), Limit: limit}
}

// Reserve counts an attempt that is about to be made. The caller then makes it and says
// how it ended, within a minute; but see Reservation.Repeated. The error is a
// *RefusedError: the attempt must not be made. It was not counted, and did not prolong
// any wait. An attempt that could be made if those in flight did not fail may be
// retried in a second.
func (t *Throttle) Reserve(a Attempt) (*Reservation, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.advance()
	k := t.digester.keys(a, t.limits)
	f := t.guesses[k.guess]
	if f == nil {
		f = &flight{throttle: t, keys: k, skipAccount: a.SkipAccount, since: now}
		if err := t.count(f, now); err != nil {
			return nil, err
		}
		if f.known {
			f.refusal = t.refuseStranger(f, now)
		}
		if t.repeats.has(k.pair, a.Fingerprint, now) {
			f.uncount()
			return &Reservation{throttle: t, flight: f, repeated: true, ended: true}, nil
		}
		f.element = t.inFlight.PushBack(f)
		if k.guess != (digest{}) {
			t.guesses[k.guess] = f
		}
	}
	f.reservations++
	return &Reservation{throttle: t, flight: f, fingerprint: a.Fingerprint, also: a.Also}, nil
}

// Outcome is how an attempt that takes no time ended.
type Outcome struct {
	Right bool // the password or secret
	Known bool // whether it is known; if not, the attempt takes time

	// Fingerprint and Also are those of Attempt. A right attempt needs none.
	Fingerprint, Also Fingerprint
}

// Settlement is what became of an attempt that Settle was asked to make.
type Settlement int

// Settlements.
const (
	Unsettled Settlement = iota // it has to be reserved, or was refused
	Settled                     // it has ended
	Locked                      // it has failed, and the account has just reached Limits.AccountCeiling
	Repeated                    // it was wrong a moment ago, so it is wrong and was not counted
	Reached                     // it was refused: failures at several nodes have taken the account to its ceiling, and no node has said so
)

// Settle makes an attempt that takes no time, if it may be made: then outcome is asked
// whether the password or secret is right, and if that is known the attempt has ended.
// If it is not known, or the same guess is in flight, nothing is counted: the attempt
// has to be reserved. It must not call the throttle.
//
// The error is a *RefusedError. If the attempt is unsettled or Reached, the error is that
// of Reserve, and outcome was not asked. Otherwise the attempt was wrong, and the error is
// that of Reservation.AsStranger.
func (t *Throttle) Settle(a Attempt, outcome func() Outcome) (settlement Settlement, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.advance()
	secret := a.Secret
	a.Secret = ""
	f := flight{throttle: t, keys: t.digester.keys(a, t.limits), skipAccount: a.SkipAccount, since: now}
	if len(t.guesses) > 0 && secret != "" && t.guesses[t.digester.guess(f.keys.pair, secret)] != nil {
		return Unsettled, nil // the same guess is in flight, which counts for both
	}
	if err := t.count(&f, now); err != nil {
		if e := t.accounts.find(f.keys.account); e != nil && len(t.accounts.others) > 0 && t.reaches(e) {
			t.tell()
			return Reached, err
		}
		return Unsettled, err
	}
	asked := false
	defer func() {
		if !asked { // it panicked, which is a failure
			f.countFailure(now)
		}
	}()
	o := outcome()
	asked = true

	if o.Known && o.Right {
		f.uncount()
		f.countSuccess()
		return Settled, nil
	}
	repeated := t.repeats.has(f.keys.pair, o.Fingerprint, now)
	if !o.Known && !repeated {
		f.uncount()
		return Unsettled, nil
	}
	if f.known {
		f.refusal = t.refuseStranger(&f, now)
	}
	if repeated {
		f.uncount()
		return Repeated, f.refusal.orNil()
	}
	f.countFailure(now)
	t.repeats.add(f.keys.pair, o.Also, now)
	t.repeats.add(f.keys.pair, o.Fingerprint, now)
	if f.locked {
		return Locked, f.refusal.orNil()
	}
	return Settled, f.refusal.orNil()
}

// count counts an attempt that is about to be made, and finds out whether its source is
// known good.
func (t *Throttle) count(f *flight, now time.Duration) (err error) {
	if f.known, err = t.reserveKnown(f, now); !f.known {
		err = t.reserve(f, now)
	}
	return err
}

// check is what an attempt is counted for, and by which limit.
type check struct {
	limit Limit
	bound bound
	held  held
	owner owner // of the entry
}

// appendPlaces appends the address and the network that an attempt is counted for.
func (t *Throttle) appendPlaces(checks []check, f *flight) []check {
	l, k := &t.limits, &f.keys
	if k.address != (digest{}) {
		checks = append(checks, check{LimitAddress, l.address(), held{t.addresses, k.address}, owner{}})
	}
	if k.network != (digest{}) {
		checks = append(checks, check{LimitNetwork, l.network(), held{t.addresses, k.network}, owner{network: true}})
	}
	return checks
}

// longestWait is the wait of an attempt that is counted for all of these, and the limit
// that causes it.
func longestWait(checks []check, now time.Duration) (longest time.Duration, by Limit) {
	for _, c := range checks {
		counted := c.held.table.look(c.held.key, c.bound, now)
		if wait := counted.wait(c.bound, now); wait > longest {
			longest, by = wait, c.limit
		}
	}
	return longest, by
}

// reserve counts an attempt from any other source, for all of its keys or for none.
func (t *Throttle) reserve(f *flight, now time.Duration) error {
	checks := append(make([]check, 0, 4), check{LimitPair, t.limits.pair(), held{t.pairs, f.keys.pair}, ownerOfPair(&f.keys)})
	if !f.skipAccount {
		checks = append(checks, check{LimitAccount, t.limits.account(), held{t.accounts, f.keys.account}, owner{}})
	}
	checks = t.appendPlaces(checks, f)
	if longest, by := longestWait(checks, now); longest > 0 {
		return refused(by, longest)
	}
	for i, c := range checks {
		e := c.held.table.obtain(c.held.key, now, c.bound.quiet)
		if e == nil {
			for _, c := range checks[:i] {
				c.held.table.cancel(c.held.key)
			}
			return refused(c.limit, inFlightDelay)
		}
		e.inFlight++
		e.owner = c.owner
		if c.limit != LimitPair {
			f.held = append(f.held, c.held)
		}
	}
	return nil
}

// advance reads the clock and ends the attempts that are in flight for too long.
func (t *Throttle) advance() time.Duration {
	now := t.clock.read()
	for {
		oldest := t.inFlight.Front()
		if oldest == nil {
			return now
		}
		f := oldest.Value.(*flight)
		if now-f.since < lifetime {
			return now
		}
		f.failAt(f.since + lifetime)
	}
}
