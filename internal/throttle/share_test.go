package throttle

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// server is nodes that tell each other what they have counted.
type server struct {
	*testing.T
	clock *fakeClock
	nodes []*member
}

// member is a node of a server.
type member struct {
	*world
	id    NodeID
	told  *Report
	at    time.Time            // when it was told
	heard map[NodeID]Other     // as last read
	when  map[NodeID]time.Time // it was told
}

func newServer(t *testing.T, limits Limits, nodes int) *server {
	s := &server{T: t, clock: newFakeClock()}
	for range nodes {
		s.join(limits)
	}
	return s
}

func (s *server) join(limits Limits) *member {
	m := &member{
		world: &world{s.T, newThrottle(limits, s.clock.now), s.clock},
		id:    NodeID{byte(len(s.nodes) + 1)}, heard: make(map[NodeID]Other), when: make(map[NodeID]time.Time),
	}
	m.UseKey([32]byte{1})
	m.publish()
	s.nodes = append(s.nodes, m)
	return m
}

func (m *member) publish() { m.told, m.at = m.Report(), m.now() }

// hear reads what another node has told last.
func (m *member) hear(from *member) {
	m.heard[from.id], m.when[from.id] = Other{ID: from.id, Report: from.told}, from.at
	var all []Other
	for id, o := range m.heard {
		o.Age = m.now().Sub(m.when[id])
		all = append(all, o)
	}
	m.Heed(m.id, all)
}

// tellAll makes all nodes know what all have counted.
func (s *server) tellAll() {
	for range 3 { // what is forgiven takes a way there and a way back
		for _, m := range s.nodes {
			m.publish()
		}
		for _, m := range s.nodes {
			for _, other := range s.nodes {
				if other != m {
					m.hear(other)
				}
			}
		}
	}
}

// counted is what a node counts for a user, over all nodes.
func (m *member) counted(name string) int {
	m.Throttle.mu.Lock()
	defer m.Throttle.mu.Unlock()
	now := m.advance()
	return int(m.accounts.look(m.digester.digest(ofAccount, user(name)), m.limits.account(), now).failures)
}

func TestTheCeilingIsThatOfAllNodes(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 4)
	for i := range 10 {
		s.nodes[i%4].fails(1, from(nth(i), "alice"))
		s.tellAll()
	}
	for i, m := range s.nodes {
		m.refused(from("192.0.2.1", "alice"), time.Hour, LimitAccount, fmt.Sprint("node ", i))
		m.allowed(from("192.0.2.1", "bob"), fmt.Sprint("node ", i))
	}
}

func TestTheLimitsOfPairsAndAddressesAreThoseOfAllNodes(t *testing.T) {
	s := newServer(t, Limits{}, 3)
	for i := range 5 {
		s.nodes[i%3].fails(1, from("192.0.2.1", "alice"))
		s.tellAll()
	}
	for _, m := range s.nodes {
		m.refused(from("192.0.2.1", "alice"), 30*time.Second, LimitPair, "a pair")
		m.allowed(from("192.0.2.2", "alice"), "another source")
	}
	for i := range 45 {
		s.nodes[i%3].fails(1, from("192.0.2.1", fmt.Sprint("user", i)))
		s.tellAll()
	}
	for _, m := range s.nodes {
		m.refused(from("192.0.2.1", "bob"), 30*time.Second, LimitAddress, "an address")
	}
}

// The failures that a node does not know of yet are the only ones that it lets pass.
func TestNodesThatHearLateLetPassWhatFitsIntoTheDelay(t *testing.T) {
	const ceiling, nodes, within = 30, 4, 3
	s := newServer(t, Limits{AccountCeiling: ceiling}, nodes)
	looked := 0
	for round := 0; round < 20; round++ {
		for i, m := range s.nodes {
			for n := range within { // as many as a node lets pass until it hears again
				if r, err := m.Reserve(from(nth(round<<8|i<<4|n), "alice")); err == nil {
					r.Fail()
					looked++
				}
			}
		}
		s.tellAll()
	}
	if most := ceiling + (nodes-1)*within; looked < ceiling || looked > most {
		t.Errorf("%d passwords were looked at, want %d to %d", looked, ceiling, most)
	}
}

