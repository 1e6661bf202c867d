package throttle

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// spray fails once for each of n users from the address that it gets from the number of
// the user.
func (w *world) spray(n int, address func(i int) string) {
	w.Helper()
	for i := range n {
		w.fails(1, from(address(i), fmt.Sprint("sprayed", i)))
	}
}

func always(address string) func(int) string { return func(int) string { return address } }

// C4: few passwords for many users.
func TestAnAddressHasTenTimesTheFailures(t *testing.T) {
	w := newWorld(t, Limits{})
	w.spray(50, always("192.0.2.1"))
	w.refused(from("192.0.2.1", "alice"), 30*time.Second, LimitAddress, "50 failures")
	w.allowed(from("192.0.2.2", "alice"), "another address")
	w.pass(30 * time.Second)
	w.fails(1, from("192.0.2.1", "bob"))
	w.refused(from("192.0.2.1", "carol"), time.Minute, LimitAddress, "51 failures")
	w.pass(24 * time.Hour)
	w.spray(50, always("192.0.2.1"))
}

// The people behind one address mistype for accounts that are new there, some every day.
func TestAnAddressIsForgivenOneFailurePerLongestWait(t *testing.T) {
	w := newWorld(t, Limits{})
	for i := range 1000 {
		w.fails(1, from("192.0.2.1", fmt.Sprint("mistyped", i)))
		w.allowed(from("192.0.2.1", "alice"), "a failure an hour")
		w.pass(time.Hour)
	}

	w = newWorld(t, Limits{})
	w.spray(50, always("192.0.2.1"))
	w.pass(10 * time.Hour)
	w.spray(9, always("192.0.2.1"))
	w.allowed(from("192.0.2.1", "alice"), "ten of 59 were forgiven")
	w.fails(1, from("192.0.2.1", "alice"))
	w.refused(from("192.0.2.1", "bob"), 30*time.Second, LimitAddress, "ten of 60 were")

	w = newWorld(t, Limits{})
	w.pass(time.Hour)
	w.fails(1, from("192.0.2.1", "alice"))
	w.pass(12 * time.Hour)
	w.spray(50, always("192.0.2.1"))
	w.refused(from("192.0.2.1", "bob"), 30*time.Second, LimitAddress, "there is nothing to forgive in advance")
}

// Whatever the pauses, an attacker gains nothing by what is forgiven: one attempt an
// hour, or about 57 and then none for a day.
func TestWhatAnAddressIsForgivenGivesNoMoreAttempts(t *testing.T) {
	const days = 20
	for _, pause := range []int{0, 1, 2, 4, 8, 16, 23, 24, 25} { // hours
		for _, burst := range []int{10, 50, 57, 1000} {
			w := newWorld(t, Limits{})
			tries, now := 0, time.Duration(0)
			pass := func(d time.Duration) { w.pass(d); now += d }
			for now < days*24*time.Hour {
				for n := 0; n < burst && now < days*24*time.Hour; n++ {
					a := from("192.0.2.1", fmt.Sprint("victim", tries))
					for wait, _ := w.wait(a); wait > 0; wait, _ = w.wait(a) {
						pass(min(wait, 5*time.Minute)) // the wait may be shorter than announced
					}
					w.fails(1, a)
					tries++
				}
				pass(time.Duration(pause) * time.Hour)
				if pause == 0 {
					pass(time.Minute)
				}
			}
			if most := 58 + max(24*days, 57*24*days/25); tries > most {
				t.Errorf("%d attempts in %d days with pauses of %d hours after %d, want at most %d", tries, days, pause, burst, most)
			}
		}
	}
}

// C7
func TestASuccessNeverClearsTheAddress(t *testing.T) {
	w := newWorld(t, Limits{})
	own := from("192.0.2.1", "attacker")
	for i := range 50 {
		w.fails(1, from("192.0.2.1", fmt.Sprint("victim", i)))
		w.succeeds(own)
	}
	w.refused(from("192.0.2.1", "next victim"), 30*time.Second, LimitAddress, "50 failures and 50 successes")
	w.allowed(own, "the account that succeeds there")

	w = newWorld(t, Limits{})
	w.spray(49, always("192.0.2.1"))
	for i := range 100 {
		w.succeeds(from("192.0.2.1", fmt.Sprint("somebody", i)))
	}
	w.allowed(from("192.0.2.1", "alice"), "the reservation of a success is given back")
	w.fails(1, from("192.0.2.1", "alice"))
	w.refused(from("192.0.2.1", "bob"), 30*time.Second, LimitAddress, "49 failures and one")
}

