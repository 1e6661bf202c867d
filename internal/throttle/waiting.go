package throttle

import "time"

// Waiting counts what is refused now because of failures: accounts at their ceiling, at
// which only known good sources may make an attempt; pairs of an account and a source;
// addresses, IPv6 networks included. That is less than what is remembered: after its
// wait each may make an attempt. It looks at all entries, a part at a time, so that
// attempts go on in between.
func (t *Throttle) Waiting() (accounts, pairs, addresses int) {
	count := func(n *int, c counter, b bound, now time.Duration) {
		c.inFlight = 0
		if c.forget(b, now); c.wait(b, now) > 0 {
			*n++
		}
	}
	t.eachFailed(t.accounts, func(e *entry, l *Limits, now time.Duration) { count(&accounts, e.counter, l.account(), now) })
	t.eachFailed(t.pairs, func(e *entry, l *Limits, now time.Duration) { count(&pairs, e.counter, l.pair(), now) })
	t.eachFailed(t.addresses, func(e *entry, l *Limits, now time.Duration) {
		b := l.address()
		if e.owner.network {
			b = l.network()
		}
		count(&addresses, e.counter, b, now)
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.advance()
	for s := range t.known.all {
		if s.failures > 0 {
			count(&pairs, s.counter, t.limits.pair(), now)
		}
	}
	return accounts, pairs, addresses
}

// part is how many entries are looked at before attempts go on.
const part = 4096

// eachFailed calls f with the entries of a table that have failures.
func (t *Throttle) eachFailed(of *table, f func(e *entry, l *Limits, now time.Duration)) {
	look := func(from int) (more bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		now := t.advance()
		to := min(from+part, len(of.entries))
		for i := from; i < to; i++ { // entries do not move
			if e := &of.entries[i]; e.failures > 0 {
				f(e, &t.limits, now)
			}
		}
		return to < len(of.entries)
	}
	for from := 0; look(from); from += part {
	}
}
