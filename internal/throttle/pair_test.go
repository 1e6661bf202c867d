package throttle

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// C4, C6
func TestDelaysGrowFromHalfAMinuteToAnHour(t *testing.T) {
	w := newWorld(t, Limits{})
	a := from("192.0.2.1", "alice")
	w.fails(5, a)
	for i, want := range []time.Duration{
		30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute,
		32 * time.Minute, time.Hour, time.Hour, time.Hour,
	} {
		w.refused(a, want, LimitPair, "after the failure")
		w.pass(500 * time.Millisecond)
		w.refused(a, want, LimitPair, "half a second is rounded up")
		w.pass(want - 500*time.Millisecond - 1)
		w.refused(a, time.Second, LimitPair, "a nanosecond too early, rounded up")
		w.pass(1)
		w.allowed(a, "in time")
		w.fails(1, a)
		if i == 0 {
			w.allowed(from("192.0.2.1", "bob"), "another user at that address")
			w.allowed(from("192.0.2.2", "alice"), "that user at another address")
		}
	}
}

func TestLimitsOutOfRangeCountAsTheirDefaults(t *testing.T) {
	d := DefaultLimits()
	for _, c := range []struct {
		given, want Limits
		reason      string
	}{
		{Limits{}, d, "nothing is set"},
		{d, d, "defaults"},
		{Limits{-1, -1, -1, -1, -1, -1}, d, "negative"},
		{Limits{IPv4Prefix: 33, IPv6Prefix: 129}, d, "longer than addresses"},
		{Limits{7, 2 * time.Hour, time.Minute, 3, 24, 56}, Limits{7, 2 * time.Hour, 2 * time.Hour, 3, 24, 56}, "MaxDelay below MinDelay"},
		{
			Limits{math.MaxInt, math.MaxInt64, math.MaxInt64, math.MaxInt, 1, 1},
			Limits{mostFailures, longestDelay, longestDelay, mostFailures, 1, 1}, "so much that it overflows",
		},
	} {
		got := c.given.complete()
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.reason, got, c.want)
		}
		for _, b := range []bound{got.pair(), got.address(), got.network(), got.account()} {
			for _, n := range []int{b.failures, b.failures + 1, b.failures + 100, math.MaxInt32} {
				if d := b.delay(n); d < b.min || d > b.max || b.quiet <= b.max {
					t.Errorf("%s: %+v waits %v after %d failures", c.reason, b, d, n)
				}
			}
		}
	}
}

func TestRefusedAttemptsNeitherCountNorProlongTheWait(t *testing.T) {
	w := newWorld(t, Limits{})
	a := from("192.0.2.1", "alice")
	w.fails(5, a)
	before := w.entries()
	for range 1000 {
		if _, err := w.Reserve(a); err == nil {
			t.Fatal("not refused")
		}
		w.pass(29 * time.Millisecond)
	}
	w.remembers(before)
	w.refused(a, time.Second, LimitPair, "29 seconds later")
	w.pass(time.Second)
	w.fails(1, a)
	w.refused(a, time.Minute, LimitPair, "the sixth failure")
}

func TestFailuresAreForgottenAfterAQuietTime(t *testing.T) {
	w := newWorld(t, Limits{})
	a := from("192.0.2.1", "alice")
	w.failsWhenAllowed(30, a)
	w.pass(24*time.Hour - 1)
	w.fails(1, a) // the quiet time starts anew
	w.pass(24*time.Hour - 1)
	if e := w.entries(); e.Pairs != 1 {
		t.Errorf("%+v", e)
	}
	w.pass(1)
	w.fails(4, a)
	w.allowed(a, "after four failures")
	w.pass(100 * time.Hour)
	w.remembers(entries{})
}

func TestTheQuietTimeIsLongerThanTheLongestWait(t *testing.T) {
	w := newWorld(t, Limits{Failures: 1, MinDelay: 72 * time.Hour, MaxDelay: 72 * time.Hour})
	a := from("192.0.2.1", "alice")
	w.fails(1, a)
	w.pass(72*time.Hour - time.Second)
	w.refused(a, time.Second, LimitPair, "after almost 72 hours")
	w.pass(time.Second)
	w.fails(1, a)
	w.refused(a, 72*time.Hour, LimitPair, "after another failure")
}