func TestWaitsBeginWithTheLastFailureAtAnyNode(t *testing.T) {
	s := newServer(t, Limits{}, 2)
	s.nodes[0].fails(5, from("192.0.2.1", "alice"))
	s.clock.pass(10 * time.Second)
	s.tellAll()
	s.clock.pass(5 * time.Second)
	s.tellAll()
	s.nodes[1].refused(from("192.0.2.1", "alice"), 15*time.Second, LimitPair, "a pair")
	s.clock.pass(15 * time.Second)
	s.nodes[1].fails(1, from("192.0.2.1", "alice"))
	s.tellAll()
	s.nodes[0].refused(from("192.0.2.1", "alice"), time.Minute, LimitPair, "the next wait is longer")
}

func TestASuccessForgivesAtAllNodes(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 3)
	owner := from("198.51.100.1", "alice")
	s.nodes[2].fails(4, owner)
	for i := range 5 {
		s.nodes[i%2].fails(1, from(nth(i), "alice"))
	}
	s.tellAll()
	s.nodes[1].fails(1, from("192.0.2.7", "bob"))
	s.nodes[0].succeeds(owner)
	if got := s.nodes[0].counted("alice"); got != 0 {
		t.Errorf("%d failures count where the success was", got)
	}
	s.tellAll()
	for i, m := range s.nodes {
		if got := m.counted("alice"); got != 0 {
			t.Errorf("node %d: %d failures count after a success", i, got)
		}
		if got := m.counted("bob"); got != 1 {
			t.Errorf("node %d: %d failures of another account, want 1", i, got)
		}
	}
	s.nodes[2].fails(4, owner)
	s.nodes[2].allowed(owner, "the failures of the pair before do not count")
	s.tellAll()
	if n := len(s.nodes[0].shared.cleared); n != 0 {
		t.Errorf("%d things that were forgiven are still told", n)
	}
}

func TestASuccessForgivesOnlyWhatItsNodeHasSeen(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 2)
	s.nodes[0].fails(1, from(nth(1), "alice"))
	s.tellAll()
	s.nodes[0].fails(1, from(nth(2), "alice"))
	s.nodes[1].succeeds(from("198.51.100.1", "alice"))
	s.tellAll()
	for i, m := range s.nodes {
		if got := m.counted("alice"); got != 1 {
			t.Errorf("node %d: %d failures count, want the one that had not been seen", i, got)
		}
	}
}

func TestASuccessForgivesAlsoWhatAnotherNodeTakesForForgivenForAWhile(t *testing.T) {
	s := newServer(t, Limits{}, 3)
	hears, fails, forgives := s.nodes[0], s.nodes[1], s.nodes[2]
	good := from("198.51.100.1", "alice")
	fails.fails(1, from("192.0.2.1", "alice"))
	fails.publish()
	hears.hear(fails)
	forgives.hear(fails)
	forgives.succeeds(good)
	forgives.publish()
	hears.hear(forgives)
	hears.succeeds(good)
	fails.hear(forgives)
	fails.publish()
	forgives.hear(fails)
	forgives.publish() // no more of it: it has heard that it was done
	hears.hear(forgives)
	if got := hears.counted("alice"); got != 0 {
		t.Errorf("%d failures count again after the success", got)
	}
}

func TestASuccessForgivesWhatASourceThatIsKnownGoodElsewhereHasFailed(t *testing.T) {
	s := newServer(t, Limits{}, 2)
	owner := from("198.51.100.1", "alice")
	s.nodes[0].succeeds(owner)
	s.nodes[0].fails(4, owner)
	s.tellAll()
	s.nodes[1].fails(1, from("192.0.2.1", "bob"))
	s.nodes[1].succeeds(owner)
	s.tellAll()
	s.nodes[0].fails(4, owner)
	s.nodes[0].allowed(owner, "four new failures")
	s.nodes[0].fails(1, owner)
	s.tellAll()
	s.nodes[1].refused(owner, 30*time.Second, LimitPair, "five new failures, at the other node")
}

func TestNewFailuresAtASourceThatIsKnownGoodAreNotForgivenWithOldOnes(t *testing.T) {
	s := newServer(t, Limits{}, 2)
	owner := from("198.51.100.1", "alice")
	s.nodes[0].succeeds(owner)
	s.nodes[0].fails(4, owner)
	s.tellAll()
	s.nodes[1].succeeds(owner)
	s.nodes[0].succeeds(owner)
	s.nodes[0].fails(4, owner)
	s.tellAll()
	s.nodes[0].fails(1, owner)
	s.nodes[0].refused(owner, 30*time.Second, LimitPair, "five failures since the last success")
}

