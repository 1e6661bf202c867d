package throttle

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// maxOthers is how many keys of a kind other nodes have at most, all of them together.
// Few servers have the 16 nodes that it takes to get there.
const maxOthers = 16 * MaxCounts

// Other is what is known of another node.
type Other struct {
	ID     NodeID
	Report *Report       // which is not changed
	Age    time.Duration // of the report
}

// others is what other nodes have counted for one key.
type others struct {
	failures uint32
	nodes    uint16
	last     time.Duration
	told     bool
	owner    owner
}

// Heed takes in what is known of all other nodes, in place of what was known before,
// and forgives here what they have forgiven of this node, whose id is self. There must
// not be two calls at the same time.
func (t *Throttle) Heed(self NodeID, nodes []Other) { t.take(t.together(self, nodes)) }

// together adds up what nodes tell, while attempts go on.
func (t *Throttle) together(self NodeID, nodes []Other) *merged {
	t.mu.Lock()
	now := t.advance()
	cleared := maps.Clone(t.shared.cleared)
	t.shared.recent = nil
	told := t.shared.told
	t.mu.Unlock()

	m := merge(nodes, cleared, now)
	for of, upTo := range m.cleared {
		if of.Node != self {
			continue
		}
		if c := told.find(of.Kind, of.Key); c != nil && c.Floor < upTo { // else it was heard before
			m.mine = append(m.mine, Cleared{of, upTo})
		}
	}
	return m
}

func (t *Throttle) take(m *merged) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, of := range t.shared.recent { // forgiven in the meantime
		m.cleared[of] = max(m.cleared[of], t.shared.cleared[of])
		m.recount(of.Kind, of.Key)
	}
	t.shared.dropForgiven(t.advance(), &m.counted)
	t.shared.nodes, t.shared.known, t.shared.recent = m.nodes, m.known, nil
	for kind := range kinds {
		t.table(kind).others = m.counted[kind]
	}
	changed := t.forgetCleared(m.nodes)
	atKnown := make(map[Key]uint64)
	for _, c := range m.mine {
		if !t.dropUpTo(c) && c.Kind == Pairs {
			atKnown[c.Key] = c.UpTo
		}
	}
	t.dropAtKnown(atKnown)
	if changed || len(m.mine) > 0 {
		t.tell()
	}
}

// forgetCleared forgets what was forgiven of others and is no longer told by them: they
// have heard of it, or have aged out.
func (t *Throttle) forgetCleared(nodes []Other) (changed bool) {
	for of, upTo := range t.shared.cleared {
		i := slices.IndexFunc(nodes, func(o Other) bool { return o.ID == of.Node })
		if i >= 0 {
			if c := nodes[i].Report.find(of.Kind, of.Key); c != nil && c.Floor < upTo {
				continue
			}
		}
		delete(t.shared.cleared, of)
		changed = true
	}
	return changed
}

// dropUpTo forgives failures of this node that another node has forgiven, and says
// whether the key is in the table.
func (t *Throttle) dropUpTo(c Cleared) bool {
	in := t.table(c.Kind)
	e := in.find(c.Key)
	if e == nil {
		return false
	}
	e.dropUpTo(c.UpTo)
	e.told = e.told && e.failures > 0
	in.tidy(e)
	return true
}

// dropAtKnown is dropUpTo for sources that are known good here.
func (t *Throttle) dropAtKnown(upTo map[Key]uint64) {
	if len(upTo) == 0 {
		return
	}
	for s := range t.known.all {
		if total, has := upTo[s.pair]; has {
			s.dropUpTo(total)
			s.consecutive = min(s.consecutive, s.failures)
		}
	}
}

// merged is what several nodes tell, together.
type merged struct {
	nodes   []Other
	now     time.Duration
	cleared map[Failed]uint64
	mine    []Cleared // of cleared, what is to be forgiven at this node
	counted [kinds]map[Key]others
	known   map[Key]struct{}
}

func merge(nodes []Other, cleared map[Failed]uint64, now time.Duration) *merged {
	m := &merged{nodes: nodes, now: now, cleared: cleared, known: make(map[Key]struct{})}
	for i := range nodes {
		for _, c := range nodes[i].Report.Cleared {
			m.cleared[c.Failed] = max(m.cleared[c.Failed], c.UpTo)
		}
		for _, pair := range nodes[i].Report.Known {
			m.known[pair] = struct{}{}
		}
	}
	for kind := range kinds {
		m.counted[kind] = make(map[Key]others)
		for i := range nodes {
			counts := nodes[i].Report.Counts[kind]
			for j := range counts {
				m.add(&nodes[i], kind, &counts[j])
			}
		}
		dropFewest(m.counted[kind], maxOthers)
	}
	return m
}

// dropFewest keeps the keys with the most failures.
func dropFewest(counted map[Key]others, most int) {
	if len(counted) <= most {
		return
	}
	keys := slices.Collect(maps.Keys(counted))
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(counted[b].failures, counted[a].failures) })
	for _, key := range keys[most:] {
		delete(counted, key)
	}
}

// add adds what counts of one key at one node.
func (m *merged) add(node *Other, kind Kind, c *Count) {
	total, floor := c.total(), max(c.Floor, m.cleared[Failed{node.ID, kind, c.Key}])
	if total <= floor {
		return
	}
	o := m.counted[kind][c.Key]
	last := m.now - node.Age - c.Age
	if o.nodes == 0 || o.last < last {
		o.last = last
	}
	o.failures = min(o.failures+uint32(total-floor), maxFailuresTold)
	o.nodes++
	o.told = o.told || c.Told
	o.owner = owner{account: c.Account, address: c.Address, network: c.Network}
	m.counted[kind][c.Key] = o
}

// recount counts a key anew.
func (m *merged) recount(kind Kind, key Key) {
	delete(m.counted[kind], key)
	for i := range m.nodes {
		if c := m.nodes[i].Report.find(kind, key); c != nil {
			m.add(&m.nodes[i], kind, c)
		}
	}
}
