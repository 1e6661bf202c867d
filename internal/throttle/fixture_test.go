package throttle

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// fakeClock stands still unless told.
type fakeClock struct {
	mu   sync.Mutex
	time time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

func (c *fakeClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time = c.time.Add(d)
}

// world is a throttle and its clock.
type world struct {
	*testing.T
	*Throttle
	*fakeClock
}

func newWorld(t *testing.T, limits Limits) *world {
	c := newFakeClock()
	return &world{t, newThrottle(limits, c.now), c}
}

// reserve reserves an attempt that must be allowed.
func (w *world) reserve(a Attempt) *Reservation {
	w.Helper()
	r, err := w.Reserve(a)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// fails makes attempts that must be allowed, and that fail.
func (w *world) fails(n int, a Attempt) {
	w.Helper()
	for range n {
		w.reserve(a).Fail()
	}
}

// failsWhenAllowed makes attempts that fail, and waits before each as long as
// necessary.
func (w *world) failsWhenAllowed(n int, a Attempt) {
	w.Helper()
	for range n {
		wait, _ := w.wait(a)
		w.pass(wait)
		w.fails(1, a)
	}
}

func (w *world) succeeds(a Attempt) {
	w.Helper()
	w.reserve(a).Succeed()
}

// wait returns how long an attempt has to wait, and which limit says so. It makes no
// attempt.
func (w *world) wait(a Attempt) (time.Duration, Limit) {
	w.Helper()
	r, err := w.Reserve(a)
	if err == nil {
		r.Cancel()
		return 0, ""
	}
	var refused *RefusedError
	if !errors.As(err, &refused) {
		w.Fatalf("%T", err)
	}
	if refused.RetryAfter < time.Second || refused.RetryAfter%time.Second != 0 {
		w.Errorf("Retry-After is %v", refused.RetryAfter)
	}
	return refused.RetryAfter, refused.Limit
}

func (w *world) allowed(a Attempt, why string) {
	w.Helper()
	if wait, limit := w.wait(a); wait != 0 {
		w.Errorf("%s: wait %v (%s), want none", why, wait, limit)
	}
}

func (w *world) refused(a Attempt, wait time.Duration, limit Limit, why string) {
	w.Helper()
	if gotWait, gotLimit := w.wait(a); gotWait != wait || gotLimit != limit {
		w.Errorf("%s: wait %v (%s), want %v (%s)", why, gotWait, gotLimit, wait, limit)
	}
}

// entries are how much a throttle remembers.
type entries struct {
	Pairs     int // of account and source, without those known good
	Accounts  int
	Addresses int // IPv6 networks included
	Known     int // good sources of accounts
	InFlight  int // guesses that are being checked
}

// entries counts what is not forgotten.
func (w *world) entries() entries {
	w.Throttle.mu.Lock()
	defer w.Throttle.mu.Unlock()
	now := w.advance()
	w.pairs.dropAllForgotten(now, w.limits.pair().quiet)
	w.accounts.dropAllForgotten(now, w.limits.account().quiet)
	w.addresses.dropAllForgotten(now, w.limits.address().quiet)
	return entries{
		Pairs: w.pairs.len(), Accounts: w.accounts.len(), Addresses: w.addresses.len(),
		Known: w.known.sources, InFlight: w.inFlight.Len(),
	}
}

func (t *table) dropAllForgotten(now, quiet time.Duration) {
	for t.dropForgotten(now, quiet) {
	}
}

func (w *world) remembers(want entries) {
	w.Helper()
	if got := w.entries(); got != want {
		w.Errorf("entries are %+v, want %+v", got, want)
	}
}

// user is the account of a user.
func user(name string) string { return Join("auth", "user", name) }

// from is an attempt on a user's password from an address.
func from(address, name string) Attempt {
	return Attempt{Account: user(name), Source: Address(netip.MustParseAddr(address))}
}

// through is an attempt through a back end that has authenticated and names no
// addresses.
func through(client, name string) Attempt {
	return Attempt{Account: user(name), Source: Party(Join("auth", client))}
}

// nth returns one of many addresses that share no /48 and no /64.
func nth(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }
