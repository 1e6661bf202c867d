package throttle

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func (w *world) forgiveAddress(address string) {
	w.ForgiveAddress(netip.MustParseAddr(address), time.Second)
}

// settled checks that no attempt is counted as in flight.
func (w *world) settled() error {
	w.Throttle.mu.Lock()
	defer w.Throttle.mu.Unlock()
	for name, table := range map[string]*table{"pairs": w.pairs, "accounts": w.accounts, "addresses": w.addresses} {
		for key := range table.places {
			if e := table.find(key); e.inFlight != 0 {
				return fmt.Errorf("%s: %+v", name, e.counter)
			}
		}
	}
	for s := range w.known.all {
		if s.inFlight != 0 {
			return fmt.Errorf("known good: %+v", s.counter)
		}
	}
	if w.inFlight.Len() != 0 || len(w.guesses) != 0 {
		return fmt.Errorf("%d in flight, %d guesses", w.inFlight.Len(), len(w.guesses))
	}
	return nil
}

func TestAnAccountThatIsForgivenWaitsNowhere(t *testing.T) {
	page := from("192.0.2.1", "alice")
	page.Source = page.Source.CrossSite()
	sources := map[string]Attempt{
		"IPv4": from("192.0.2.1", "alice"), "IPv6": from("2001:db8::1", "alice"), "a client": through("web", "alice"),
		"a page of another site": page, "an unknown address": {Account: user("alice")},
	}
	for name, a := range sources {
		w := newWorld(t, Limits{})
		w.failsWhenAllowed(9, a)
		bob := a
		bob.Account = user("bob")
		w.fails(5, bob)
		w.Forgive(user("alice"), time.Second)
		w.allowed(a, name)
		w.fails(4, a)
		w.allowed(a, name+": the failures before count no longer")
		w.fails(1, a)
		w.refused(a, 30*time.Second, LimitPair, name+": new failures count as ever")
		w.refused(bob, 30*time.Second, LimitPair, name+": another account")
	}

	w := newWorld(t, Limits{})
	w.burn(100, "alice")
	w.burn(100, "bob")
	w.Forgive(user("alice"), time.Second)
	w.allowed(from("192.0.2.1", "alice"), "the ceiling of the account")
	w.refused(from("192.0.2.1", "bob"), time.Hour, LimitAccount, "another account")
	w.burn(99, "alice")
	w.allowed(from("192.0.2.1", "alice"), "99 new failures")
	w.fails(1, from("192.0.2.1", "alice"))
	w.refused(from("192.0.2.2", "alice"), time.Hour, LimitAccount, "100 new failures")
}

func TestAnAccountThatIsForgivenStillWaitsForAnAddress(t *testing.T) {
	w := newWorld(t, Limits{})
	w.spray(50, always("192.0.2.1"))
	w.Forgive(user("alice"), time.Second)
	w.refused(from("192.0.2.1", "alice"), 30*time.Second, LimitAddress, "the address")
}

func TestKnownGoodSourcesAreForgivenAndStayKnownGood(t *testing.T) {
	for name, forgive := range map[string]func(*world){
		"the account": func(w *world) { w.Forgive(user("alice"), time.Second) },
		"the address": func(w *world) { w.forgiveAddress("198.51.100.1") },
	} {
		w := newWorld(t, Limits{})
		owner := from("198.51.100.1", "alice")
		w.succeeds(owner)
		w.failsWhenAllowed(99, owner)
		forgive(w)
		w.remembers(entries{Known: 1})
		w.allowed(owner, name)
		w.failsWhenAllowed(99, owner)
		w.remembers(entries{Known: 1}) // all 99 are new
		forgive(w)
		w.burn(100, "alice")
		w.succeeds(owner)
	}
}

