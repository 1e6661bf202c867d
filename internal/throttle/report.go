package throttle

import (
	"cmp"
	"slices"
	"time"
)

// Report is what this node tells others. It looks at all entries, a part at a time, so
// that attempts go on in between.
func (t *Throttle) Report() *Report {
	r := new(Report)
	var accounts []Key // with failures here, the most first
	for kind := range kinds {
		top := t.most(kind)
		if kind == Accounts {
			for i := range top {
				accounts = append(accounts, top[i].Key)
			}
		}
		slices.SortFunc(top, func(a, b Count) int { return CompareKeys(a.Key, b.Key) })
		r.Counts[kind] = top
	}
	r.Known = t.knownOf(accounts)
	t.mu.Lock()
	defer t.mu.Unlock()
	for of, upTo := range t.shared.cleared {
		r.Cleared = append(r.Cleared, Cleared{of, upTo})
	}
	slices.SortFunc(r.Cleared, compareCleared)
	t.shared.told = r
	return r
}

// most are the keys with the most failures, and of those with equally many the latest:
// a flood of names that are tried once each displaces itself.
func (t *Throttle) most(kind Kind) []Count {
	var top topCounts
	add := func(key Key, c counter, o owner, told bool, now time.Duration, b bound) {
		if c.forget(b, now); c.failures > 0 {
			top.add(Count{
				Key: key, Floor: c.floor, Failures: min(c.failures, maxFailuresTold), Age: now - c.last,
				Network: o.network, Told: told, Account: o.account, Address: o.address,
			})
		}
	}
	in := t.tableNow(kind)
	t.eachFailed(in, func(e *entry, l *Limits, now time.Duration) {
		b := l.of(kind, e.owner.network)
		b.forgiveEach *= time.Duration(1 + in.others[e.key].nodes)
		add(e.key, e.counter, e.owner, e.told, now, b)
	})
	if kind == Pairs {
		t.mu.Lock()
		defer t.mu.Unlock()
		now := t.advance()
		for a := range t.known.allAccounts {
			for i := range a.sources {
				s := &a.sources[i]
				add(s.pair, s.counter, owner{account: tagOf(a.account), address: s.address}, false, now, t.limits.pair())
			}
		}
	}
	return top.sorted()
}

// topCounts keeps the MaxCounts with the most failures of all that are added, and at
// most four times as many while it does so.
type topCounts []Count

func (c *topCounts) add(count Count) {
	if *c = append(*c, count); len(*c) >= 4*MaxCounts {
		*c = c.sorted()
	}
}

func (c *topCounts) sorted() []Count {
	slices.SortFunc(*c, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Failures, a.Failures), cmp.Compare(a.Age, b.Age), CompareKeys(a.Key, b.Key))
	})
	return (*c)[:min(len(*c), MaxCounts)]
}

// knownOf are the pairs whose sources are known good here, of these accounts and of
// those that other nodes tell of.
func (t *Throttle) knownOf(accounts []Key) (pairs []Key) {
	t.mu.Lock()
	nodes := t.shared.nodes
	t.mu.Unlock()
	asked := make(map[Key]bool)
	ask := func(accounts []Key) {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, account := range accounts {
			if asked[account] || len(pairs) == MaxKnown {
				continue
			}
			asked[account] = true
			of := 0
			for s := range t.known.of(account) {
				if of < maxKnownPerAccount && len(pairs) < MaxKnown && int(s.consecutive) < t.limits.AccountCeiling {
					pairs = append(pairs, s.pair)
					of++
				}
			}
		}
	}
	ask(accounts)
	for i := range nodes {
		told := make([]Key, 0, len(nodes[i].Report.Counts[Accounts]))
		for _, c := range nodes[i].Report.Counts[Accounts] {
			told = append(told, c.Key)
		}
		ask(told)
	}
	slices.SortFunc(pairs, CompareKeys)
	return slices.Compact(pairs)
}

// maxFailuresTold is above every limit, and keeps sums from overflowing.
const maxFailuresTold = networkFactor * mostFailures
