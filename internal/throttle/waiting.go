package throttle

import "time"

// Waiting counts what is refused now because of failures: accounts at their ceiling, at
// which only known good sources may make an attempt; pairs of an account and a source;
// addresses, IPv6 networks included. That is less than what is remembered: after its
// wait each may make an attempt. What other nodes have counted is in it, as far as it
// is known here. It looks at all entries, a part at a time, so that attempts go on in
// between.
func (t *Throttle) Waiting() (accounts, pairs, addresses int) {
	var waiting [kinds]int
	count := func(kind Kind, c counter, elsewhere others, b bound, now time.Duration) {
		c.inFlight = 0
		if all := c.look(elsewhere, b, now); all.wait(b, now) > 0 {
			waiting[kind]++
		}
	}
	for kind := range kinds {
		in := t.tableNow(kind)
		t.eachFailed(in, func(e *entry, l *Limits, now time.Duration) {
			count(kind, e.counter, in.others[e.key], l.of(kind, e.owner.network), now)
		})
	}
	knownFailed := make(map[Key]bool)
	t.locked(func(now time.Duration) {
		for s := range t.known.all {
			if s.failures > 0 {
				knownFailed[s.pair] = true
				count(Pairs, s.counter, t.pairs.others[s.pair], t.limits.pair(), now)
			}
		}
	})
	for kind := range kinds {
		t.locked(func(now time.Duration) {
			in := t.table(kind)
			for key, elsewhere := range in.others {
				e := in.find(key)
				if counted := e != nil && e.failures > 0 || kind == Pairs && knownFailed[key]; !counted {
					count(kind, counter{}, elsewhere, t.limits.of(kind, elsewhere.owner.network), now)
				}
			}
		})
	}
	return waiting[Accounts], waiting[Pairs], waiting[Addresses]
}

// locked calls f under the lock, with the time.
func (t *Throttle) locked(f func(now time.Duration)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.advance())
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
