package caddygrant

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// These are the steps of TestModelOfSessions that operators, clocks and storage take.

// polled records that a node has read the revocations, or may have.
func (m *modelRun) polled(t *rapid.T, n *modelNode, r modelReply, did, may bool) {
	if did {
		m.hear(n.number)
	}
	for _, s := range m.sessions {
		s.become(func(w modelWorld) []modelWorld {
			switch {
			case did:
				return []modelWorld{w.learn(n.number)}
			case may:
				return []modelWorld{w, w.learn(n.number)}
			}
			return []modelWorld{w}
		})
	}
	m.restartTheDead(t)
}

// pass lets time pass, for all nodes.
func (m *modelRun) pass(t *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{
		time.Second, 100 * time.Millisecond, 10 * time.Second, 29 * time.Second, 31 * time.Second, 2 * time.Minute, 6 * time.Minute,
		50 * time.Minute, 3 * time.Hour, 24 * time.Hour, 9 * 24 * time.Hour,
	}).Draw(t, "time"))
}

// stepClock sets the clock of one node.
func (m *modelRun) stepClock(t *rapid.T) {
	n := m.node(t)
	day := 24 * time.Hour
	n.offset = rapid.SampledFrom([]time.Duration{
		0, time.Second, 10 * time.Second, -20 * time.Second, time.Minute, -time.Minute, 2 * time.Hour, -3 * time.Hour,
		day, -day, 3 * day, -4 * day, 20 * day, -14 * day,
	}).Draw(t, "offset")
	t.Logf("%d: the clock of %s is off by %s", m.op, n.letter(), n.offset)
}

// changeUser changes a user where the operator keeps the file.
func (m *modelRun) changeUser(t *rapid.T) {
	user := &m.users[rapid.IntRange(0, len(m.users)-1).Draw(t, "user")]
	switch change := rapid.IntRange(0, 3).Draw(t, "change"); {
	case user.disabled || user.gone: // not for long, or little else happens
		user.disabled, user.gone = false, false
	case change == 0:
		user.password = rapid.IntRange(0, 1).Draw(t, "password")
	case change == 1:
		user.scopes = rapid.SampledFrom([][]string{nil, {"a", "b"}, {"b"}, {"c"}, {}}).Draw(t, "scopes")
	case change == 2:
		user.disabled = true
	default:
		user.gone = true
	}
	m.handUsers(t)
}

// handUsers copies the file to none, one or both of the nodes.
func (m *modelRun) handUsers(t *rapid.T) {
	for i := range m.nodes {
		if rapid.IntRange(0, 3).Draw(t, "hand over") < 3 {
			m.hand(t, i)
		}
	}
}

func (m *modelRun) hand(t *rapid.T, i int) {
	set, err := modelUserSet(m.users)
	if err != nil {
		t.Fatal(err)
	}
	m.copies[i] = slices.Clone(m.users)
	version, _ := modelCopies.Load(m.nodes[i].copy)
	version.(*atomic.Pointer[directory.UserSet]).Store(set)
	t.Logf("%d: %s has the users %+v", m.op, m.nodes[i].letter(), m.users)
}

// reload loads the config of a node again, sometimes a config that fails.
func (m *modelRun) reload(t *rapid.T) {
	n, broken := m.node(t), rapid.IntRange(0, 2).Draw(t, "broken") == 2
	var err error
	r := m.watch(n, func(context.Context) { err = n.load(m.name, broken) })
	t.Logf("%d: reload of %s: %v", m.op, n.letter(), err)
	if (err != nil) != broken && !m.disk.processes[n.number].dead {
		t.Fatalf("reload: %v", err)
	}
	m.polled(t, n, r, !m.shaky(r), true)
}

func (m *modelRun) restart(t *rapid.T) { m.restartNode(t, m.node(t)) }

// restartNode ends the process of a node, whatever it was about to do, and starts
// another.
func (m *modelRun) restartNode(t *rapid.T, n *modelNode) {
	process := m.disk.processes[n.number]
	m.disk.crash(process)
	m.disk.release(process)
	m.settle()
	m.later = slices.DeleteFunc(m.later, func(l modelLater) bool { return l.node == n.number })
	m.locks = time.Now().Add(modelLockStale)
	for _, s := range m.sessions {
		s.become(func(w modelWorld) []modelWorld { return []modelWorld{w.forget(n.number)} })
	}
	for _, asked := range []map[modelAsked]time.Time{m.asked, m.maybe} {
		maps.DeleteFunc(asked, func(a modelAsked, _ time.Time) bool { return a.node == n.number })
	}
	m.disk.processes[n.number] = new(modelProcess)
	n.stop()
	var err error
	r := m.watch(n, func(context.Context) { err = n.load(m.name, false) })
	t.Logf("%d: restart of %s: %v", m.op, n.letter(), err)
	if err != nil && !m.disk.processes[n.number].dead {
		t.Fatalf("restart: %v", err)
	}
	m.polled(t, n, r, r.faults == 0, true)
}