func TestWhatWasKnownGoodBeforeItsFailuresIsForgiven(t *testing.T) {
	for name, forgive := range map[string]func(*world){
		"the account": func(w *world) { w.Forgive(user("alice"), time.Second) },
		"the address": func(w *world) { w.forgiveAddress("198.51.100.1") },
	} {
		w := newWorld(t, Limits{})
		owner := from("198.51.100.1", "alice")
		w.succeeds(owner)
		w.failsWhenAllowed(100, owner)
		w.refused(owner, time.Hour, LimitPair, "100 failures")
		w.remembers(entries{Pairs: 1}) // it is a stranger
		forgive(w)
		w.allowed(owner, name)
	}
}

func TestOtherKnownGoodSourcesAreNotForgivenWithAnAddress(t *testing.T) {
	w := newWorld(t, Limits{})
	for _, owner := range []Attempt{from("198.51.100.2", "alice"), through("web", "alice"), {Account: user("alice")}} {
		w.succeeds(owner)
		w.fails(5, owner)
		w.forgiveAddress("198.51.100.1")
		w.refused(owner, 30*time.Second, LimitPair, fmt.Sprint(owner))
	}
}

func TestAnAddressThatIsForgivenWaitsForNoFailuresOfItsOwn(t *testing.T) {
	for _, address := range []string{"192.0.2.1", "2001:db8::1"} {
		w := newWorld(t, Limits{})
		w.fails(5, from(address, "alice"))
		w.fails(5, from("203.0.113.1", "alice"))
		w.spray(45, always(address))
		w.spray(50, always("203.0.113.2"))
		w.refused(from(address, "bob"), 30*time.Second, LimitAddress, "the address")
		w.forgiveAddress(address)
		w.allowed(from(address, "bob"), "the address")
		w.allowed(from(address, "alice"), "a pair of the address")
		w.refused(from("203.0.113.1", "alice"), 30*time.Second, LimitPair, "another source of the account")
		w.refused(from("203.0.113.2", "bob"), 30*time.Second, LimitAddress, "another address")
		w.fails(5, from(address, "alice"))
		w.refused(from(address, "alice"), 30*time.Second, LimitPair, "new failures")
	}
}

func TestTheNetworkOfAnAddressIsForgivenNotTheAddressesInIt(t *testing.T) {
	w := newWorld(t, Limits{})
	for i := range 500 {
		w.fails(1, from(fmt.Sprintf("2001:db8:0:%x::1", i/50), fmt.Sprint("sprayed", i)))
	}
	w.refused(from("2001:db8:0:ffff::1", "alice"), 30*time.Second, LimitNetwork, "the network")
	w.forgiveAddress("2001:db8:0:1::2") // with the prefix of another that has failed
	w.allowed(from("2001:db8:0:ffff::1", "alice"), "the network")
	w.allowed(from("2001:db8:0:1::3", "alice"), "the address")
	w.refused(from("2001:db8:0:2::1", "alice"), 30*time.Second, LimitAddress, "another address in the network")
}

func TestTheCeilingOfAnAccountIsNotForgivenWithAnAddress(t *testing.T) {
	w := newWorld(t, Limits{})
	w.burn(100, "alice")
	w.forgiveAddress("192.0.2.1")
	w.forgiveAddress(nth(0))
	w.refused(from("192.0.2.1", "alice"), time.Hour, LimitAccount, "the account")
	w.ForgiveAddress(netip.Addr{}, time.Second)
}

// A zone and an IPv4 address in an IPv6 address are spellings of one source.
func TestEverySpellingOfAnAddressIsForgiven(t *testing.T) {
	for failed, forgiven := range map[string]string{
		"192.0.2.1": "::ffff:192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "fe80::1%eth0": "fe80::2", "fe80::1": "fe80::2%eth1",
	} {
		w := newWorld(t, Limits{})
		w.fails(5, from(failed, "alice"))
		w.forgiveAddress(forgiven)
		w.allowed(from(failed, "alice"), failed)
		w.remembers(entries{Accounts: 1})
	}
}

