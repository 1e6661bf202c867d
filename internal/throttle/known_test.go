package throttle

import (
	"fmt"
	"testing"
	"time"
)

// C5: the owner at an address from which they have logged in before does not notice
// that others burn the ceiling.
func TestTheOwnerAtAKnownAddressIsNotLockedOut(t *testing.T) {
	w := newWorld(t, Limits{})
	owner := from("198.51.100.1", "alice")
	w.succeeds(owner)
	for i := range 1000 {
		if r, err := w.Reserve(from(nth(i), "alice")); err == nil {
			r.Fail()
		}
	}
	w.refused(from("192.0.2.1", "alice"), time.Hour, LimitAccount, "a stranger")
	w.fails(4, owner)
	w.allowed(owner, "the owner, who mistypes")
	w.succeeds(owner)
}

func TestTheOwnerIsNotLockedOutByOthersAtTheSameAddress(t *testing.T) {
	w := newWorld(t, Limits{})
	owner := from("198.51.100.1", "alice")
	w.succeeds(owner)
	w.spray(50, always("198.51.100.1"))
	w.refused(from("198.51.100.1", "bob"), 30*time.Second, LimitAddress, "a user who has not logged in there")
	w.succeeds(owner)
	w.fails(5, owner)
	w.pass(time.Second)
	w.refused(from("198.51.100.1", "bob"), 29*time.Second, LimitAddress, "the owner's failures are not the address's")
}

func TestFailuresOfAKnownGoodSourceDoNotCountForTheAccount(t *testing.T) {
	w := newWorld(t, Limits{AccountCeiling: 10})
	owner := from("198.51.100.1", "alice")
	w.succeeds(owner)
	w.failsWhenAllowed(9, owner)
	w.remembers(entries{Known: 1})
	w.burn(9, "alice")
	w.allowed(from("192.0.2.1", "alice"), "nine failures of strangers")
}

// C5, C6: an attacker at a known good source has its growing delays, and is a stranger
// after the ceiling.
func TestAKnownGoodSourceIsGoodForAHundredFailures(t *testing.T) {
	w := newWorld(t, Limits{})
	owner := from("198.51.100.1", "alice")
	w.succeeds(owner)
	w.fails(5, owner)
	for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		w.refused(owner, want, LimitPair, "delays grow")
		w.pass(want)
		w.fails(1, owner)
	}
	w.failsWhenAllowed(92, owner)
	w.remembers(entries{Known: 1})
	w.refused(owner, time.Hour, LimitPair, "100 failures")
	w.remembers(entries{Pairs: 1})
	w.burn(100, "alice")
	w.pass(time.Hour - time.Second)
	w.fails(1, from("192.0.2.1", "bob")) // time passes for others as well
	w.refused(owner, time.Second, LimitPair, "as before")
	w.pass(time.Second)
	w.fails(1, owner)
	w.refused(from("192.0.2.1", "alice"), time.Hour, LimitAccount, "its failures are the account's now")
	w.pass(time.Hour)
	w.succeeds(owner)
	w.burn(5, "alice")
	w.allowed(owner, "known good again")
}

// The ceiling counts failures in a row: it does not help to wait for them to be
// forgotten.
func TestTimeDoesNotMakeAKnownGoodSourceBetter(t *testing.T) {
	w := newWorld(t, Limits{})
	owner := from("198.51.100.1", "alice")
	w.succeeds(owner)
	for range 24 {
		w.fails(4, owner)
		w.pass(24 * time.Hour)
	}
	w.fails(1, owner)
	w.pass(24 * time.Hour)
	var tries []*Reservation
	for range 3 {
		tries = append(tries, w.reserve(owner))
	}
	w.refused(owner, time.Second, LimitPair, "three in flight, and three are left")
	for _, r := range tries {
		r.Fail()
	}
	w.pass(48 * time.Hour)
	w.fails(1, owner)
	w.remembers(entries{Pairs: 1, Accounts: 1, Addresses: 1})
}

func TestALoweredCeilingAppliesToKnownGoodSources(t *testing.T) {
	w := newWorld(t, Limits{})
	owner := from("198.51.100.1", "alice")
	w.succeeds(owner)
	flying := w.reserve(owner)
	w.failsWhenAllowed(3, owner)
	w.SetLimits(Limits{AccountCeiling: 3})
	w.fails(1, owner)
	w.remembers(entries{Pairs: 1, Accounts: 1, Addresses: 1, InFlight: 1})
	flying.Fail() // it was reserved when the source was known good
	w.refused(owner, 30*time.Second, LimitPair, "five failures")
}

// A success while others of the same pair are in flight takes them along.
func TestAttemptsInFlightFollowTheirPair(t *testing.T) {
	w := newWorld(t, Limits{})
	a := from("192.0.2.1", "alice")
	var tries []*Reservation
	for range 5 {
		tries = append(tries, w.reserve(a))
	}
	tries[0].Succeed()
	w.reserve(a).Cancel()
	tries[1].Succeed()
	tries[2].Fail()
	tries[3].Cancel()
	w.fails(3, a)
	w.refused(a, time.Second, LimitPair, "four failures and one in flight")
	tries[4].Fail()
	w.refused(a, 30*time.Second, LimitPair, "five failures")
	w.remembers(entries{Known: 1, Accounts: 1, Addresses: 1})
}

