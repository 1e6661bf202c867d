package throttle

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"
)

// guess is an attempt with its own password.
func guess(a Attempt, password string) Attempt {
	a.Secret = password
	a.Fingerprint = sha256.Sum256([]byte(a.Account + password))
	return a
}

// again says whether an attempt is a repetition, asked in both ways.
func (w *world) again(a Attempt) bool {
	w.Helper()
	r := w.reserve(a)
	defer r.Cancel()
	settlement, err := w.Settle(a, func() Outcome { return Outcome{Fingerprint: a.Fingerprint} })
	if err != nil || (settlement == Repeated) != r.Repeated() {
		w.Errorf("settlement %d, %v; reserved: repeated %t", settlement, err, r.Repeated())
	}
	return r.Repeated()
}

// C4: a client that sends everything twice, or a script with a typo.
func TestTheSameWrongSecretAgainIsNotAnotherFailure(t *testing.T) {
	w := newWorld(t, Limits{})
	alice := from("192.0.2.1", "alice")
	w.fails(1, guess(alice, "typo"))
	before := w.entries()
	for range 1000 {
		if !w.again(guess(alice, "typo")) {
			t.Fatal("it is not a repetition")
		}
		r := w.reserve(guess(alice, "typo"))
		r.Fail()
		settlement, err := w.Settle(guess(alice, "typo"), func() Outcome {
			return Outcome{Known: true, Fingerprint: guess(alice, "typo").Fingerprint} // of a secret that is compared at once
		})
		if settlement != Repeated || err != nil {
			t.Fatalf("settlement %d, %v", settlement, err)
		}
	}
	w.remembers(before)
	for _, limit := range []*table{w.pairs, w.accounts, w.addresses} {
		for _, e := range limit.entries[1:] {
			if e.failures != 1 || e.inFlight != 0 {
				t.Errorf("%+v", e.counter)
			}
		}
	}
	w.succeeds(guess(alice, "right"))
	if !w.again(guess(alice, "typo")) {
		t.Error("a success makes a wrong secret unknown")
	}
}

func TestDifferentWrongSecretsAreFailures(t *testing.T) {
	w := newWorld(t, Limits{})
	alice := from("192.0.2.1", "alice")
	for i := range 5 {
		w.fails(1, guess(alice, fmt.Sprint(i)))
	}
	w.refused(guess(alice, "right"), 30*time.Second, LimitPair, "five failures")
	// a client that has to wait waits, whatever it sends
	w.refused(guess(alice, "4"), 30*time.Second, LimitPair, "a repetition")
	settled, err := w.Settle(guess(alice, "4"), w.unasked)
	if _, refused := errors.AsType[*RefusedError](err); settled != Unsettled || !refused {
		t.Errorf("settlement %d, %v", settled, err)
	}
	w.pass(30 * time.Second)
	if !w.again(guess(alice, "4")) || w.again(guess(alice, "0")) {
		t.Error("the last four are not what is remembered")
	}
	w.fails(1, guess(alice, "0")) // the fifth last
	w.refused(guess(alice, "right"), time.Minute, LimitPair, "six failures")
}

// Nothing is known about another source, account or secret, nor after the hash has
// changed.
func TestAWrongSecretIsRememberedForItsPair(t *testing.T) {
	w := newWorld(t, Limits{})
	alice := from("192.0.2.1", "alice")
	w.fails(1, guess(alice, "typo"))
	rehashed := guess(alice, "typo")
	rehashed.Fingerprint[31]++ // only the beginning counts
	if !w.again(rehashed) {
		t.Error("more than the beginning counts")
	}
	rehashed.Fingerprint[0]++
	for name, other := range map[string]Attempt{
		"another source":                guess(from("192.0.2.2", "alice"), "typo"),
		"a page of another site":        guess(Attempt{Account: alice.Account, Source: alice.Source.CrossSite()}, "typo"),
		"a back end":                    guess(through("web", "alice"), "typo"),
		"another account":               guess(from("192.0.2.1", "bob"), "typo"),
		"another secret":                guess(alice, "typ0"),
		"the same against another hash": rehashed,
		"one without a fingerprint":     alice,
	} {
		if w.again(other) {
			t.Errorf("%s is a repetition", name)
		}
	}
	w.fails(5, from("192.0.2.3", "carol"))
	w.refused(from("192.0.2.3", "carol"), 30*time.Second, LimitPair, "five without a fingerprint")
}

