package throttle

import (
	"fmt"
	"testing"
	"time"
)

// burn fails for a user from that many addresses, once from each.
func (w *world) burn(failures int, name string) {
	w.Helper()
	for i := range failures {
		w.fails(1, from(nth(i), name))
	}
}

// C5
func TestAnAccountHasAHundredFailuresInARow(t *testing.T) {
	w := newWorld(t, Limits{})
	stranger := from("192.0.2.1", "alice")
	w.burn(99, "alice")
	w.allowed(stranger, "99 failures")
	w.fails(1, from(nth(99), "alice"))
	w.refused(stranger, time.Hour, LimitAccount, "100 failures")
	w.allowed(from("192.0.2.1", "bob"), "another account")
	for range 50 {
		w.pass(time.Hour)
		r := w.reserve(stranger)
		w.refused(from("192.0.2.2", "alice"), time.Second, LimitAccount, "the only attempt of this hour is in flight")
		r.Fail()
		w.refused(from("192.0.2.2", "alice"), time.Hour, LimitAccount, "it failed")
	}
}

// C5: from the first of the ceiling on, attempts from 1,000 addresses at the same time
// get 100 through.
func TestABurstOnAnAccountGetsNoMoreAttemptsThanTheCeiling(t *testing.T) {
	w := newWorld(t, Limits{})
	got := 0
	for i := range 1000 {
		if _, err := w.Reserve(from(nth(i), "alice")); err == nil {
			got++
		}
	}
	if got != 100 {
		t.Errorf("%d attempts, want 100", got)
	}
	w.refused(from("192.0.2.1", "alice"), time.Second, LimitAccount, "in flight")
	w.pass(time.Minute)
	w.refused(from("192.0.2.1", "alice"), time.Hour, LimitAccount, "all lost")
}

func TestTheCeilingEnds(t *testing.T) {
	stranger := from("192.0.2.1", "alice")
	burnt := func(t *testing.T) *world {
		w := newWorld(t, Limits{})
		w.burn(100, "alice")
		w.refused(stranger, time.Hour, LimitAccount, "100 failures")
		return w
	}
	t.Run("by a success of the only attempt", func(t *testing.T) {
		w := burnt(t)
		w.pass(time.Hour)
		w.succeeds(stranger)
		w.burn(4, "alice")
		w.allowed(from("192.0.2.2", "alice"), "another stranger")
	})
	t.Run("by a success of a known good source", func(t *testing.T) {
		w := newWorld(t, Limits{})
		w.succeeds(from("198.51.100.1", "alice"))
		w.burn(100, "alice")
		w.refused(stranger, time.Hour, LimitAccount, "100 failures")
		w.succeeds(from("198.51.100.1", "alice"))
		w.allowed(stranger, "after the owner has logged in")
	})
	t.Run("by time", func(t *testing.T) {
		w := burnt(t)
		w.pass(100*time.Hour - 1)
		w.fails(1, stranger)
		w.refused(from("192.0.2.2", "alice"), time.Hour, LimitAccount, "the time started anew")
		w.pass(100 * time.Hour)
		w.fails(1, stranger)
		w.allowed(stranger, "100 hours without a failure")
	})
}

// C5: an attacker with many addresses stays below the ceiling and waits for the
// failures to be forgotten.
func TestWaitingBelowTheCeilingGainsNothing(t *testing.T) {
	w := newWorld(t, Limits{})
	const days = 200
	tries := 0
	for hour := range days * 24 {
		for w.pass(time.Hour); ; tries++ {
			e := w.accounts.find(w.digester.digest(ofAccount, user("alice")))
			if e != nil && e.failures >= 99 && w.clock.passed-e.last < w.limits.account().quiet-time.Hour {
				break
			}
			a := from(nth(hour*100+tries%100), "alice")
			if wait, _ := w.wait(a); wait > 0 {
				break
			}
			w.fails(1, a)
		}
	}
	if tries > days*24+100 {
		t.Errorf("%d attempts in %d days, want no more than one an hour", tries, days)
	}
}

