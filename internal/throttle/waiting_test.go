package throttle

import (
	"fmt"
	"testing"
	"time"
)

func (w *world) counts(accounts, pairs, addresses int) {
	w.Helper()
	if a, p, d := w.Waiting(); a != accounts || p != pairs || d != addresses {
		w.Errorf("%d accounts, %d pairs and %d addresses wait, want %d, %d and %d", a, p, d, accounts, pairs, addresses)
	}
}

func TestWhatWaitsIsCounted(t *testing.T) {
	w := newWorld(t, Limits{})
	w.counts(0, 0, 0)
	w.fails(4, through("web", "alice"))
	flying := w.reserve(through("web", "alice"))
	w.counts(0, 0, 0) // it waits for a moment, not because of failures
	flying.Fail()
	w.succeeds(from("198.51.100.1", "alice"))
	w.fails(5, from("198.51.100.1", "alice")) // known good
	w.counts(0, 2, 0)
	w.burn(100, "bob")
	w.spray(50, always("192.0.2.1"))
	w.counts(1, 2, 1)
	w.pass(30 * time.Second)
	w.counts(1, 0, 0)
	w.pass(time.Hour)
	w.counts(0, 0, 0)
	if e := w.entries(); e.Pairs == 0 || e.Accounts == 0 || e.Addresses == 0 {
		t.Errorf("it is forgotten: %+v", e)
	}
}

func TestANetworkWaitsAfterAHundredTimesTheFailures(t *testing.T) {
	w := newWorld(t, Limits{})
	for i := range 499 {
		w.fails(1, from(fmt.Sprintf("2001:db8:0:%x::1", i/40), fmt.Sprint("sprayed", i)))
	}
	w.counts(0, 0, 0)
	w.fails(1, from("2001:db8:0:ff::1", "alice"))
	w.counts(0, 0, 1)
	w.forgiveAddress("2001:db8:0:ff::1")
	w.counts(0, 0, 0)
}

func TestWhatWaitsIsCountedInTablesOfManyParts(t *testing.T) {
	w := newWorld(t, Limits{Failures: 1})
	const n = 3*part + 1
	for i := range n {
		w.fails(1, through("web", fmt.Sprint(i)))
	}
	w.counts(0, n, 0)
	w.Forgive(user("0"), time.Second)
	w.Forgive(user(fmt.Sprint(n-1)), time.Second)
	w.counts(0, n-2, 0)
}