// A back end that has authenticated, and whose users all have its address.
func TestUsersOfOneBackEndDoNotTouchEachOther(t *testing.T) {
	w := newWorld(t, Limits{})
	for i := range 1000 {
		w.fails(1, through("web", fmt.Sprint("mistyped", i)))
	}
	w.fails(5, through("web", "bob"))
	w.refused(through("web", "bob"), 30*time.Second, LimitPair, "the user who has failed")
	w.allowed(through("web", "alice"), "another user of the back end")
	w.allowed(through("mobile", "bob"), "the same user of another back end")
	if e := w.entries(); e.Addresses != 0 {
		t.Errorf("%+v", e)
	}
}

// An attacker in the app's own login form is the same source as the owner, unless the
// app names addresses.
func TestAnAttackerInTheLoginFormOfTheApp(t *testing.T) {
	t.Run("delays the owner if only the app is known, but not elsewhere", func(t *testing.T) {
		w := newWorld(t, Limits{})
		w.succeeds(through("web", "alice"))
		w.succeeds(from("198.51.100.1", "alice"))
		w.failsWhenAllowed(50, through("web", "alice"))
		w.refused(through("web", "alice"), time.Hour, LimitPair, "every user of that form")
		w.allowed(from("198.51.100.1", "alice"), "the owner elsewhere")
		w.burn(99, "alice") // from strangers: the form's failures are not the account's
	})
	t.Run("does not if the app names the address", func(t *testing.T) {
		named := func(address string) Attempt { return from(address, "alice") }
		w := newWorld(t, Limits{})
		w.succeeds(named("198.51.100.1"))
		w.failsWhenAllowed(50, named("192.0.2.1"))
		w.refused(named("192.0.2.1"), time.Hour, LimitPair, "the attacker")
		w.allowed(named("198.51.100.1"), "the owner")
		w.burn(50, "alice")
		w.refused(named("192.0.2.2"), time.Hour, LimitAccount, "the attacker at another address")
		w.allowed(named("198.51.100.1"), "the owner, still")
	})
}

func TestOnlySuccessesDisplaceKnownGoodSources(t *testing.T) {
	w := newWorld(t, Limits{})
	w.pairs, w.accounts, w.addresses = newTable(10), newTable(10), newTable(10)
	w.known = newKnown(4, 2)
	for _, name := range []string{"a", "b", "c", "d"} {
		w.succeeds(from("198.51.100.1", name))
	}
	for i := range 1000 {
		w.fails(1, from(nth(i), fmt.Sprint(i)))
	}
	w.remembers(entries{Pairs: 10, Accounts: 10, Addresses: 10, Known: 4})
	w.succeeds(from("198.51.100.1", "a")) // now the latest
	w.succeeds(from("198.51.100.1", "e"))
	good := func(want string) {
		t.Helper()
		got := ""
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			a := from("198.51.100.1", name)
			if k := w.digester.keys(a, w.limits); w.known.find(k.account, k.pair) != nil {
				got += name
			}
		}
		if got != want {
			t.Errorf("known good are %s, want %s", got, want)
		}
	}
	good("acde")
	w.succeeds(from("198.51.100.2", "c")) // now the latest, with two sources
	good("ace")
	w.succeeds(from("198.51.100.2", "c"))
	w.succeeds(from("198.51.100.1", "c"))
	w.succeeds(from("198.51.100.2", "a"))
	good("ac") // of the other three the one without success for the longest time
	w.succeeds(from("198.51.100.1", "e"))
	good("ace") // c was older than a, but has two
	w.succeeds(from("198.51.100.1", "a"))
	// the owner of one account with many addresses displaces their own, once they have
	// two
	for i := range 100 {
		w.succeeds(from(nth(i), "mallory"))
	}
	good("a")
	w.remembers(entries{Pairs: 9, Accounts: 9, Addresses: 9, Known: 4}) // each of their attempts was given back
}

func TestAnAccountHasSixteenKnownGoodSources(t *testing.T) {
	w := newWorld(t, Limits{})
	for i := range 100 {
		w.succeeds(from(nth(i), "alice"))
	}
	w.remembers(entries{Known: 16})
}

func TestTheNextKnownGoodSourceIsDisplacedForOneInFlight(t *testing.T) {
	w := newWorld(t, Limits{})
	w.known = newKnown(2, 2)
	w.succeeds(from("198.51.100.1", "a"))
	w.succeeds(from("198.51.100.1", "b"))
	w.reserve(from("198.51.100.1", "a"))
	w.succeeds(from("198.51.100.1", "c"))
	w.remembers(entries{Known: 2, InFlight: 1})
}

func TestAKnownGoodSourceWithAttemptsInFlightIsNotDisplaced(t *testing.T) {
	w := newWorld(t, Limits{})
	w.known = newKnown(1, 1)
	a, b := from("198.51.100.1", "a"), from("198.51.100.1", "b")
	w.succeeds(a)
	flying := w.reserve(a)
	w.succeeds(b)
	w.remembers(entries{Known: 2, InFlight: 1}) // more than there should be, for a moment
	w.succeeds(from("198.51.100.2", "a"))
	w.remembers(entries{Known: 2, InFlight: 1})
	flying.Fail()
	w.succeeds(b)
	w.remembers(entries{Known: 1})
	w.succeeds(from("198.51.100.2", "b"))
	w.remembers(entries{Known: 1})
}
