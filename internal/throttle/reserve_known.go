package throttle

import "time"

// reserveKnown counts an attempt if its source is known good, and says whether it is.
func (t *Throttle) reserveKnown(f *flight, now time.Duration) (known bool, err error) {
	b := t.limits.pair()
	s := t.known.find(f.keys.account, f.keys.pair)
	if s == nil {
		return t.reserveKnownElsewhere(f, now)
	}
	elsewhere := t.pairs.others[f.keys.pair]
	c := s.look(elsewhere, b, now)
	consecutive := int(s.consecutive + elsewhere.failures)
	if consecutive >= t.limits.AccountCeiling {
		// its failures go on where all others are
		e := t.pairs.obtain(f.keys.pair, now, b.quiet)
		if e == nil {
			return true, refused(LimitPair, inFlightDelay)
		}
		e.counter, e.owner = s.counter, ownerOfPair(&f.keys)
		t.known.remove(f.keys.account, f.keys.pair)
		return false, nil
	}
	if err := t.refuseKnown(f, c, consecutive, now); err != nil {
		return true, err
	}
	s.inFlight++
	return true, nil
}

// reserveKnownElsewhere is reserveKnown for a source that is known good at another
// node. Its failures here are in the table of the pairs.
func (t *Throttle) reserveKnownElsewhere(f *flight, now time.Duration) (known bool, err error) {
	if _, known := t.shared.known[f.keys.pair]; !known {
		return false, nil
	}
	b := t.limits.pair()
	c := t.pairs.look(f.keys.pair, b, now)
	if int(c.failures) >= t.limits.AccountCeiling {
		return false, nil
	}
	if err := t.refuseKnown(f, c, int(c.failures), now); err != nil {
		return true, err
	}
	e := t.pairs.obtain(f.keys.pair, now, b.quiet)
	if e == nil {
		return true, refused(LimitPair, inFlightDelay)
	}
	e.inFlight++
	e.owner = ownerOfPair(&f.keys)
	return true, nil
}

// refuseKnown is the refusal of an attempt from a source that is known good, nil if the
// attempt may be made.
func (t *Throttle) refuseKnown(f *flight, c counter, consecutive int, now time.Duration) error {
	wait := c.wait(t.limits.pair(), now)
	if wait == 0 && consecutive+int(c.inFlight) >= t.limits.AccountCeiling {
		wait = inFlightDelay
	}
	if wait == 0 {
		return nil
	}
	refusal := refused(LimitPair, wait)
	if stranger := t.refuseStranger(f, now); stranger != nil {
		refusal.RetryAfter = stranger.RetryAfter
	}
	return refusal
}

// refuseStranger is what a stranger at its address would be told in place of a known
// good source, nil if the attempt would be allowed. The ceiling of the account is not
// in it: an attacker who burns that is elsewhere, and would have the owner told to wait
// for each typo.
func (t *Throttle) refuseStranger(f *flight, now time.Duration) *RefusedError {
	if wait, by := longestWait(t.appendPlaces(make([]check, 0, 2), f), now); wait > 0 {
		return refused(by, wait)
	}
	return nil
}
