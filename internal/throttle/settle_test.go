package throttle

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// settles makes an attempt that takes no time and may be made.
func (w *world) settles(a Attempt, right bool) {
	w.Helper()
	if settled, err := w.Settle(a, func() Outcome { return Outcome{Right: right, Known: true} }); settled != Settled || err != nil {
		w.Fatalf("settlement %d, %v", settled, err)
	}
}

// unasked is the outcome of an attempt that must not be made.
func (w *world) unasked() Outcome {
	w.Helper()
	w.Error("the attempt was made")
	return Outcome{Right: true, Known: true}
}

func TestAnAttemptThatTakesNoTimeIsNeverInFlight(t *testing.T) {
	a := with(from("192.0.2.1", "alice"), "guess")
	t.Run("right", func(t *testing.T) {
		w := newWorld(t, Limits{})
		w.fails(4, from("192.0.2.1", "alice"))
		w.settles(a, true)
		w.remembers(entries{Addresses: 1, Known: 1})
		w.fails(4, from("192.0.2.1", "alice"))
		w.allowed(a, "the earlier failures are gone")
	})
	t.Run("wrong", func(t *testing.T) {
		w := newWorld(t, Limits{})
		for range 5 {
			w.settles(a, false)
		}
		w.remembers(entries{Pairs: 1, Accounts: 1, Addresses: 1})
		w.refused(a, 30*time.Second, LimitPair, "five failures")
	})
	t.Run("not known", func(t *testing.T) {
		w := newWorld(t, Limits{})
		settled, err := w.Settle(a, func() Outcome { return Outcome{Right: true} })
		if settled != Unsettled || err != nil {
			t.Errorf("settlement %d, %v", settled, err)
		}
		w.remembers(entries{})
	})
}

func TestAnAttemptThatPanicsHasFailed(t *testing.T) {
	w := newWorld(t, Limits{})
	a := with(from("192.0.2.1", "alice"), "guess")
	for range 5 {
		func() {
			defer func() { _ = recover() }()
			_, _ = w.Settle(a, func() Outcome { panic("in the outcome") })
		}()
	}
	w.refused(a, 30*time.Second, LimitPair, "five failures")
	w.pass(30 * time.Second)
	w.settles(a, true)
	w.remembers(entries{Known: 1, Addresses: 1})
}

// C4: a client that has to wait learns nothing about the guess, not even by how long
// the answer takes.
func TestAnAttemptThatMustNotBeMadeIsNotMade(t *testing.T) {
	for _, known := range []bool{false, true} {
		w := newWorld(t, Limits{})
		a := with(from("192.0.2.1", "alice"), "guess")
		if known {
			w.settles(a, true)
		}
		w.fails(5, a)
		settled, err := w.Settle(a, w.unasked)
		if refused, ok := errors.AsType[*RefusedError](err); settled != Unsettled || !ok || refused.RetryAfter != 30*time.Second || refused.Limit != LimitPair {
			t.Errorf("known good %t: settlement %d, %v", known, settled, err)
		}
	}
}

// A back end that logs in with its secret many times at the same time does not get in
// its own way.
func TestAGuessInFlightIsNotMadeASecondTime(t *testing.T) {
	w := newWorld(t, Limits{Failures: 1})
	a := with(from("192.0.2.1", "alice"), "guess")
	first := w.reserve(a)
	if settled, err := w.Settle(a, w.unasked); settled != Unsettled || err != nil {
		t.Errorf("settlement %d, %v", settled, err)
	}
	if _, err := w.Settle(with(a, "another"), w.unasked); err == nil {
		t.Error("another guess is allowed, while a guess that may be the last is in flight")
	}
	second := w.reserve(a)
	first.Cancel()
	second.Succeed()
	w.remembers(entries{Known: 1})
}

// Made at once or one after the other, attempts are counted alike.
func TestSettlingIsReservingAndEnding(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		atOnce, reserved := newWorld(t, Limits{Failures: 2, AccountCeiling: 4}), newWorld(t, Limits{Failures: 2, AccountCeiling: 4})
		for range rapid.IntRange(1, 60).Draw(rt, "attempts") {
			a := from(rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "2001:db8::1"}).Draw(rt, "address"),
				rapid.SampledFrom([]string{"alice", "bob"}).Draw(rt, "name"))
			if rapid.Bool().Draw(rt, "through a client") {
				a = through("web", "alice")
			}
			a.SkipAccount = rapid.Bool().Draw(rt, "skip account")
			a.Secret = rapid.SampledFrom([]string{"", "secret"}).Draw(rt, "secret")
			right := rapid.Bool().Draw(rt, "right")
			if !right {
				a.Fingerprint = Fingerprint{rapid.ByteMax(7).Draw(rt, "fingerprint")} // 0: none
			}

			_, got := atOnce.Settle(a, func() Outcome { return Outcome{Right: right, Known: true, Fingerprint: a.Fingerprint} })
			r, want := reserved.Reserve(a)
			switch {
			case want == nil && right:
				r.Succeed()
			case want == nil:
				r.Fail()
				want = r.AsStranger()
			}
			if (got == nil) != (want == nil) || got != nil && *got.(*RefusedError) != *want.(*RefusedError) {
				rt.Fatalf("at once: %v; reserved: %v", got, want)
			}
			if got, want := atOnce.entries(), reserved.entries(); got != want {
				rt.Fatalf("at once: %+v; reserved: %+v", got, want)
			}
			pass := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 29, 30, 3600}).Draw(rt, "seconds")) * time.Second
			atOnce.pass(pass)
			reserved.pass(pass)
		}
	})
}