// What others tell is put together while attempts go on.
func TestASuccessWhileANodeHearsOthersIsNotLost(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 2)
	m, other := s.nodes[0], s.nodes[1]
	for i := range 10 {
		other.fails(1, from(nth(i), "alice"))
	}
	s.tellAll()
	hearing := m.together(m.id, []Other{{ID: other.id, Report: other.told}})
	m.Forgive(user("alice"), time.Second)
	m.take(hearing)
	m.allowed(from("192.0.2.1", "alice"), "forgiven in the meantime")
}

func TestASuccessForgivesNoAddress(t *testing.T) {
	s := newServer(t, Limits{}, 2)
	s.nodes[0].spray(50, always("192.0.2.1"))
	s.nodes[1].succeeds(from("192.0.2.1", "alice"))
	s.tellAll()
	s.nodes[1].refused(from("192.0.2.1", "bob"), 30*time.Second, LimitAddress, "the address")
}

func TestASourceIsKnownGoodAtAllNodesWhileTheAccountHasFailures(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 3)
	owner := from("198.51.100.1", "alice")
	s.nodes[0].succeeds(owner)
	s.tellAll()
	if n := len(s.nodes[0].told.Known); n != 0 {
		t.Errorf("%d sources are told of an account without failures", n)
	}
	for i := range 10 {
		s.nodes[1].fails(1, from(nth(i), "alice"))
	}
	s.tellAll()
	for i, m := range s.nodes {
		m.refused(from("192.0.2.1", "alice"), time.Hour, LimitAccount, fmt.Sprint("a stranger at node ", i))
		m.allowed(owner, fmt.Sprint("the owner at node ", i))
	}
	last := s.nodes[2]
	r := last.reserve(owner)
	if !r.KnownGood() {
		t.Error("the owner takes turns with strangers")
	}
	r.Fail()
	last.remembers(entries{Pairs: 1}) // which counts for neither the account nor the address
	last.fails(4, owner)
	s.tellAll()
	for i, m := range s.nodes {
		m.refused(owner, 30*time.Second, LimitPair, fmt.Sprint("its own failures, at node ", i))
	}
	s.clock.pass(30 * time.Second)
	last.succeeds(owner)
	s.tellAll()
	for i, m := range s.nodes {
		m.allowed(from("192.0.2.1", "alice"), fmt.Sprint("a stranger after that, at node ", i))
	}
}

// C6: an attacker at the very source that is known good.
func TestASourceThatIsKnownGoodElsewhereIsGoodForTheCeilingOverAllNodes(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 2)
	owner := from("198.51.100.1", "alice")
	s.nodes[0].succeeds(owner)
	for i := range 10 {
		s.nodes[1].fails(1, from(nth(i), "alice"))
	}
	s.tellAll()
	for i := range 10 {
		m := s.nodes[i%2]
		m.failsWhenAllowed(1, owner)
		s.tellAll()
	}
	for i, m := range s.nodes {
		wait, limit := m.wait(owner)
		if limit != LimitAccount {
			t.Errorf("node %d: wait %v (%s), want that of a stranger", i, wait, limit)
		}
	}
}

func TestFailuresOutliveTheirNode(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 1)
	for i := range 10 {
		s.nodes[0].fails(1, from(nth(i), "alice"))
	}
	s.nodes[0].publish()
	next := s.join(Limits{AccountCeiling: 10})
	next.hear(s.nodes[0])
	next.refused(from("192.0.2.1", "alice"), time.Hour, LimitAccount, "after a restart")
	next.Forgive(user("alice"), time.Second)
	next.allowed(from(nth(1), "alice"), "an operator forgives also what the node before has counted")
	next.publish()
	third := s.join(Limits{AccountCeiling: 10})
	third.hear(s.nodes[0])
	third.hear(next)
	third.allowed(from(nth(1), "alice"), "that is told")
}

func TestAnAddressIsForgivenAtAllNodesByAnOperator(t *testing.T) {
	s := newServer(t, Limits{}, 2)
	dead := s.nodes[0]
	dead.spray(50, always("192.0.2.1"))
	dead.fails(5, from("192.0.2.2", "alice"))
	s.tellAll()
	s.nodes[1].forgiveAddress("192.0.2.1")
	s.nodes[1].allowed(from("192.0.2.1", "user3"), "the address")
	s.nodes[1].refused(from("192.0.2.2", "alice"), 30*time.Second, LimitPair, "another address")
	s.tellAll()
	dead.allowed(from("192.0.2.1", "user3"), "the address at the other node")
}