func TestAttemptsInFlightDoNotLockAnAccountThatWasForgivenMeanwhile(t *testing.T) {
	const (
		fail = iota
		lose
		succeed
		cancel
	)
	for end, want := range map[int]struct {
		entries
		ofAddress uint32
	}{
		fail:    {entries{Addresses: 1}, 5},
		lose:    {entries{Addresses: 1}, 5},
		succeed: {entries{Known: 1}, 0},
		cancel:  {entries{}, 0},
	} {
		w := newWorld(t, Limits{AccountCeiling: 5})
		a := from("192.0.2.1", "alice")
		var tries []*Reservation
		for range 5 {
			tries = append(tries, w.reserve(a))
		}
		w.refused(a, time.Second, LimitPair, "five in flight")
		w.Forgive(user("alice"), time.Second)
		w.allowed(a, "with those from before in flight")
		w.allowed(from("192.0.2.2", "alice"), "another source")
		w.Forgive(user("alice"), time.Second)
		for _, r := range tries {
			switch end {
			case fail:
				r.Fail()
			case lose:
				w.pass(time.Minute)
				w.allowed(a, "lost")
				r.Fail()
			case succeed:
				r.Succeed()
			case cancel:
				r.Cancel()
			}
		}
		w.allowed(a, "with those from before ended")
		if end == lose {
			w.remembers(entries{Addresses: 1})
			continue
		}
		w.remembers(want.entries)
		var failures uint32
		if e := w.addresses.find(w.digester.keys(a, w.limits).address); e != nil {
			failures = e.failures
		}
		if failures != want.ofAddress {
			t.Errorf("end %d: %d failures of the address, want %d", end, failures, want.ofAddress)
		}
		if err := w.settled(); err != nil {
			t.Error(err)
		}
	}
}

func TestAttemptsInFlightDoNotLockAnAddressThatWasForgivenMeanwhile(t *testing.T) {
	w := newWorld(t, Limits{})
	var tries []*Reservation
	for i := range 50 {
		tries = append(tries, w.reserve(from("2001:db8::1", fmt.Sprint("sprayed", i%10))))
	}
	neighbour := w.reserve(from("2001:db8:0:1::1", "alice"))
	w.refused(from("2001:db8::1", "alice"), time.Second, LimitAddress, "50 in flight")
	w.forgiveAddress("2001:db8::1")
	w.allowed(from("2001:db8::1", "alice"), "with those from before in flight")
	for _, r := range tries {
		r.Fail()
	}
	neighbour.Fail()
	w.allowed(from("2001:db8::1", "sprayed0"), "with those from before ended")
	w.remembers(entries{Pairs: 1, Accounts: 11, Addresses: 1})
	if err := w.settled(); err != nil {
		t.Error(err)
	}
}

func TestAWrongSecretIsStillWrongAfterItsAccountWasForgiven(t *testing.T) {
	w := newWorld(t, Limits{})
	typo := guess(from("192.0.2.1", "alice"), "typo")
	w.fails(1, typo)
	w.Forgive(user("alice"), time.Second)
	w.forgiveAddress("192.0.2.1")
	if !w.again(typo) {
		t.Error("it is not a repetition")
	}
	w.remembers(entries{})
}