func TestASuccessClearsThePairAndTheAccount(t *testing.T) {
	w := newWorld(t, Limits{})
	a := from("192.0.2.1", "alice")
	w.fails(4, a)
	w.fails(4, from("192.0.2.2", "alice"))
	w.succeeds(a)
	w.fails(5, a)
	w.refused(a, 30*time.Second, LimitPair, "five failures after a success")
	if e := w.accounts.find(w.digester.digest(ofAccount, a.Account)); e != nil {
		t.Errorf("the account has %d failures", e.failures)
	}
	w.fails(1, from("192.0.2.2", "alice"))
	w.refused(from("192.0.2.2", "alice"), 30*time.Second, LimitPair, "the failures of another source stay")
}

// C4: however many attempts are made at the same time, at most the limit of them can be
// failures.
func TestABurstGetsNoMoreAttemptsThanTheLimit(t *testing.T) {
	burst := func(w *world, a Attempt) []*Reservation {
		var mu sync.Mutex
		var got []*Reservation
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				if r, err := w.Reserve(a); err == nil {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, r)
				}
			})
		}
		all.Wait()
		return got
	}
	w := newWorld(t, Limits{})
	a := from("192.0.2.1", "alice")
	w.fails(2, a)
	tries := burst(w, a)
	if len(tries) != 3 {
		t.Fatalf("%d attempts after two failures, want 3", len(tries))
	}
	w.refused(a, time.Second, LimitPair, "over the limit because of what is in flight")
	tries[0].Cancel()
	w.fails(1, a)
	tries[1].Fail()
	w.refused(a, time.Second, LimitPair, "one of them is still in flight")
	tries[2].Fail()
	w.refused(a, 30*time.Second, LimitPair, "all failed")
	w.pass(30 * time.Second)
	if tries = burst(w, a); len(tries) != 1 {
		t.Fatalf("%d attempts after the wait, want 1", len(tries))
	}
	tries[0].Fail()
	w.refused(a, time.Minute, LimitPair, "that failed, too")
}

func TestAReservationEndsOnce(t *testing.T) {
	ends := map[string]func(*Reservation){
		"Succeed": (*Reservation).Succeed, "Fail": (*Reservation).Fail, "Cancel": (*Reservation).Cancel,
	}
	want := map[string]entries{
		"Succeed": {Known: 1}, "Fail": {Pairs: 1, Accounts: 1, Addresses: 1}, "Cancel": {},
	}
	for first, end := range ends {
		for second, again := range ends {
			w := newWorld(t, Limits{})
			r := w.reserve(from("192.0.2.1", "alice"))
			w.remembers(entries{Pairs: 1, Accounts: 1, Addresses: 1, InFlight: 1})
			end(r)
			again(r)
			if got := w.entries(); got != want[first] {
				t.Errorf("%s, then %s: %+v", first, second, got)
			}
		}
	}
}

func TestACancelledAttemptNeverHappened(t *testing.T) {
	w := newWorld(t, Limits{})
	a := from("192.0.2.1", "alice")
	for range 1000 {
		w.reserve(a).Cancel()
	}
	w.remembers(entries{})
	w.fails(4, a)
	w.pass(23 * time.Hour)
	w.reserve(a).Cancel()
	w.pass(time.Hour)
	w.remembers(entries{Accounts: 1}) // the attempt did not prolong the quiet time
}