// A node tells of failures until it has heard of the unlock itself.
func TestWhatOthersTellBeforeTheyHearOfAnUnlockCountsForNothing(t *testing.T) {
	here := from("192.0.2.1", "alice")
	for _, test := range []struct {
		limit   Limit
		fail    func(*member)
		forgive func(*member)
	}{
		{LimitPair, func(m *member) { m.fails(5, here) }, func(m *member) { m.Forgive(user("alice"), 2*time.Second) }},
		{LimitPair, func(m *member) { m.fails(5, here) }, func(m *member) { m.ForgiveAddress(netip.MustParseAddr("192.0.2.1"), 2*time.Second) }},
		{LimitAddress, func(m *member) { m.spray(50, always("192.0.2.1")) }, func(m *member) { m.ForgiveAddress(netip.MustParseAddr("192.0.2.1"), 2*time.Second) }},
	} {
		s := newServer(t, Limits{}, 2)
		a, b := s.nodes[0], s.nodes[1]
		test.fail(b)
		test.forgive(a)
		s.tellAll()
		a.allowed(here, "as the other node tells what it counted before")
		b.refused(here, 30*time.Second, test.limit, "at the other node")

		s.clock.pass(2 * time.Second)
		test.forgive(b)
		test.fail(b)
		s.tellAll()
		b.refused(here, 30*time.Second, test.limit, "with new failures")
		s.clock.pass(toldWithin)
		if !a.ForgivenessEnds() {
			t.Error("what others tell should count again")
		}
		s.tellAll()
		a.refused(here, 25*time.Second, test.limit, "with new failures at the other node")
		if a.ForgivenessEnds() {
			t.Error("what others tell would be counted once more")
		}
	}
}

// Several nodes must not forgive an address faster than one.
func TestNodesTogetherForgiveAnAddressOneFailureAnHour(t *testing.T) {
	for _, attempts := range []bool{false, true} {
		s := newServer(t, Limits{}, 5)
		for i := range 50 {
			s.nodes[i%5].fails(1, from("192.0.2.1", fmt.Sprint("user", i)))
		}
		s.tellAll()
		for range 10 {
			s.clock.pass(time.Hour)
			for _, m := range s.nodes {
				if attempts {
					m.wait(from("192.0.2.1", "bob")) // forgives what is to be forgiven
				}
			}
			s.tellAll()
		}
		left := 0
		for _, m := range s.nodes {
			for _, c := range m.told.Counts[Addresses] {
				left += int(c.Failures)
			}
		}
		if left != 40 {
			t.Errorf("%d of 50 failures are left after 10 hours, want 40 (attempts: %t)", left, attempts)
		}
	}
}

func TestAnAccountThatReachesItsCeilingIsToldOnce(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 3)
	locked := 0
	for i := range 12 {
		m := s.nodes[i%3]
		wait, _ := m.wait(from(nth(i), "alice"))
		s.clock.pass(wait)
		r := m.reserve(from(nth(i), "alice"))
		r.Fail()
		if r.Locked() {
			locked++
		}
		s.tellAll()
	}
	if locked != 1 {
		t.Errorf("told %d times", locked)
	}
}

