package keyring

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// fleet is several nodes on one storage. Their clocks differ by some seconds, and each
// looks into storage once a minute at most.
type fleet struct {
	random      *rand.Rand
	at          time.Time // the true time
	rotateEvery time.Duration
	lifetime    time.Duration
	stored      []generatedKey
	nodes       []*node
	made        int
	validUntil  map[string]time.Time // by key: when the last token that it signed expires
}

type node struct {
	skew      time.Duration
	poll      time.Time
	ring      []*Key
	published map[string]time.Time // when this node first had the key
}

const (
	maxSkew = 20 * time.Second
	maxPoll = time.Minute
)

func newFleet(random *rand.Rand) *fleet {
	f := &fleet{
		random:      random,
		at:          time.Unix(epoch, random.Int64N(1e9)),
		rotateEvery: between(random, time.Hour, 12*time.Hour),
		lifetime:    between(random, time.Second, 20*time.Hour),
		validUntil:  make(map[string]time.Time),
	}
	for range 3 {
		f.nodes = append(f.nodes, &node{
			skew:      between(random, -maxSkew, maxSkew),
			poll:      f.at,
			published: make(map[string]time.Time),
		})
	}
	f.store(f.nodes[0])
	if random.IntN(3) == 0 {
		f.store(f.nodes[1]) // its first start had a lock that went stale
	}
	return f
}

func between(random *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(random.Int64N(int64(to-from)))
}

func (f *fleet) store(n *node) {
	f.made++
	created := f.at.Add(n.skew).Unix()
	f.stored = append(f.stored, generatedKey{&Key{id: fmt.Sprintf("%02x-%d", f.random.IntN(256), f.made)}, created})
	slices.SortFunc(f.stored, func(a, b generatedKey) int {
		if a.created != b.created {
			return int(a.created - b.created)
		}
		return strings.Compare(a.id, b.id)
	})
}

// step advances to the next poll of a node and does it. It returns what is wrong.
func (f *fleet) step() error {
	n := slices.MinFunc(f.nodes, func(a, b *node) int { return a.poll.Compare(b.poll) })
	f.at = n.poll
	n.poll = f.at.Add(between(f.random, maxPoll/4, maxPoll))

	// Each has signed up to now with the signer that it knows.
	for _, other := range f.nodes {
		if len(other.ring) > 0 {
			f.validUntil[other.ring[0].id] = f.at.Add(f.lifetime)
		}
	}
	if err := f.check(n); err != nil {
		return fmt.Errorf("before a poll: %w", err)
	}

	now = func() time.Time { return f.at.Add(n.skew) }
	if !fresh(f.stored, f.rotateEvery) || f.random.IntN(100) == 0 && !nextWaits(f.stored, now()) { // or by hand
		f.store(n)
	}
	before := n.ring
	n.ring = inUse(f.stored, f.lifetime)
	if unique := slices.Compact(slices.Sorted(slices.Values(ids(n.ring)))); len(n.ring) == 0 || len(unique) != len(n.ring) {
		return fmt.Errorf("ring %v", ids(n.ring))
	}
	for _, k := range n.ring {
		if n.published[k.id].IsZero() {
			n.published[k.id] = f.at
		}
	}
	if signer := n.ring[0]; len(before) > 0 && before[0] != signer {
		for i, other := range f.nodes {
			if since := f.at.Sub(other.published[signer.id]); other.published[signer.id].IsZero() || since < 10*time.Minute {
				return fmt.Errorf("key %s signs, and node %d has published it for %s only", signer.id, i, since)
			}
		}
	}
	if err := f.deleteRetired(); err != nil {
		return err
	}
	return f.check(n)
}

// check tells whether the node verifies every token that has not expired.
func (f *fleet) check(n *node) error {
	if len(n.ring) == 0 {
		return nil // it starts
	}
	for id, until := range f.validUntil {
		if !until.Before(f.at) && !slices.Contains(ids(n.ring), id) {
			return fmt.Errorf("key %s has signed tokens that are good for %s, and is not in %v", id, until.Sub(f.at), ids(n.ring))
		}
	}
	return nil
}

// deleteRetired is what deleteRetired does to the storage.
func (f *fleet) deleteRetired() error {
	var left []generatedKey
	for i, k := range f.stored {
		if !retired(f.stored, i, f.lifetime+keepRetired, now()) {
			left = append(left, k)
			continue
		}
		for _, n := range f.nodes {
			if slices.Contains(ids(n.ring), k.id) {
				return fmt.Errorf("key %s is deleted while it is in use", k.id)
			}
		}
	}
	f.stored = left
	return nil
}

// L10: for random intervals, lifetimes, clocks and polls, rotations by hand, and rotation
// switched off and on, every token verifies on every node until it expires, and every signer but the
// first was published everywhere for ten minutes.
func TestEveryTokenVerifiesOnEveryNodeThroughRotations(t *testing.T) {
	defer func() { now = time.Now }()
	rotations := 0
	for seed := range uint64(16) {
		f := newFleet(rand.New(rand.NewPCG(seed, 1)))
		every := f.rotateEvery
		for f.at.Before(time.Unix(epoch, 0).Add(72 * time.Hour)) {
			if err := f.step(); err != nil {
				t.Fatalf("seed %d, rotate every %s, lifetime %s, after %s: %v",
					seed, f.rotateEvery, f.lifetime, f.at.Sub(time.Unix(epoch, 0)), err)
			}
			if f.random.IntN(3000) == 0 {
				f.rotateEvery = every - f.rotateEvery // off, or on again
			}
		}
		rotations += f.made
	}
	if rotations < 64 {
		t.Errorf("%d keys only", rotations)
	}
}

// For any set of keys at any time.
func TestOneKeySignsWhateverTheKeysAndTheTime(t *testing.T) {
	defer func() { now = time.Now }()
	random := rand.New(rand.NewPCG(7, 7))
	for range 20000 {
		var keys []generatedKey
		for i := range 1 + random.IntN(6) {
			keys = append(keys, named(fmt.Sprint(i), between(random, -100*time.Hour, 100*time.Hour).Truncate(time.Hour/2)))
		}
		slices.SortStableFunc(keys, func(a, b generatedKey) int { return int(a.created - b.created) })
		lifetime := between(random, time.Second, 100*time.Hour)
		signed := time.Unix(epoch, 0).Add(between(random, -200*time.Hour, 200*time.Hour))

		now = func() time.Time { return signed }
		ring := inUse(keys, lifetime)
		if unique := slices.Compact(slices.Sorted(slices.Values(ids(ring)))); len(ring) == 0 || len(unique) != len(ring) {
			t.Fatalf("in use %v", ids(ring))
		}
		signer := ring[0]
		now = func() time.Time { return signed.Add(lifetime) }
		if !slices.Contains(inUse(keys, lifetime), signer) {
			t.Fatalf("keys %v: %s signed at %s and is not in use %s later", keys, signer.id, signed, lifetime)
		}
		for i, k := range keys {
			if retired(keys, i, lifetime+keepRetired, now()) && slices.Contains(inUse(keys, lifetime), k.Key) {
				t.Fatalf("keys %v: %s is deleted while it is in use", keys, k.id)
			}
		}
	}
}
