package throttle

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Forgive forgets the failures of an account, from whatever source: an operator knows
// better. The account and its pairs have no wait then; an address keeps its own, see
// ForgiveAddress. Other nodes are told to do the same within a time: what they tell
// until they have counts for nothing.
//
// Attempts in flight begin no new count: an attempt that fails counts for its address
// alone, a success counts as ever. So no attempt from before locks the account again,
// at the price of as many guesses as were in flight. Known good sources stay known
// good, with no failures. A secret that was wrong a moment ago is still wrong and still
// not counted: that makes no attempt wait.
//
// It looks at all pairs, which takes about a millisecond when there are as many as
// there can be.
func (t *Throttle) Forgive(account string, within time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.advance()
	key := t.digester.digest(ofAccount, account)
	t.forgiveFlights(func(k *keys) bool { return k.account == key }, held{t.accounts, key})
	t.accounts.clear(key)
	ofAccount := func(o *owner) bool { return o.account == tagOf(key) }
	t.pairs.clearAll(ofAccount)
	t.clearOthers(Accounts, key)
	t.clearAllOthers(ofAccount)
	t.shared.forgive(now+within, subject{Accounts, tagOf(key)})
	for s := range t.known.of(key) {
		s.forgive()
	}
	t.tell()
}

// ForgiveAddress forgets the failures from an address, and from those with the same
// prefix, see Limits, on whatever account: its own, those of its pairs, and those of
// the IPv6 /48 around it. The counts of accounts over all sources stay, see Forgive,
// which also says what becomes of attempts in flight and of known good sources, and
// what within is. The unknown address, which is not valid, has no failures of its own, and those of its
// pairs stay. It looks at all known good sources too, which takes up to five
// milliseconds.
func (t *Throttle) ForgiveAddress(address netip.Addr, within time.Duration) {
	if !address.IsValid() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.advance()
	of := t.digester.keys(Attempt{Source: Address(address)}, t.limits)
	t.forgiveFlights(func(k *keys) bool { return k.address == of.address },
		held{t.addresses, of.address}, held{t.addresses, of.network})
	t.addresses.clear(of.address)
	t.addresses.clear(of.network) // there is none with the zero key
	atAddress := func(o *owner) bool { return o.address == tagOf(of.address) }
	t.pairs.clearAll(atAddress)
	t.clearOthers(Addresses, of.address)
	t.clearOthers(Addresses, of.network)
	t.clearAllOthers(atAddress)
	t.shared.forgive(now+within, subject{Addresses, tagOf(of.address)}, subject{Addresses, tagOf(of.network)})
	for s := range t.known.all {
		if s.address == tagOf(of.address) {
			s.forgive()
		}
	}
	t.tell()
}

// forgiveFlights takes attempts in flight out of what is to be forgotten: all that are
// counted there, and of those with such keys also their pairs.
func (t *Throttle) forgiveFlights(withPair func(*keys) bool, forgotten ...held) {
	for element := t.inFlight.Front(); element != nil; element = element.Next() {
		f := element.Value.(*flight)
		if !f.forgiven && withPair(&f.keys) {
			f.uncountPair()
			f.forgiven = true
		}
		f.held = slices.DeleteFunc(f.held, func(h held) bool {
			forgive := slices.Contains(forgotten, h)
			if forgive {
				h.table.cancel(h.key)
			}
			return forgive
		})
	}
}

// forgive forgets the failures, not the attempts in flight.
func (s *source) forgive() {
	s.drop(s.failures)
	s.consecutive = 0
}

// clearAll is clear for all entries with such an owner.
func (t *table) clearAll(of func(*owner) bool) {
	for i := range t.entries {
		if e := &t.entries[i]; e.failures > 0 && of(&e.owner) {
			t.clear(e.key)
		}
	}
}

// subject is an account or an address that an operator has forgiven.
type subject struct {
	kind Kind
	tag  Tag
}

// forgive makes what others tell of subjects count for nothing until a time, and until
// they have been heard again after it, see Throttle.ForgivenessEnds.
func (s *shared) forgive(until time.Duration, subjects ...subject) {
	for _, of := range subjects {
		if of.tag != (Tag{}) && len(s.forgiven) < maxForgiven {
			s.forgiven[of] = until + toldWithin
		}
	}
}

// dropForgiven takes what other nodes may have counted before they heard of an operator
// out of what they tell.
func (s *shared) dropForgiven(now time.Duration, counted *[kinds]map[Key]others) {
	maps.DeleteFunc(s.forgiven, func(_ subject, until time.Duration) bool { return until <= now })
	if len(s.forgiven) == 0 {
		return
	}
	is := func(kind Kind, tag Tag) bool {
		_, has := s.forgiven[subject{kind, tag}]
		return has
	}
	for kind, of := range counted {
		maps.DeleteFunc(of, func(key Key, o others) bool {
			if Kind(kind) == Pairs {
				return is(Accounts, o.owner.account) || is(Addresses, o.owner.address)
			}
			return is(Kind(kind), tagOf(key))
		})
	}
}

// ForgivenessEnds says that what other nodes have told counts again, with the next Heed.
func (t *Throttle) ForgivenessEnds() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.advance()
	for _, until := range t.shared.forgiven {
		if until <= now {
			return true
		}
	}
	return false
}

// maxForgiven bounds the memory that very many unlocks within seconds take.
const maxForgiven = 4096
