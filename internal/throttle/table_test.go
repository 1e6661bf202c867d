package throttle

import (
	"fmt"
	"testing"
	"time"
)

// small makes the tables of a world so small that they can be filled.
func small(t *testing.T, capacity int) *world {
	w := newWorld(t, Limits{})
	w.pairs, w.accounts, w.addresses = newTable(capacity), newTable(capacity), newTable(capacity)
	return w
}

// C4: a flood of names through a back end's login form, or from many addresses, does
// not reset what is under attack.
func TestAFloodOfNewNamesDoesNotResetWhatIsUnderAttack(t *testing.T) {
	w := small(t, 1000)
	pair := through("web", "alice")
	w.fails(5, pair)
	w.burn(99, "bob")
	w.spray(50, always("192.0.2.1"))
	for i := range 20_000 {
		w.pass(time.Millisecond)
		w.fails(1, from(nth(1000+i), fmt.Sprint("flood", i)))
	}
	w.remembers(entries{Pairs: 1000, Accounts: 1000, Addresses: 1000})
	w.refused(pair, 10*time.Second, LimitPair, "the pair")
	w.refused(from("192.0.2.1", "carol"), 10*time.Second, LimitAddress, "the address")
	w.fails(1, from("192.0.2.2", "bob"))
	w.refused(from("192.0.2.3", "bob"), time.Hour, LimitAccount, "the account")
}

// A table full of delayed keys neither locks out newcomers nor gives an attacker
// guesses: see table.
func TestATableFullOfDelayedKeys(t *testing.T) {
	const capacity = 500
	w := small(t, capacity)
	fill := func(round int) {
		for i := range capacity {
			w.fails(5, through("web", fmt.Sprintf("round %d, %d", round, i)))
		}
	}
	fill(0)
	w.remembers(entries{Pairs: capacity, Accounts: capacity})
	newcomer := from("192.0.2.1", "alice")
	w.allowed(newcomer, "a newcomer")
	w.succeeds(newcomer)
	fill(1)
	w.succeeds(newcomer)

	// What forgetting costs: the attacker fails elsewhere as often as the target has
	// failed, until the target is forgotten.
	w = small(t, capacity)
	fill(0)
	target := through("web", "target")
	forgotten, cost := 0, 0
	for i := 0; forgotten < 10; i++ {
		w.failsWhenAllowed(5, target)
		for n := 0; ; n++ {
			if wait, _ := w.wait(target); wait == 0 {
				break
			}
			w.fails(5, through("web", fmt.Sprintf("flood %d, %d", i, n)))
			cost += 5
		}
		forgotten++
	}
	if each := cost / forgotten; each < capacity {
		t.Errorf("five more guesses cost %d failed attempts, want at least %d", each, capacity)
	}
}

func TestForgottenEntriesGoFirst(t *testing.T) {
	w := small(t, 100)
	w.failsWhenAllowed(10, through("web", "old"))
	w.pass(23 * time.Hour)
	for i := range 99 {
		w.fails(1, through("web", fmt.Sprint(i)))
	}
	w.pass(time.Hour)
	w.fails(1, through("web", "new")) // 24 hours after the 10 failures, one hour after the others
	for i := range 99 {
		k := w.digester.keys(through("web", fmt.Sprint(i)), w.limits)
		if w.pairs.find(k.pair) == nil {
			t.Errorf("%d was evicted", i)
		}
	}
	if n := w.pairs.len(); n != 100 {
		t.Errorf("%d pairs", n)
	}
	w.pass(23 * time.Hour)
	w.fails(1, through("web", "newer"))
	if n := w.pairs.len(); n != 99 {
		t.Errorf("%d pairs, want the table to shrink by one with each new one", n)
	}
	w.pass(time.Hour)
	if e := w.entries(); e.Pairs != 1 {
		t.Errorf("%+v", e)
	}
}

func TestAttemptsInFlightAreNotForgotten(t *testing.T) {
	w := newWorld(t, Limits{})
	a := through("web", "alice")
	w.fails(4, a)
	w.pass(24*time.Hour - time.Second)
	r := w.reserve(a)
	w.pass(2 * time.Second)
	w.remembers(entries{Pairs: 1, Accounts: 1, InFlight: 1})
	r.Fail()
	w.pass(time.Hour)
	w.remembers(entries{Pairs: 1, Accounts: 1})
}

func TestAnotherFailureMakesAnEntryTheNewest(t *testing.T) {
	w := newWorld(t, Limits{})
	w.fails(1, through("web", "first"))
	w.fails(1, through("web", "second"))
	w.pass(time.Hour)
	w.fails(1, through("web", "first"))
	w.pass(23 * time.Hour)
	w.remembers(entries{Pairs: 1, Accounts: 2}) // the second is forgotten, the first is not in its way
}

func TestAttemptsInFlightAreNotEvicted(t *testing.T) {
	w := small(t, 10)
	var tries []*Reservation
	for i := range 10 {
		tries = append(tries, w.reserve(through("web", fmt.Sprint(i))))
	}
	a := from("192.0.2.1", "alice")
	w.refused(a, time.Second, LimitPair, "no place")
	w.accounts.capacity, w.pairs.capacity = 10, 11
	w.refused(a, time.Second, LimitAccount, "no place for the second key")
	w.remembers(entries{Pairs: 10, Accounts: 10, InFlight: 10})
	for _, r := range tries {
		r.Fail()
	}
	w.allowed(a, "places")
	w.remembers(entries{Pairs: 10, Accounts: 9}) // one each made place for it
}

func TestAKnownGoodSourceStaysWhereThereIsNoPlaceForItsPair(t *testing.T) {
	w := small(t, 1)
	owner := from("198.51.100.1", "alice")
	w.succeeds(owner)
	w.failsWhenAllowed(100, owner)
	flying := w.reserve(through("web", "bob"))
	w.pass(time.Second)
	w.refused(owner, time.Second, LimitPair, "no place")
	flying.Cancel()
	w.refused(owner, time.Hour-time.Second, LimitPair, "like all others")
}

func TestLeastFailuresThenOldestAreEvicted(t *testing.T) {
	for _, c := range []struct {
		failures [3]uint32
		last     [3]time.Duration
		inFlight [3]uint32
		gone     int
		reason   string
	}{
		{[3]uint32{3, 2, 4}, [3]time.Duration{1, 2, 3}, [3]uint32{}, 1, "fewest failures"},
		{[3]uint32{2, 2, 2}, [3]time.Duration{5, 3, 4}, [3]uint32{}, 1, "as many, the oldest"},
		{[3]uint32{2, 1, 0}, [3]time.Duration{1, 2, 3}, [3]uint32{0, 0, 1}, 1, "not one in flight"},
		{[3]uint32{2, 1, 0}, [3]time.Duration{1, 2, 3}, [3]uint32{1, 1, 1}, -1, "all in flight"},
	} {
		gone := map[int]int{}
		for range 200 {
			table := newTable(3)
			for i := range 3 {
				table.obtain(digest{byte(i)}, 0, time.Hour).counter = counter{failures: c.failures[i], inFlight: c.inFlight[i], last: c.last[i]}
			}
			table.evict()
			lost := -1
			for i := range 3 {
				if table.find(digest{byte(i)}) == nil {
					lost = i
				}
			}
			gone[lost]++
		}
		// a sample of 16 misses one of three entries once in 650 times
		if gone[c.gone] < 190 {
			t.Errorf("%s: evicted %v, want %d", c.reason, gone, c.gone)
		}
	}
}
