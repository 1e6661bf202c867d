package throttle

// Reservation is an attempt in flight. One of Succeed, Fail and Cancel ends it, and
// further calls do nothing. A reservation that has not ended within a minute has
// failed; Succeed still counts then.
type Reservation struct {
	throttle *Throttle
	flight   *flight // shared with those of the same guess
	ended    bool

	fingerprint, also Fingerprint
	repeated          bool
	locked            bool
}

// Repeated says that the same guess was wrong a moment ago. The attempt was not counted
// and need not be made: its end is Fail.
func (r *Reservation) Repeated() bool { return r.repeated }

// Recognize is for an attempt that was reserved before it was known what its secret is
// compared with: it brings the fingerprints of Attempt. It says whether the same guess
// was wrong a moment ago: then the reservation is Repeated and has ended.
func (r *Reservation) Recognize(fingerprint, also Fingerprint) bool {
	t := r.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.advance()
	if r.ended {
		return r.repeated
	}
	r.fingerprint, r.also = fingerprint, also
	if !t.repeats.has(r.flight.keys.pair, fingerprint, now) {
		return false
	}
	r.repeated, r.ended = true, true
	r.flight.reservations--
	r.flight.cancel()
	return true
}

// KnownGood says whether an attempt from this source had succeeded before, so that this
// attempt may go before those of strangers.
func (r *Reservation) KnownGood() bool { return r.flight.known }

// Succeed makes the source known good for the account and takes away the failures of
// both.
func (r *Reservation) Succeed() { r.end(r.flight.succeed) }

// Fail says that the password or secret was wrong, or that there is no such account.
func (r *Reservation) Fail() {
	r.end(func() {
		landed := r.flight.element == nil // already, by another reservation of this guess or by time
		r.flight.fail()
		r.locked = r.flight.locked && !landed
		t := r.throttle
		t.repeats.add(r.flight.keys.pair, r.also, t.clock.passed)
		t.repeats.add(r.flight.keys.pair, r.fingerprint, t.clock.passed)
	})
}

// Locked says, once the attempt has failed, that this was the last failure that the
// account may have: it has just reached Limits.AccountCeiling.
func (r *Reservation) Locked() bool { return r.locked }

// AsStranger is how an attempt that has failed is to be answered: the *RefusedError
// that a stranger would have got in place of a known good source, or nil.
func (r *Reservation) AsStranger() error { return r.flight.refusal.orNil() }

// Cancel says that the attempt was not made, or that its end is unknown through no
// fault of the client.
func (r *Reservation) Cancel() { r.end(r.flight.cancel) }

// end does something under the lock, the first time that it is called.
func (r *Reservation) end(how func()) {
	r.throttle.mu.Lock()
	defer r.throttle.mu.Unlock()
	r.throttle.advance() // which may end the flight
	if !r.ended {
		r.ended = true
		r.flight.reservations--
		how()
	}
}