func TestAddressesAreGrouped(t *testing.T) {
	for _, c := range []struct {
		one, other string
		limits     Limits
		same       bool
		reason     string
	}{
		{"192.0.2.1", "192.0.2.1", Limits{}, true, "one address"},
		{"192.0.2.1", "192.0.2.2", Limits{}, false, "two addresses"},
		{"192.0.2.1", "192.0.2.2", Limits{IPv4Prefix: 24}, true, "two in one IPv4 network"},
		{"192.0.2.1", "192.0.3.1", Limits{IPv4Prefix: 24}, false, "two in two IPv4 networks"},
		{"192.0.2.1", "::ffff:192.0.2.1", Limits{}, true, "an IPv4 address mapped to IPv6"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", Limits{}, false, "two of them, which are in one /64"},
		{"192.0.2.1", "::ffff:192.0.2.1%eth0", Limits{}, true, "one of them with a zone"},
		{"fe80::1%eth0", "fe80::1%eth1", Limits{}, true, "zones"},
		{"fe80::1%eth0", "fe80::1", Limits{}, true, "a zone and none"},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::1", Limits{}, true, "two in one /64"},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", Limits{}, false, "two in two /64s"},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", Limits{IPv6Prefix: 56}, true, "two in one /56, as the limits say"},
		{"2001:db8:1:2::1", "2001:db8:1:2::2", Limits{IPv6Prefix: 128}, false, "two addresses, as the limits say"},
		{"0.0.0.0", "::", Limits{}, false, "zeros of two families"},
		{"0.0.0.0", "::", Limits{IPv4Prefix: 1, IPv6Prefix: 1}, false, "zeros of two families with one length"},
	} {
		w := newWorld(t, c.limits)
		w.fails(5, from(c.one, "alice"))
		if wait, _ := w.wait(from(c.other, "alice")); (wait != 0) != c.same {
			t.Errorf("%s: one pair is %v, want %v", c.reason, !c.same, c.same)
		}
		w = newWorld(t, c.limits)
		w.spray(50, always(c.one))
		if wait, _ := w.wait(from(c.other, "alice")); (wait != 0) != c.same {
			t.Errorf("%s: one address is %v, want %v", c.reason, !c.same, c.same)
		}
	}
}

// An attacker with a /48 has 65,536 /64s.
func TestAnIPv6NetworkHasTenTimesTheFailuresOfAnAddress(t *testing.T) {
	w := newWorld(t, Limits{})
	w.spray(500, func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i) })
	w.refused(from("2001:db8:1:ffff::1", "alice"), 30*time.Second, LimitNetwork, "500 failures in the /48")
	w.allowed(from("2001:db8:2::1", "alice"), "another /48")
	w.pass(30 * time.Second)
	w.fails(1, from("2001:db8:1:ffff::1", "alice"))
	w.refused(from("2001:db8:1:fffe::1", "bob"), time.Minute, LimitNetwork, "501 failures in the /48")

	w = newWorld(t, Limits{IPv6Prefix: 48})
	w.spray(50, func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i) })
	w.refused(from("2001:db8:1:ffff::1", "alice"), 30*time.Second, LimitAddress, "a /48 as an address")
	w.remembers(entries{Pairs: 50, Accounts: 50, Addresses: 1})
}

func TestAddressesThatAreNotKnownAreOneSourceThatIsNotCountedAlone(t *testing.T) {
	w := newWorld(t, Limits{})
	for i := range 1000 {
		w.fails(1, Attempt{Account: user(fmt.Sprint(i)), Source: Address(netip.Addr{})})
	}
	w.fails(5, Attempt{Account: user("alice")})
	w.refused(Attempt{Account: user("alice"), Source: Address(netip.Addr{})}, 30*time.Second, LimitPair, "the pair")
	w.allowed(from("0.0.0.0", "alice"), "an address of zeros")
	if e := w.entries(); e.Addresses != 0 {
		t.Errorf("%+v", e)
	}
}

func TestABurstFromAnAddressGetsNoMoreAttemptsThanTheLimit(t *testing.T) {
	w := newWorld(t, Limits{})
	var tries []*Reservation
	for i := range 50 {
		tries = append(tries, w.reserve(from("192.0.2.1", fmt.Sprint(i))))
	}
	w.refused(from("192.0.2.1", "alice"), time.Second, LimitAddress, "50 in flight")
	w.remembers(entries{Pairs: 50, Accounts: 50, Addresses: 1, InFlight: 50})
	for _, r := range tries {
		r.Succeed()
	}
	w.allowed(from("192.0.2.1", "alice"), "all succeeded")
	w.remembers(entries{Known: 50})
}

// The longest wait is reported: after it the attempt is not refused again.
func TestOfSeveralLimitsTheLongestWaitCounts(t *testing.T) {
	w := newWorld(t, Limits{})
	w.failsWhenAllowed(8, from("192.0.2.1", "alice"))
	w.refused(from("192.0.2.1", "alice"), 4*time.Minute, LimitPair, "the pair alone")
	w.spray(42, always("192.0.2.1"))
	w.refused(from("192.0.2.1", "bob"), 30*time.Second, LimitAddress, "the address alone")
	w.refused(from("192.0.2.1", "alice"), 4*time.Minute, LimitPair, "both")
	w.pass(4 * time.Minute)
	w.allowed(from("192.0.2.1", "alice"), "after the longest")
}