// No node has seen the failure that reaches the ceiling if several come at once.
func TestAnAccountThatNodesTakeToItsCeilingTogetherIsToldByTheNextRefusal(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 3)
	for i := range 10 {
		s.nodes[i%2].fails(1, from(nth(i), "alice"))
	}
	s.tellAll()
	told := 0
	for i := range 9 {
		settlement, err := s.nodes[i%3].Settle(from(nth(100+i), "alice"), func() Outcome { panic("it is refused") })
		if err == nil {
			t.Fatal("an attempt is let pass")
		}
		if settlement == Reached {
			told++
		}
		s.tellAll()
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

func TestAReportIsBoundedAndHasTheKeysWithTheMostFailures(t *testing.T) {
	s := newServer(t, Limits{Failures: 1000}, 1)
	m := s.nodes[0]
	m.fails(3, from("192.0.2.1", "alice"))
	for i := range 3 * MaxCounts {
		m.fails(1, from(nth(i), fmt.Sprint("user", i)))
		m.pass(time.Second)
	}
	m.publish()
	for kind := range kinds {
		if n := len(m.told.Counts[kind]); n != MaxCounts {
			t.Errorf("%d of kind %d", n, kind)
		}
	}
	keys := func(name string) Key { return m.digester.digest(ofAccount, user(name)) }
	if c := m.told.find(Accounts, keys("alice")); c == nil || c.Failures != 3 {
		t.Errorf("the account with the most failures: %+v", c)
	}
	if m.told.find(Accounts, keys(fmt.Sprint("user", 3*MaxCounts-1))) == nil || m.told.find(Accounts, keys("user0")) != nil {
		t.Error("of accounts with equally many failures, the latest are not told")
	}
}

func TestWhatOthersTellIsBounded(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 1)
	other := s.join(Limits{})
	for i := range 10 {
		other.fails(1, from(nth(i), "alice"))
	}
	other.publish()
	nodes := []Other{{ID: other.id, Report: other.told}}
	for i := range maxOthers/MaxCounts + 3 {
		flood := newServer(t, Limits{}, 1).nodes[0]
		for j := range MaxCounts {
			flood.fails(1, from(nth(i*MaxCounts+j), fmt.Sprint("user", i*MaxCounts+j)))
		}
		nodes = append(nodes, Other{ID: NodeID{9, byte(i)}, Report: flood.Report()})
	}
	m := s.nodes[0]
	m.Heed(m.id, nodes)
	for kind := range kinds {
		if n := len(m.table(kind).others); n != maxOthers {
			t.Errorf("%d keys of kind %d", n, kind)
		}
	}
	m.refused(from("192.0.2.1", "alice"), time.Hour, LimitAccount, "the account with the most failures")
}

func TestWhatWaitsBecauseOfOtherNodesIsInTheNumbers(t *testing.T) {
	s := newServer(t, Limits{AccountCeiling: 10}, 2)
	for i := range 10 {
		s.nodes[i%2].fails(1, from(nth(i), "alice"))
	}
	s.nodes[0].fails(5, from("192.0.2.1", "bob"))
	s.nodes[0].spray(50, always("192.0.2.2"))
	s.nodes[1].succeeds(from("198.51.100.1", "carol"))
	s.nodes[1].fails(2, from("198.51.100.1", "carol"))
	s.tellAll()
	for i, m := range s.nodes {
		if accounts, pairs, addresses := m.Waiting(); accounts != 1 || pairs != 1 || addresses != 1 {
			t.Errorf("node %d: %d accounts, %d pairs and %d addresses wait, want one each", i, accounts, pairs, addresses)
		}
	}
}

// Nothing is allocated for what other nodes have counted.
func TestAnAttemptCostsNoMoreMemoryWithOtherNodes(t *testing.T) {
	s := newServer(t, Limits{}, 2)
	a := from("192.0.2.1", "alice")
	settles := func() float64 {
		return testing.AllocsPerRun(100, func() {
			if settlement, err := s.nodes[0].Settle(a, func() Outcome { return Outcome{Right: true, Known: true} }); settlement != Settled || err != nil {
				t.Fatal(settlement, err)
			}
		})
	}
	alone := settles()
	s.nodes[1].fails(1, from("192.0.2.1", "bob"))
	s.nodes[1].fails(1, from("192.0.2.2", "alice"))
	s.tellAll()
	if with := settles(); with > alone {
		t.Errorf("%v allocations with other nodes, %v alone", with, alone)
	}
}

func TestAReportOfNothingNewIsEqual(t *testing.T) {
	s := newServer(t, Limits{}, 2)
	m := s.nodes[0]
	m.fails(3, from("192.0.2.1", "alice"))
	s.tellAll()
	before := m.told
	s.clock.pass(time.Minute)
	m.publish()
	if !before.Equal(m.told) || before.Empty() {
		t.Errorf("%+v, then %+v", before, m.told)
	}
	m.succeeds(from("192.0.2.1", "alice"))
	m.fails(3, from("192.0.2.2", "alice"))
	m.publish()
	if before.Equal(m.told) {
		t.Error("as many new failures are as the old ones")
	}
}

func TestAnotherKeyForgetsWhatWasCounted(t *testing.T) {
	w := newWorld(t, Limits{})
	w.fails(5, from("192.0.2.1", "alice"))
	flying := w.reserve(from("192.0.2.2", "bob"))
	w.UseKey([32]byte{1})
	w.remembers(entries{InFlight: 1})
	flying.Fail()
	w.remembers(entries{})
	w.allowed(from("192.0.2.1", "alice"), "another key")
	w.fails(5, from("192.0.2.1", "alice"))
	w.UseKey([32]byte{1})
	w.refused(from("192.0.2.1", "alice"), 30*time.Second, LimitPair, "the same key")
}
