package throttle

// Reservation is an attempt in flight. One of Succeed, Fail and Cancel ends it, and further calls do nothing. One that
// nobody ends within a minute has failed; Succeed is still heard then.
type Reservation struct {
	throttle *Throttle
	flight   *flight // shared with those of the same guess
	ended    bool

	fingerprint, also Fingerprint
	repeated          bool
}

// Repeated says that the same was wrong a moment ago. The attempt was not counted and need not be made: its end is Fail.
func (r *Reservation) Repeated() bool { return r.repeated }

// KnownGood says whether somebody had succeeded from this source before, so that the attempt may go before those of
// strangers.
func (r *Reservation) KnownGood() bool { return r.flight.known }

// Succeed makes the source known good for the account and takes away the failures of both.
func (r *Reservation) Succeed() { r.end(r.flight.succeed) }

// Fail says that the password or secret was wrong, or that there is no such account.
func (r *Reservation) Fail() {
	r.end(func() {
		r.flight.fail()
		t := r.throttle
		t.repeats.add(r.flight.keys.pair, r.also, t.clock.passed)
		t.repeats.add(r.flight.keys.pair, r.fingerprint, t.clock.passed)
	})
}

// AsStranger is how an attempt that has failed is to be answered: the *RefusedError that a stranger would have had in
// place of a source that is known good, or nil.
func (r *Reservation) AsStranger() error { return r.flight.refusal.orNil() }

// Cancel says that the attempt was not made, or that nobody knows how it ended and it was not the fault of whoever made
// it.
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
