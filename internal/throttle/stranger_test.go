package throttle

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// asStranger makes a wrong attempt in both ways, which must be answered alike, and
// returns how.
func (w *world) asStranger(a Attempt) (time.Duration, Limit) {
	w.Helper()
	r := w.reserve(a)
	settlement, settled := w.Settle(a, func() Outcome { return Outcome{Known: true} })
	r.Fail()
	reserved := r.AsStranger()
	if settlement != Settled || fmt.Sprint(settled) != fmt.Sprint(reserved) {
		w.Errorf("settlement %d: %v; reserved: %v", settlement, settled, reserved)
	}
	refused, ok := errors.AsType[*RefusedError](reserved)
	if !ok {
		return 0, ""
	}
	return refused.RetryAfter, refused.Limit
}

// C9: otherwise the answers would tell which accounts exist.
func TestAWrongSecretFromAKnownGoodSourceIsAnsweredAsAStrangersIs(t *testing.T) {
	for _, test := range []struct {
		limit Limit
		owner Attempt
		run   func(w *world, owner Attempt) // out
		other func(owner Attempt) Attempt   // the attempt that has to wait now
	}{
		{LimitAddress, from("198.51.100.1", "alice"),
			func(w *world, _ Attempt) { w.spray(50, always("198.51.100.1")) },
			func(Attempt) Attempt { return from("198.51.100.1", "nobody") }},
		{LimitNetwork, from("2001:db8:0:1::1", "alice"),
			func(w *world, _ Attempt) {
				for i := range 500 {
					w.fails(1, from(fmt.Sprintf("2001:db8:0:%x::1", 100+i/40), fmt.Sprint("nobody", i)))
				}
			},
			func(Attempt) Attempt { return from("2001:db8:0:2::1", "nobody") }},
	} {
		t.Run(fmt.Sprintf("%s %v", test.limit, test.owner), func(t *testing.T) {
			w := newWorld(t, Limits{})
			w.succeeds(test.owner)
			if wait, limit := w.asStranger(test.owner); wait != 0 {
				t.Errorf("a typo is refused for %v (%s)", wait, limit)
			}
			w.succeeds(test.owner)
			test.run(w, test.owner)
			for range 2 {
				want, limit := w.wait(test.other(test.owner))
				if limit != test.limit {
					t.Fatalf("a stranger is refused by %s", limit)
				}
				if wait, limit := w.asStranger(test.owner); wait != want || limit != test.limit {
					t.Errorf("wait %v (%s), want %v (%s)", wait, limit, want, test.limit)
				}
				w.pass(1500 * time.Millisecond)
			}
			w.succeeds(test.owner) // the right one is accepted
		})
	}
}

// An attacker who burns the ceiling is elsewhere: the owner must not be told to wait
// for each typo.
func TestTheCeilingOfAnAccountDoesNotMakeItsOwnerWait(t *testing.T) {
	for _, owner := range []Attempt{from("198.51.100.1", "alice"), through("web", "alice")} {
		w := newWorld(t, Limits{})
		w.succeeds(owner)
		w.burn(100, "alice")
		if wait, limit := w.asStranger(owner); wait != 0 {
			t.Errorf("%v: wait %v (%s)", owner, wait, limit)
		}
		w.succeeds(owner)
	}
}

// Its own waits look the same for as long, or they would give it away; the limit is for
// the log.
func TestTheWaitOfAKnownGoodSourceIsThatOfAStranger(t *testing.T) {
	w := newWorld(t, Limits{})
	owner := from("198.51.100.1", "alice")
	w.succeeds(owner)
	w.spray(50, always("198.51.100.1"))
	w.pass(10 * time.Second)
	w.fails(5, owner)
	w.refused(from("198.51.100.1", "nobody"), 20*time.Second, LimitAddress, "a stranger")
	w.refused(owner, 20*time.Second, LimitPair, "the owner, who has to wait for 30 seconds")
	w.pass(20 * time.Second)
	w.allowed(from("198.51.100.1", "nobody"), "a stranger again")
	w.refused(owner, 10*time.Second, LimitPair, "the owner")
	w.pass(10 * time.Second)
	w.succeeds(owner)
}

// A client's secret has no ceiling, but its address has.
func TestAWrongSecretOfAClientIsAnsweredAsAStrangersIs(t *testing.T) {
	w := newWorld(t, Limits{})
	client := Attempt{Account: Join("auth", "client", "web"), Source: from("198.51.100.1", "").Source, SkipAccount: true}
	w.succeeds(client)
	for i := range 100 {
		client := client
		client.Source = from(nth(i), "").Source
		w.fails(1, client)
	}
	if wait, limit := w.asStranger(client); wait != 0 {
		t.Errorf("wait %v (%s)", wait, limit)
	}
	w.succeeds(client)
	w.spray(50, always("198.51.100.1"))
	if wait, limit := w.asStranger(client); wait != 30*time.Second || limit != LimitAddress {
		t.Errorf("wait %v (%s)", wait, limit)
	}
}

// The same for what was wrong before.
func TestARepetitionFromAKnownGoodSourceIsAnsweredAsAStrangersIs(t *testing.T) {
	w := newWorld(t, Limits{})
	owner := guess(from("198.51.100.1", "alice"), "typo")
	w.succeeds(from("198.51.100.1", "alice"))
	w.fails(1, owner)
	w.spray(50, always("198.51.100.1"))
	r := w.reserve(owner)
	settlement, err := w.Settle(owner, func() Outcome { return Outcome{Fingerprint: owner.Fingerprint} })
	for way, err := range map[string]error{"reserved": r.AsStranger(), "settled": err} {
		if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.RetryAfter != 30*time.Second || refused.Limit != LimitAddress {
			t.Errorf("%s: %v", way, err)
		}
	}
	if !r.Repeated() || settlement != Repeated {
		t.Errorf("repeated %t, settlement %d", r.Repeated(), settlement)
	}
}

// A page of another site is counted where a stranger is, and takes nothing from the
// owner.
func TestAPageOfAnotherSiteTakesNothingFromTheOwner(t *testing.T) {
	for _, owner := range []Attempt{from("198.51.100.1", "alice"), from("2001:db8::1", "alice"), through("web", "alice"), {Account: user("alice")}} {
		page := owner
		page.Source = page.Source.CrossSite()
		w := newWorld(t, Limits{})
		w.succeeds(owner)
		w.fails(5, page)
		w.refused(page, 30*time.Second, LimitPair, "the page")
		w.fails(4, owner)
		w.succeeds(owner)
		w.refused(page, 30*time.Second, LimitPair, "the page, after a success of the owner")
		w.pass(30 * time.Second)
		w.succeeds(page) // a page at which the owner logs in
		w.fails(4, owner)
		w.fails(5, page)
		w.succeeds(owner) // who had an attempt left
	}
}