func TestAReservationThatIsNeverEndedIsAFailure(t *testing.T) {
	a := from("192.0.2.1", "alice")
	lose := func(t *testing.T) (*world, *Reservation) {
		w := newWorld(t, Limits{})
		w.fails(4, a)
		r := w.reserve(a)
		w.pass(time.Minute - 1)
		w.refused(a, time.Second, LimitPair, "in flight")
		w.pass(1)
		return w, r
	}
	t.Run("it is one from the end of its minute on", func(t *testing.T) {
		w, _ := lose(t)
		w.pass(20 * time.Second)
		w.refused(a, 10*time.Second, LimitPair, "lost")
		if e := w.entries(); e.InFlight != 0 {
			t.Errorf("%+v", e)
		}
	})
	t.Run("it is not another one if it fails later", func(t *testing.T) {
		w, r := lose(t)
		r.Fail()
		r.Cancel()
		w.refused(a, 30*time.Second, LimitPair, "five failures")
	})
	t.Run("it can no longer be cancelled", func(t *testing.T) {
		w, r := lose(t)
		r.Cancel()
		w.refused(a, 30*time.Second, LimitPair, "five failures")
	})
	t.Run("it can still succeed", func(t *testing.T) {
		w, r := lose(t)
		r.Succeed()
		w.remembers(entries{Known: 1, Addresses: 1})
		r.Fail()
		w.fails(5, a)
	})
	t.Run("one of a known good source, too", func(t *testing.T) {
		w := newWorld(t, Limits{})
		w.succeeds(a)
		w.fails(4, a)
		w.reserve(a)
		w.pass(time.Minute)
		w.refused(a, 30*time.Second, LimitPair, "lost")
		w.remembers(entries{Known: 1})
	})
}

func TestLimitsChangeAndStateStays(t *testing.T) {
	w := newWorld(t, Limits{})
	a := from("192.0.2.1", "alice")
	w.fails(4, a)
	w.SetLimits(Limits{Failures: 2, MinDelay: time.Minute})
	w.refused(a, 4*time.Minute, LimitPair, "lower limits apply to what was counted")
	w.SetLimits(Limits{Failures: 8})
	w.fails(4, a)
	w.refused(a, 30*time.Second, LimitPair, "higher ones, too")
	w.SetLimits(Limits{IPv4Prefix: 24})
	w.allowed(a, "another prefix makes other sources")
	w.SetLimits(Limits{})
	w.refused(a, 4*time.Minute, LimitPair, "and the old one has its failures still")
}

// All of it at once, for the race detector. At the end nothing must be in flight.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, Limits{AccountCeiling: 10})
	w.pairs, w.accounts, w.addresses = newTable(50), newTable(20), newTable(20)
	w.known = newKnown(20, 3)
	var made atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 2000 {
				a := from(nth(n*7%100), nth(n*i%40))
				if n%5 == 0 {
					a = through("web", nth(n%40))
				}
				if n%3 == 0 {
					a.Secret = nth(n % 2)
				}
				r, err := w.Reserve(a)
				if err != nil {
					w.pass(time.Second)
					continue
				}
				made.Add(1)
				switch (n + i) % 6 {
				case 0:
					r.Cancel()
				case 1, 2:
					r.Succeed()
				case 3: // lost
				default:
					r.Fail()
				}
				switch n % 100 {
				case 0:
					w.SetLimits(Limits{AccountCeiling: 1 + n%20})
				case 1:
					w.entries()
				}
			}
		})
	}
	all.Wait()
	w.pass(time.Minute)
	if e := w.entries(); e.InFlight != 0 || e.Pairs > 50 || e.Accounts > 20 || e.Addresses > 20 || e.Known > 20 || made.Load() == 0 {
		t.Errorf("%+v after %d attempts", e, made.Load())
	}
	for _, table := range []*table{w.pairs, w.accounts, w.addresses} {
		seen := 0
		for i := table.entries[0].newer; i != 0; i = table.entries[i].newer {
			seen++
			if e := table.entries[i]; e.inFlight != 0 || table.places[e.key] != i {
				t.Errorf("entry %d: %+v", i, e)
			}
		}
		if seen != table.len() {
			t.Errorf("%d entries in the chain, %d in the map", seen, table.len())
		}
	}
	sources := 0
	for account, element := range w.known.accounts {
		a := element.Value.(*knownAccount)
		sources += len(a.sources)
		if a.account != account || len(a.sources) == 0 {
			t.Errorf("account %x: %+v", account, a)
		}
		for _, s := range a.sources {
			if s.inFlight != 0 || w.pairs.find(s.pair) != nil {
				t.Errorf("source %+v", s)
			}
		}
	}
	if sources != w.known.sources || w.known.order.Len() != len(w.known.accounts) {
		t.Errorf("%d sources, %d counted", sources, w.known.sources)
	}
}