func TestAWrongSecretIsRememberedAsLongAsItIsSentEveryFewMinutes(t *testing.T) {
	w := newWorld(t, Limits{})
	a := guess(from("192.0.2.1", "alice"), "typo")
	w.fails(1, a)
	for range 100 {
		w.pass(repeatTime - 1)
		if !w.again(a) {
			t.Fatal("it is forgotten")
		}
	}
	w.pass(repeatTime)
	if w.again(a) {
		t.Error("it is not forgotten")
	}
	w.fails(1, a)
	if !w.again(a) || w.repeats.pairs.Len() != 1 {
		t.Error("it is not remembered again")
	}
}

// What was never known to be wrong is not remembered: neither a lost nor a cancelled
// attempt, nor a right one.
func TestOnlyWhatIsWrongIsRemembered(t *testing.T) {
	for name, end := range map[string]func(w *world, r *Reservation){
		"succeeds":       func(_ *world, r *Reservation) { r.Succeed() },
		"is cancelled":   func(_ *world, r *Reservation) { r.Cancel() },
		"is lost":        func(w *world, _ *Reservation) { w.pass(time.Minute) },
		"ends only once": func(_ *world, r *Reservation) { r.Succeed(); r.Fail() },
	} {
		w := newWorld(t, Limits{})
		a := guess(from("192.0.2.1", "alice"), "guess")
		end(w, w.reserve(a))
		if w.again(a) {
			t.Errorf("an attempt that %s is remembered", name)
		}
	}
	w := newWorld(t, Limits{})
	a := guess(from("192.0.2.1", "alice"), "guess")
	r := w.reserve(a)
	w.pass(2 * time.Minute)
	r.Fail() // late
	if !w.again(a) {
		t.Error("what is wrong, as is known late, is not remembered")
	}
}

// Equal attempts at the same time are one guess, and those that come when it has ended
// are a repetition of it.
func TestEqualAttemptsAtTheSameTimeAreOneFailure(t *testing.T) {
	w := newWorld(t, Limits{})
	a := guess(from("192.0.2.1", "alice"), "typo")
	first := w.reserve(a)
	if settlement, err := w.Settle(a, w.unasked); settlement != Unsettled || err != nil {
		t.Fatalf("settlement %d, %v", settlement, err)
	}
	second := w.reserve(a)
	first.Fail()
	if late := w.reserve(a); !late.Repeated() {
		t.Error("an attempt that was settled before, and is reserved now, counts anew")
	}
	second.Fail()
	if e := w.pairs.find(w.digester.keys(a, w.limits).pair); e.failures != 1 || e.inFlight != 0 {
		t.Errorf("%+v", e.counter)
	}
}

func TestTheTableOfWrongSecretsIsBounded(t *testing.T) {
	r := newRepeats(100)
	nth := func(i int) (d digest) {
		binary.BigEndian.PutUint64(d[:], uint64(i))
		return d
	}
	f := Fingerprint{1}
	for i := range 1000 {
		r.add(nth(i), f, 0)
		r.has(nth(0), f, 0) // which is in use, and stays
	}
	if r.pairs.Len() != 100 || !r.has(nth(0), f, 0) || !r.has(nth(999), f, 0) || r.has(nth(900), f, 0) {
		t.Errorf("%d pairs", r.pairs.Len())
	}
	for i := range byte(200) {
		r.add(nth(0), Fingerprint{i + 1}, time.Duration(i))
	}
	for i := range byte(200) {
		if got, want := r.has(nth(0), Fingerprint{i + 1}, 200), i >= 200-repeatsPerPair; got != want {
			t.Errorf("fingerprint %d: %t", i, got)
		}
	}
	if r.has(nth(0), Fingerprint{}, 200) {
		t.Error("no fingerprint is one")
	}
}
