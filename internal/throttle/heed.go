package throttle

import (
	"slices"
	"time"
)

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
func (t *Throttle) Heed(self NodeID, nodes []Other) { t.take(self, t.together(nodes)) }

// together adds up what nodes tell, while attempts go on.
func (t *Throttle) together(nodes []Other) *merged {
	t.mu.Lock()
	now := t.advance()
	cleared := make(map[Failed]uint64, len(t.shared.cleared))
	for of, upTo := range t.shared.cleared {
		cleared[of] = upTo
	}
	t.shared.recent = nil
	t.mu.Unlock()

	return merge(nodes, cleared, now)
}

func (t *Throttle) take(self NodeID, m *merged) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, of := range t.shared.recent { // forgiven in the meantime
		m.cleared[of] = max(m.cleared[of], t.shared.cleared[of])
		m.recount(of.Kind, of.Key)
	}
	nodes := m.nodes
	t.shared.nodes, t.shared.known, t.shared.recent = nodes, m.known, nil
	for kind := range kinds {
		t.table(kind).others = m.counted[kind]
	}
	changed := t.forgetCleared(nodes)
	atKnown := make(map[Key]uint64)
	for i := range nodes {
		for _, c := range nodes[i].Report.Cleared {
			if c.Node != self {
				continue
			}
			told := t.shared.told.find(c.Kind, c.Key)
			if told == nil || told.Floor >= c.UpTo { // heard before
				continue
			}
			if !t.dropUpTo(c) && c.Kind == Pairs {
				atKnown[c.Key] = max(atKnown[c.Key], c.UpTo)
			}
			changed = true
		}
	}
	t.dropAtKnown(atKnown)
	if changed {
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
	}
	return m
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
