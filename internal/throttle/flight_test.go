package throttle

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// with adds the secret to an attempt.
func with(a Attempt, secret string) Attempt {
	a.Secret = secret
	return a
}

// A back end presents its secret with each request, and has many at the same time.
func TestTheSameGuessInFlightCountsOnce(t *testing.T) {
	w := newWorld(t, Limits{})
	right := with(from("192.0.2.1", "alice"), "right")
	var tries []*Reservation
	for range 100 {
		tries = append(tries, w.reserve(right))
	}
	w.remembers(entries{Pairs: 1, Accounts: 1, Addresses: 1, InFlight: 1})
	for i := range 4 {
		w.reserve(with(from("192.0.2.1", "alice"), strings.Repeat("wrong", 1+i)))
	}
	w.refused(with(from("192.0.2.1", "alice"), "another"), time.Second, LimitPair, "five guesses in flight")
	w.allowed(right, "one of the five")
	w.refused(from("192.0.2.1", "alice"), time.Second, LimitPair, "an attempt that does not say what it is")
	w.allowed(with(from("192.0.2.2", "alice"), "right"), "another source")
	w.remembers(entries{Pairs: 1, Accounts: 1, Addresses: 1, InFlight: 5})
	for _, r := range tries {
		r.Succeed()
	}
	w.remembers(entries{Known: 1, Accounts: 1, Addresses: 1, InFlight: 4})
}

func TestTheFirstToKnowDecidesForTheGuess(t *testing.T) {
	const (
		succeed = 's'
		fail    = 'f'
		cancel  = 'c'
		lose    = 'l'
	)
	nothing, failed, good := entries{}, entries{Pairs: 1, Accounts: 1, Addresses: 1}, entries{Known: 1}
	for _, c := range []struct {
		ends   string
		want   entries
		times  uint32 // failures of the address
		reason string
	}{
		{"sss", good, 0, "all succeed"},
		{"fff", failed, 1, "all fail"},
		{"ccc", nothing, 0, "all are cancelled"},
		{"cfc", failed, 1, "one is not cancelled, and fails"},
		{"ccs", good, 0, "one is not cancelled, and succeeds"},
		{"fcc", failed, 1, "one fails, the others are cancelled"},
		{"fss", entries{Known: 1, Addresses: 1}, 1, "the password became right meanwhile"},
		{"sff", good, 0, "the password became wrong meanwhile"},
		{"cll", failed, 1, "two are lost"},
		{"lls", entries{Known: 1, Addresses: 1}, 1, "two are lost, one succeeds late"},
		{"llc", failed, 1, "two are lost, one is cancelled late"},
	} {
		w := newWorld(t, Limits{})
		a := with(from("192.0.2.1", "alice"), "guess")
		tries := []*Reservation{w.reserve(a), w.reserve(a), w.reserve(a)}
		for i, end := range c.ends {
			switch end {
			case succeed:
				tries[i].Succeed()
			case fail:
				tries[i].Fail()
			case cancel:
				tries[i].Cancel()
			case lose:
				w.pass(time.Minute)
			}
		}
		if got := w.entries(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.reason, got, c.want)
		}
		var times uint32
		if e := w.addresses.find(w.digester.keys(a, w.limits).address); e != nil {
			times = e.failures
		}
		if times != c.times || len(w.guesses) != 0 {
			t.Errorf("%s: %d failures, want %d; %d guesses", c.reason, times, c.times, len(w.guesses))
		}
	}
}

func TestTheSameGuessAgainIsAnotherFailure(t *testing.T) {
	w := newWorld(t, Limits{})
	a := with(from("192.0.2.1", "alice"), "guess")
	w.fails(5, a)
	w.refused(a, 30*time.Second, LimitPair, "five failures one after the other")
}

// A guess that others wait for does not depend on the first of them.
func TestAGuessIsInFlightForAMinuteHoweverManyMakeIt(t *testing.T) {
	w := newWorld(t, Limits{})
	a := with(from("192.0.2.1", "alice"), "guess")
	for range 8 {
		w.reserve(a)
		w.pass(25 * time.Second)
	}
	// at 0, 75 and 150 seconds; the last has not been for a minute
	if e := w.pairs.find(w.digester.keys(a, w.limits).pair); e.failures != 2 || e.inFlight != 1 {
		t.Errorf("%+v", e.counter)
	}
}

func TestABusyBackEndIsNotRefused(t *testing.T) {
	w := newWorld(t, Limits{})
	secret := Attempt{
		Account: Join("auth", "client", "web"), SkipAccount: true,
		Source: from("192.0.2.1", "").Source, Secret: "right",
	}
	var refused atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range 20 {
				if r, err := w.Reserve(secret); err != nil {
					refused.Add(1)
				} else {
					r.Succeed()
				}
			}
		})
	}
	all.Wait()
	if refused.Load() != 0 {
		t.Errorf("%d refused", refused.Load())
	}
	w.remembers(entries{Known: 1})
}
