package throttle

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// Nodes of one server tell each other what they have counted, so that the limits hold
// for all of them together: Report is what this node tells, Heed takes in what others
// do. A node tells its own failures only, never sums, so that nothing is counted twice.
//
// Each failure is forgiven at most once, at whichever node. For that, each node counts
// on from a floor: the total of a key, which is its floor and the failures above it,
// only grows, also when its failures are forgiven and when the key is counted anew. A
// success says which total of each other node it has seen, see Cleared, and that node
// lifts its floor to there. What it has counted since then stays.

// Key stands for an account, an address or both. It is a keyed digest.
type Key = digest

// NodeID is random, and that of one process.
type NodeID [8]byte

// Kind is what failures are counted for.
type Kind uint8

// The kinds.
const (
	Accounts  Kind = iota
	Pairs          // of an account and a source
	Addresses      // and IPv6 networks
	kinds
)

// Count is what a node has counted for a key.
type Count struct {
	Key      Key
	Floor    uint64        // the total of the key at the node without these failures
	Failures uint32        // at least one
	Age      time.Duration // of the last of them, when the report was made
	Network  bool          // the address is an IPv6 network
	Told     bool          // that the account has reached its ceiling
	Account  Tag           // of a pair
	Address  Tag           // of a pair; zero for a party or an unknown address
}

func (c *Count) total() uint64 { return c.Floor + uint64(c.Failures) }

// Tag is the beginning of a key.
type Tag = tag

// Cleared says that failures at another node were forgiven: those of a key up to a
// total.
type Cleared struct {
	Failed

	UpTo uint64
}

// Failed is a key of a kind at a node.
type Failed struct {
	Node NodeID
	Kind Kind
	Key  Key
}

// Report is what a node tells others. What is in it has at most the sizes of MaxCounts,
// MaxKnown and MaxCleared.
type Report struct {
	Counts  [kinds][]Count // by kind; in the order of their keys
	Known   []Key          // pairs whose sources are known good, of accounts that have failures at any node
	Cleared []Cleared
}

// How much a report has at most: the keys with the most failures.
const (
	MaxCounts  = 2048 // of each kind, so that a flood of one does not displace others
	MaxKnown   = 2048
	MaxCleared = 2048
)

// Equal tells whether two reports say the same, apart from the time that has passed.
func (r *Report) Equal(other *Report) bool {
	same := func(a, b Count) bool {
		a.Age, b.Age = 0, 0
		return a == b
	}
	for kind := range kinds {
		if !slices.EqualFunc(r.Counts[kind], other.Counts[kind], same) {
			return false
		}
	}
	return slices.Equal(r.Known, other.Known) && slices.Equal(r.Cleared, other.Cleared)
}

// Empty tells whether there is nothing in a report.
func (r *Report) Empty() bool { return r.Equal(new(Report)) }

// find returns what a report says of a key, nil if nothing.
func (r *Report) find(kind Kind, key Key) *Count {
	i, found := slices.BinarySearchFunc(r.Counts[kind], key, func(c Count, key Key) int { return CompareKeys(c.Key, key) })
	if !found {
		return nil
	}
	return &r.Counts[kind][i]
}

// CompareKeys is the order of keys in a report.
func CompareKeys(a, b Key) int { return bytes.Compare(a[:], b[:]) }

func compareCleared(a, b Cleared) int {
	return cmp.Or(bytes.Compare(a.Node[:], b.Node[:]), cmp.Compare(a.Kind, b.Kind), CompareKeys(a.Key, b.Key))
}

// shared is what a throttle knows of other nodes.
type shared struct {
	nodes   []Other           // as of the last Heed
	told    *Report           // the last one of this node
	known   map[Key]struct{}  // pairs whose sources are known good at another node
	cleared map[Failed]uint64 // what this node forgave of others, up to which total
	recent  []Failed          // those of cleared since Heed began

	forgiven map[subject]time.Duration // by an operator, and until when others may not have heard of it
}

func newShared() shared {
	return shared{told: new(Report), cleared: make(map[Failed]uint64), forgiven: make(map[subject]time.Duration)}
}

// UseKey makes the digests with a key that all nodes of a server have, so that what
// they tell each other means the same. What was counted under another key is
// forgotten, as by a restart; attempts in flight then count for nothing.
func (t *Throttle) UseKey(key [32]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.digester.key == key {
		return
	}
	t.advance()
	for element := t.inFlight.Front(); element != nil; element = element.Next() {
		f := element.Value.(*flight)
		f.forgiven, f.held = true, nil
	}
	t.digester.key = key
	t.reset()
	t.shared = newShared()
}

// Changed has a value when there may be something new to report.
func (t *Throttle) Changed() <-chan struct{} { return t.changed }

func (t *Throttle) tell() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

func (t *Throttle) table(kind Kind) *table {
	return [kinds]*table{t.accounts, t.pairs, t.addresses}[kind]
}

// tableNow is table for callers that do not have the lock.
func (t *Throttle) tableNow(kind Kind) *table {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.table(kind)
}

// clearOthers forgives what other nodes have told of a key, and says whether there was
// anything. What a third node says it has forgiven is forgiven here too: that node says
// so only until it has heard that it was done, which may be before this one has.
func (t *Throttle) clearOthers(kind Kind, key Key) (had bool) {
	for i := range t.shared.nodes {
		node := &t.shared.nodes[i]
		of := Failed{node.ID, kind, key}
		c := node.Report.find(kind, key)
		if c == nil || t.shared.cleared[of] >= c.total() {
			continue
		}
		if _, has := t.shared.cleared[of]; !has && len(t.shared.cleared) >= MaxCleared {
			continue // they count again after the next Heed
		}
		t.shared.cleared[of] = c.total()
		t.shared.recent = append(t.shared.recent, of)
		had = true
	}
	delete(t.table(kind).others, key)
	return had
}

// clearAllOthers is clearOthers for all pairs with such an owner.
func (t *Throttle) clearAllOthers(of func(*owner) bool) {
	for key, o := range t.pairs.others {
		if of(&o.owner) {
			t.clearOthers(Pairs, key)
		}
	}
}

// toldWithin is how long after a failure other nodes hear of it at the latest, see
// package sharedfailures.
const toldWithin = 5 * time.Second
