package throttle

import (
	"math/rand/v2"
	"time"
)

// table holds the counters of up to capacity keys.
//
// When it is full, a new key takes the place of a key whose failures are forgotten,
// otherwise of the least important among a few drawn at random: the one with the fewest
// failures, and of those the oldest. So what is under attack stays, and a flood of new
// keys replaces itself. Attempts in flight are never lost.
//
// A table that is full of delayed keys goes on in the same way. Refusing new keys
// instead would lock out every source that is not known good, at the cost of filling it
// once. And it gives no guesses away: to make a table forget one chosen key takes about
// as many failed attempts as the table has places, each with as many failures as that
// key.
//
// The entries lie in one slice, in places that do not change, and are chained by the
// time of their last failure, only roughly for attempts that were never ended; place 0
// closes the chain to a ring.
type table struct {
	capacity int
	total    uint64            // failures that were ever counted here
	others   map[digest]others // what other nodes have counted; see share.go
	places   map[digest]int32
	entries  []entry
	free     int32 // first of the places that are not used, chained by newer; 0: none
}

// entry takes 72 bytes, and its place in the map about as much again: see the
// capacities in throttle.go.
type entry struct {
	key          digest
	older, newer int32
	counter
	owner owner
	told  bool // of an account, that it has reached its ceiling
}

// owner says of an entry what its key, a digest, does not: whose pair it is, or that an
// address is a network.
type owner struct {
	account, address tag // of a pair; the address is zero for a party or an unknown one
	network          bool
}

// tag is the beginning of a digest: enough to find what belongs to an account or an
// address, and to keep entries small. That a search in full tables also finds the pair
// of another is as likely as one in 500 billion.
type tag [7]byte

func tagOf(d digest) tag { return tag(d[:]) }

func ownerOfPair(k *keys) owner { return owner{account: tagOf(k.account), address: tagOf(k.address)} }

// sample is how many entries of a full table compete to stay.
const sample = 16

func newTable(capacity int) *table {
	return &table{capacity: capacity, places: make(map[digest]int32), entries: make([]entry, 1)}
}

func (t *table) len() int { return len(t.places) }

// find returns the entry of a key, nil if there is none. It is valid until the next
// call of obtain.
func (t *table) find(key digest) *entry {
	if i, ok := t.places[key]; ok {
		return &t.entries[i]
	}
	return nil
}

// obtain returns the entry of a key, a new one if there is none, and nil if there is no
// place for one because too many attempts are in flight. It is valid until the next
// call of obtain.
func (t *table) obtain(key digest, now, quiet time.Duration) *entry {
	if e := t.find(key); e != nil {
		return e
	}
	for range 2 { // two for one, so that a table shrinks after an attack
		t.dropForgotten(now, quiet)
	}
	if t.len() >= t.capacity && !t.evict() {
		return nil
	}
	i := t.free
	if i != 0 {
		t.free = t.entries[i].newer
	} else {
		i = int32(len(t.entries))
		t.entries = append(t.entries, entry{})
	}
	t.places[key] = i
	t.entries[i] = entry{key: key, counter: newCounter(now, t.total)}
	t.link(i)
	return &t.entries[i]
}

// fail ends an attempt in flight as a failure.
func (t *table) fail(key digest, at time.Duration) {
	i := t.places[key]
	t.total++
	t.entries[i].fail(at)
	t.unlink(i)
	t.link(i)
}

// touch makes an entry the newest, as of now.
func (t *table) touch(key digest, now time.Duration) {
	i := t.places[key]
	t.entries[i].last = now
	t.unlink(i)
	t.link(i)
}

// cancel ends an attempt in flight as if it had not been made.
func (t *table) cancel(key digest) {
	e := t.find(key)
	e.inFlight--
	t.tidy(e)
}

// look returns what counts for a key, also at other nodes.
func (t *table) look(key digest, b bound, now time.Duration) counter {
	if e := t.find(key); e != nil {
		return e.look(t.others[key], b, now)
	}
	var none counter
	return none.look(t.others[key], b, now)
}

// clear forgets the failures of a key at this node, not the attempts in flight, and
// says whether there were any.
func (t *table) clear(key digest) bool {
	e := t.find(key)
	if e == nil {
		return false
	}
	had := e.failures > 0
	e.drop(e.failures)
	e.told = false
	t.tidy(e)
	return had
}

// remove takes a key out, attempts in flight included.
func (t *table) remove(key digest) {
	i := t.places[key]
	delete(t.places, key)
	t.unlink(i)
	t.entries[i] = entry{newer: t.free}
	t.free = i
}

// tidy removes an entry in which nothing is counted.
func (t *table) tidy(e *entry) {
	if e.idle() {
		t.remove(e.key)
	}
}

// dropForgotten removes the oldest entry if its failures are forgotten, and says
// whether it did.
func (t *table) dropForgotten(now, quiet time.Duration) bool {
	oldest := t.entries[0].newer
	e := &t.entries[oldest]
	if oldest == 0 || e.inFlight > 0 || now-e.last < quiet {
		return false
	}
	t.remove(e.key)
	return true
}

// evict removes the entry of a full table that matters least among a random sample. It
// removes none, and says so, if attempts are in flight for the whole sample.
func (t *table) evict() bool {
	var least *entry
	for range sample {
		e := &t.entries[1+rand.IntN(len(t.entries)-1)] // a full table has no free places
		if e.inFlight == 0 && (least == nil || e.failures < least.failures ||
			e.failures == least.failures && e.last < least.last) {
			least = e
		}
	}
	if least == nil {
		return false
	}
	t.remove(least.key)
	return true
}

// link makes an entry the newest.
func (t *table) link(i int32) {
	newest := t.entries[0].older
	t.entries[i].older, t.entries[i].newer = newest, 0
	t.entries[newest].newer, t.entries[0].older = i, i
}

func (t *table) unlink(i int32) {
	e := &t.entries[i]
	t.entries[e.older].newer, t.entries[e.newer].older = e.newer, e.older
}