func TestASuccessTakesAwayTheFailuresOfItsPairAndAccountAlone(t *testing.T) {
	w := newWorld(t, Limits{})
	stranger, good := from("192.0.2.1", "alice"), through("web", "alice")
	w.succeeds(good)
	w.fails(4, good)
	w.fails(5, stranger)
	w.fails(5, from("192.0.2.1", "bob"))
	flying := w.reserve(from("192.0.2.2", "alice"))
	w.succeeds(good)
	w.refused(stranger, 30*time.Second, LimitPair, "another source of the account")
	w.refused(from("192.0.2.1", "bob"), 30*time.Second, LimitPair, "another account")
	w.remembers(entries{Pairs: 3, Accounts: 2, Addresses: 2, Known: 1, InFlight: 1})
	flying.Cancel()
	w.remembers(entries{Pairs: 2, Accounts: 1, Addresses: 1, Known: 1})
}

func TestASuccessMakesAKnownGoodSourceAsGoodAsNew(t *testing.T) {
	w := newWorld(t, Limits{})
	owner := from("198.51.100.1", "alice")
	for range 2 {
		w.succeeds(owner)
		w.failsWhenAllowed(99, owner)
		w.remembers(entries{Known: 1})
		wait, _ := w.wait(owner)
		w.pass(wait)
	}
}

// Strangers know the id of a public client and could close it for all users.
func TestAnAccountThatIsSkippedHasNoCeiling(t *testing.T) {
	w := newWorld(t, Limits{})
	secret := func(address string) Attempt {
		a := from(address, "")
		a.Account, a.SkipAccount = Join("auth", "client", "web"), true
		return a
	}
	for i := range 1000 {
		w.fails(1, secret(nth(i)))
	}
	w.fails(5, secret("192.0.2.1"))
	w.refused(secret("192.0.2.1"), 30*time.Second, LimitPair, "B17: guesses of a client's secret count against the pair")
	w.pass(30 * time.Second)
	w.succeeds(secret("192.0.2.1"))
	if e := w.entries(); e.Accounts != 0 {
		t.Errorf("%+v", e)
	}
	for i := range 45 {
		w.fails(1, Attempt{Account: fmt.Sprint(i), Source: secret("192.0.2.1").Source, SkipAccount: true})
	}
	w.refused(from("192.0.2.1", "alice"), 30*time.Second, LimitAddress, "and against the address, also for users")
	w.allowed(secret("192.0.2.1"), "but not where the client has succeeded")
}

// C9: the same answers in the same order, whether the account exists and has logged in
// from elsewhere or not.
func TestKnownAndUnknownAccountsAreRefusedAlike(t *testing.T) {
	answers := func(name string, owner bool) (all string) {
		w := newWorld(t, Limits{})
		if owner {
			w.succeeds(from("198.51.100.1", name))
		}
		for i := range 300 {
			a := from(nth(i%30), name)
			if r, err := w.Reserve(a); err == nil {
				all += "tried;"
				r.Fail()
			} else {
				all += err.Error() + ";"
			}
			w.pass(time.Duration(i) * time.Second)
		}
		return all
	}
	want := answers("alice", true)
	if got := answers("nobody", false); got != want {
		t.Errorf("an account with an owner:\n%s\none without:\n%s", want, got)
	}
}

// The failure that reaches the ceiling says so, however the attempts are made, and no
// other does.
func TestTheFailureThatReachesTheCeilingSaysSo(t *testing.T) {
	for name, fail := range map[string]func(*world, Attempt) bool{
		"reserved": func(w *world, a Attempt) bool {
			r := w.reserve(a)
			r.Fail()
			return r.Locked()
		},
		"two of one guess": func(w *world, a Attempt) bool {
			a.Secret = "guess"
			one, other := w.reserve(a), w.reserve(a)
			one.Fail()
			other.Fail()
			if other.Locked() {
				w.Error("both say so")
			}
			return one.Locked()
		},
		"settled": func(w *world, a Attempt) bool {
			settlement, err := w.Settle(a, func() Outcome { return Outcome{Known: true} })
			if settlement != Settled && settlement != Locked || err != nil {
				w.Errorf("settlement %d, %v", settlement, err)
			}
			return settlement == Locked
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Limits{AccountCeiling: 3})
			for i := range 3 {
				if locked := fail(w, from(nth(i), "alice")); locked != (i == 2) {
					t.Errorf("failure %d: %t", i+1, locked)
				}
			}
			w.pass(time.Hour)
			if fail(w, from(nth(3), "alice")) {
				t.Error("the account was locked before")
			}
			w.succeeds(from(nth(4), "bob"))
			skips := from(nth(4), "carol")
			skips.SkipAccount = true
			for range 4 {
				if fail(w, skips) {
					t.Error("it has no ceiling")
				}
			}
		})
	}
}
