package throttle

import (
	"container/list"
	"time"
)

// flight is a guess that is being checked: one reservation, or several that were made
// at the same time for the same account, source and secret. The first of them that
// knows how it ended decides for all. Throttle.mu guards it.
type flight struct {
	throttle     *Throttle
	keys         keys
	skipAccount  bool
	known        bool          // its source was known good when it took off
	refusal      *RefusedError // if so, what a stranger would have been told then
	held         []held        // where it is in flight, apart from the pair
	forgiven     bool          // it is not in flight for the pair, see Forgive
	since        time.Duration
	element      *list.Element // in Throttle.inFlight; nil when it has landed
	reservations int           // that have not ended
	locked       bool          // it was the last failure that the account may have
}

// held is where an attempt is in flight.
type held struct {
	table *table
	key   digest
}

// succeed counts even after the flight has landed: it may have taken too long, or the
// account got the password since.
func (f *flight) succeed() {
	f.giveBack()
	f.countSuccess()
}

func (f *flight) fail() { f.failAt(f.throttle.clock.passed) }

func (f *flight) failAt(at time.Duration) {
	if f.land() {
		f.countFailure(at)
	}
}

// cancel leaves the flight to the others, if there are any.
func (f *flight) cancel() {
	if f.reservations == 0 {
		f.giveBack()
	}
}

// giveBack ends the flight as if it had never been.
func (f *flight) giveBack() {
	if f.land() {
		f.uncount()
	}
}

// countSuccess is for an attempt that is no longer counted as in flight.
func (f *flight) countSuccess() {
	k, t := &f.keys, f.throttle
	c := newCounter(t.clock.passed, t.pairs.total)
	cleared := false
	if s := t.known.find(k.account, k.pair); s != nil {
		c.inFlight, cleared = s.inFlight, s.failures > 0 // in flight are others of the same pair
	} else if e := t.pairs.find(k.pair); e != nil {
		c.inFlight, cleared = e.inFlight, e.failures > 0
		t.pairs.remove(k.pair)
	}
	t.known.add(k.account, k.pair, tagOf(k.address), c)
	cleared = t.clearOthers(Pairs, k.pair) || cleared
	if !f.skipAccount {
		cleared = t.accounts.clear(k.account) || cleared
		cleared = t.clearOthers(Accounts, k.account) || cleared
	}
	if cleared {
		t.tell()
	}
}

// countFailure makes an attempt in flight a failure.
func (f *flight) countFailure(at time.Duration) {
	if !f.forgiven {
		f.failPair(at)
	}
	t := f.throttle
	for _, h := range f.held {
		h.table.fail(h.key, at)
		if h.table == t.accounts {
			f.locked = t.reaches(t.accounts.find(h.key))
		}
	}
	t.tell()
}

// reaches says whether an account has just reached its ceiling, and no node has said so
// before.
func (t *Throttle) reaches(e *entry) bool {
	elsewhere := t.accounts.others[e.key]
	if int(e.failures+elsewhere.failures) < t.limits.AccountCeiling {
		e.told = false
		return false
	}
	first := !e.told && !elsewhere.told
	e.told = true
	return first
}

func (f *flight) failPair(at time.Duration) {
	t := f.throttle
	if s := t.known.find(f.keys.account, f.keys.pair); s != nil {
		t.pairs.total++
		s.fail(at)
		s.consecutive++
	} else {
		t.pairs.fail(f.keys.pair, at)
	}
}

// uncount takes an attempt in flight back.
func (f *flight) uncount() {
	if !f.forgiven {
		f.uncountPair()
	}
	for _, h := range f.held {
		h.table.cancel(h.key)
	}
}

func (f *flight) uncountPair() {
	t := f.throttle
	if s := t.known.find(f.keys.account, f.keys.pair); s != nil {
		s.inFlight--
	} else {
		t.pairs.cancel(f.keys.pair)
	}
}

// land takes the flight out of those in flight, and says whether it was there.
func (f *flight) land() bool {
	if f.element == nil {
		return false
	}
	f.throttle.inFlight.Remove(f.element)
	delete(f.throttle.guesses, f.keys.guess)
	f.element = nil
	return true
}