// Whatever happened before, only what was forgiven is, and nothing is lost or counted
// twice.
func TestForgivingLeavesAllElseAsItWas(t *testing.T) {
	addresses := []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, Limits{Failures: 2, AccountCeiling: 6})
		w.pairs, w.accounts, w.addresses = newTable(12), newTable(6), newTable(8)
		attempt := func() Attempt {
			a := from(rapid.SampledFrom(addresses).Draw(rt, "address"), rapid.SampledFrom([]string{"alice", "bob", "carol"}).Draw(rt, "name"))
			if rapid.IntRange(0, 3).Draw(rt, "through a client") == 0 {
				a.Source = Party("web")
			}
			if rapid.Bool().Draw(rt, "cross-site") {
				a.Source = a.Source.CrossSite()
			}
			a.Secret = rapid.SampledFrom([]string{"", "one", "two"}).Draw(rt, "secret")
			return a
		}
		// the waits of everything that can have one
		waits := func() map[string]time.Duration {
			all := make(map[string]time.Duration)
			w.Throttle.mu.Lock()
			defer w.Throttle.mu.Unlock()
			now := w.advance()
			for _, name := range []string{"alice", "bob", "carol"} {
				all["account "+name] = waitOf(w.accounts, w.digester.digest(ofAccount, user(name)), w.limits.account(), now)
				for _, address := range addresses {
					k := w.digester.keys(from(address, name), w.limits)
					all["pair "+name+" "+address] = waitOf(w.pairs, k.pair, w.limits.pair(), now)
					all["address "+address] = waitOf(w.addresses, k.address, w.limits.address(), now)
				}
			}
			return all
		}
		var flying []*Reservation
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0, 1:
				if r, err := w.Reserve(attempt()); err == nil {
					flying = append(flying, r)
				}
			case 2:
				a, right := attempt(), rapid.Bool().Draw(rt, "right")
				_, _ = w.Settle(a, func() Outcome { return Outcome{Right: right, Known: true} })
			case 3:
				if len(flying) == 0 {
					continue
				}
				r := flying[0]
				flying = flying[1:]
				rapid.SampledFrom([]func(){r.Fail, r.Fail, r.Fail, r.Succeed, r.Cancel}).Draw(rt, "end")()
			case 4:
				w.pass(time.Duration(rapid.SampledFrom([]int{1, 30, 61, 3600}).Draw(rt, "seconds")) * time.Second)
			case 5:
				name := rapid.SampledFrom([]string{"alice", "bob"}).Draw(rt, "forgiven")
				before, known := waits(), w.entries().Known
				w.Forgive(user(name), time.Second)
				for what, wait := range waits() {
					ofName := what == "account "+name
					for _, address := range addresses {
						ofName = ofName || what == "pair "+name+" "+address
					}
					if ofName && wait != 0 || !ofName && wait > before[what] {
						rt.Fatalf("%s was forgiven: %s waits for %v, before for %v", name, what, wait, before[what])
					}
				}
				if got := w.entries().Known; got != known {
					rt.Fatalf("%d sources are known good, before %d", got, known)
				}
			case 6:
				a := attempt()
				known := w.entries().Known
				w.ForgiveAddress(a.Source.address, time.Second)
				if wait, limit := w.wait(a); a.Source.address.IsValid() && wait != 0 && limit != LimitAccount {
					rt.Fatalf("%v was forgiven and waits for %v (%s)", a.Source.address, wait, limit)
				}
				if got := w.entries().Known; got != known {
					rt.Fatalf("%d sources are known good, before %d", got, known)
				}
			}
		}
		for _, r := range flying {
			rapid.SampledFrom([]func(){r.Fail, r.Succeed, r.Cancel}).Draw(rt, "end")()
		}
		if err := w.settled(); err != nil {
			rt.Fatal(err)
		}
	})
}

func waitOf(t *table, key digest, b bound, now time.Duration) time.Duration {
	e := t.find(key)
	if e == nil {
		return 0
	}
	c := e.counter
	c.forget(b, now)
	return c.wait(b, now)
}

func TestForgivingAndCountingAtTheSameTime(t *testing.T) {
	w := newWorld(t, Limits{})
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 200 {
				a := guess(from(nth(i%7), fmt.Sprint(i%3)), fmt.Sprint(n, i))
				r, err := w.Reserve(a)
				switch {
				case n == 0:
					w.Forgive(a.Account, time.Second)
				case n == 1:
					w.ForgiveAddress(a.Source.address, time.Second)
				case n == 2:
					w.Waiting()
				}
				if err == nil {
					[]func(){r.Fail, r.Succeed, r.Cancel, r.Fail}[i%4]()
				}
			}
		})
	}
	all.Wait()
	if err := w.settled(); err != nil {
		t.Error(err)
	}
}