// sweepByWrongClock removes what is old for a node whose clock is far ahead or behind,
// while there are sessions by both clocks.
func (m *modelRun) sweepByWrongClock(t *rapid.T) {
	n := m.node(t)
	n.offset = rapid.SampledFrom([]time.Duration{20, -14}).Draw(t, "offset in days") * 24 * time.Hour
	for range 3 {
		m.logIn(t)
		m.refresh(t)
	}
	m.sweep(t)
	m.logIn(t)
	m.introspect(t)
	m.refresh(t)
	if rapid.Bool().Draw(t, "and back") {
		n.offset = 0
	}
}

// sweep removes what is old.
func (m *modelRun) sweep(t *rapid.T) {
	n := m.node(t)
	if len(m.later) > 0 {
		m.releaseAll()
	}
	var (
		swept session.Swept
		err   error
	)
	r := m.watch(n, func(ctx context.Context) { swept, err = n.sessions().Sweep(ctx) })
	if m.disk.stuckCalls() > 0 {
		m.releaseAll()
	}
	t.Logf("%d: sweep at %s: %+v, %v", m.op, n.letter(), swept, err)
	if err != nil && r.faults == 0 {
		t.Fatal(err)
	}
	if r.faults == 0 && swept.AllPast {
		m.restartTheDead(t)
		return
	}
	at := m.at(n)
	if at.wall.After(at.time) {
		at.wall = at.time // by the clock of the storage
	}
	days := make(map[string][]*modelSession)
	for _, s := range m.sessions {
		days[s.day] = append(days[s.day], s)
	}
	for day, sessions := range days {
		if begins, _ := time.Parse("20060102", day); !at.wall.Before(begins.Add(modelSweepWait)) {
			m.removeDay(day, sessions, r.faults == 0)
		}
	}
	m.removeEntries(at)
	m.restartTheDead(t)
}

// removeDay records that a day is swept, for sure or maybe, if anything was stored for
// it.
func (m *modelRun) removeDay(day string, sessions []*modelSession, sure bool) {
	must, may := false, false
	for _, s := range sessions {
		all := true
		for w := range s.worlds {
			may = may || w.stored()
			all = all && w.stored()
		}
		must = must || all
	}
	if !may {
		return
	}
	sure = sure && must
	m.swept[day] = m.swept[day] || sure
	for _, s := range sessions {
		s.become(func(w modelWorld) []modelWorld {
			if sure {
				return []modelWorld{w.remove()}
			}
			return []modelWorld{w, w.remove()}
		})
	}
}

// removeEntries records that the feed may no longer have sessions that ended long ago.
func (m *modelRun) removeEntries(at modelMoment) {
	for _, s := range m.sessions {
		if begins, _ := time.Parse("20060102", s.day); at.wall.Before(begins.Add(modelSweepWait)) {
			continue
		}
		s.become(func(w modelWorld) []modelWorld {
			if w.feed != feedWithout {
				w.feed = feedHad
			}
			return []modelWorld{w}
		})
	}
}

// breakStorage makes some of the next calls to storage fail.
func (m *modelRun) breakStorage(t *rapid.T) {
	fault := modelFault{
		kind: modelFaultKind(rapid.IntRange(0, int(modelFaultKinds)-1).Draw(t, "fault")),
		// the calls of a refresh, Store first: rapid prefers what comes first
		after: rapid.SampledFrom([]int{10, 6, 14, 0, 11, 3, 7, 9, 1, 2, 4, 5, 8, 12, 13, 16}).Draw(t, "after"),
		times: rapid.SampledFrom([]int{1, 1, 1, 2, 3, 20}).Draw(t, "times"),
	}
	m.disk.arm(fault)
	t.Logf("%d: storage will fail: %+v", m.op, fault)
}

// refreshAndRetry is what a well-behaved client does while storage fails: it tries
// again with the same token.
func (m *modelRun) refreshAndRetry(t *rapid.T) {
	if rapid.Bool().Draw(t, "the first of a session") {
		m.logIn(t)
	}
	token := m.token(t, isModelRefresh)
	if token == nil {
		m.logIn(t)
		return
	}
	m.breakStorage(t)
	n := m.node(t)
	m.exchange(t, n, token.session.client, token, "")
	m.disk.arm(modelFault{})
	if rapid.IntRange(0, 3).Draw(t, "at the other node") == 3 {
		n = m.nodes[1-n.number]
	}
	m.exchange(t, n, token.session.client, token, "")
}

// release lets calls that are stuck in storage go on.
func (m *modelRun) release(*rapid.T) { m.releaseAll() }

func (n *modelNode) letter() string { return string(rune('A' + n.number)) }
