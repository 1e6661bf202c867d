package caddygrant

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/clock"
)

// Two nodes on one storage do what a small model says, whatever happens: clients use
// tokens of every age at either node, browsers and thieves use cookies, users change on one node before they do on the
// other, clocks are stepped, configs are reloaded, processes end and storage fails in
// every way it can. No token works that must not, and no token is refused that must
// work.
//
// RAPID_CHECKS and RAPID_STEPS in the environment make it search longer: 100 and 30 are
// the defaults. A failure is shrunk, and kept below testdata/rapid to be tried first
// next time.
func TestModelOfSessions(t *testing.T) {
	offset := new(atomic.Int64)
	before := clock.Now
	t.Cleanup(func() { clock.Now = before })
	clock.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }

	for _, grace := range []time.Duration{0, 30 * time.Second} {
		for _, faulty := range []bool{false, true} {
			t.Run(fmt.Sprintf("grace %s, faults %t", grace, faulty), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					rapid.SyncTest(t, func(t *rapid.T) { // so that no limit takes real time
						m := newModelRun(t, offset, grace, faulty)
						t.Repeat(map[string]func(*rapid.T){"step": m.step})
						m.finish(t)
					})
				})
			})
		}
	}
}

// modelRun is one sequence of steps.
type modelRun struct {
	clock  *atomic.Int64 // offset of the node whose turn it is
	name   string
	grace  time.Duration
	faulty bool
	disk   *modelDisk
	nodes  [2]*modelNode

	users    []modelUser    // as the operator wants them
	copies   [2][]modelUser // as the nodes have them
	sessions []*modelSession
	tokens   []*modelToken
	swept    map[string]bool // days whose sessions are over, or may be: false
	asked    map[modelAsked]time.Time
	maybe    map[modelAsked]time.Time // likewise, on the way to something else
	cookies  []*modelCookie
	jar      *modelCookie             // of the browser; nil: it has none
	tried    map[modelTried]time.Time // by the node's clock
	notices  []*modelNotice
	op       int

	later    []modelLater // what stuck calls of a node may yet do
	released time.Time    // when they went on
	locks    time.Time    // until when locks may be left behind
}

// modelAsked is a node that was told by storage that a session is valid, by their
// numbers.
type modelAsked struct{ node, session int }

type modelLater struct {
	node int
	do   func()
}

var modelRuns atomic.Int64

func newModelRun(t *rapid.T, offset *atomic.Int64, grace time.Duration, faulty bool) *modelRun {
	m := &modelRun{
		clock:  offset,
		name:   fmt.Sprint(modelRuns.Add(1)),
		grace:  grace,
		faulty: faulty,
		disk:   newModelDisk(!faulty || rapid.Bool().Draw(t, "storage obeys contexts")),
		users:  []modelUser{{name: "alice", id: "u-1"}, {name: "bob", scopes: []string{"a", "b"}}},
		swept:  make(map[string]bool),
		asked:  make(map[modelAsked]time.Time),
		maybe:  make(map[modelAsked]time.Time),
		tried:  make(map[modelTried]time.Time),
	}
	modelDisks.Store(m.name, m.disk)
	for i := range m.nodes {
		m.nodes[i] = &modelNode{number: i, copy: fmt.Sprint(m.name, "-", i), grace: grace}
		modelCopies.Store(m.nodes[i].copy, new(atomic.Pointer[directory.UserSet]))
		m.hand(t, i)
	}
	t.Cleanup(func() {
		m.releaseAll()
		for _, n := range m.nodes {
			n.stop()
			modelCopies.Delete(n.copy)
		}
		modelDisks.Delete(m.name)
	})
	for _, n := range m.nodes {
		if err := n.load(m.name, false); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// step does one of the things that happen, the frequent ones more often.
func (m *modelRun) step(t *rapid.T) {
	m.op++
	steps := []modelStep{
		{"refresh", 6, m.refresh}, {"log in", 2, m.logIn}, {"bearer check", 2, m.bearer}, {"introspect", 2, m.introspect},
		{"revoke", 1, m.revoke}, {"poll", 1, m.poll}, {"time passes", 2, m.pass}, {"step a clock", 1, m.stepClock},
		{"change a user", 1, m.changeUser}, {"copy users", 1, m.handUsers}, {"reload", 1, m.reload},
		{"log in on the page", 2, m.logInByPage}, {"use a cookie", 3, m.use}, {"log out", 1, m.logOut}, {"answer late", 1, m.answerLate},
		{"end all", 1, m.endAll},
		{"restart", 1, m.restart}, {"sweep", 1, m.sweep}, {"sweep by a wrong clock", 1, m.sweepByWrongClock},
	}
	if m.faulty {
		steps = append(steps, modelStep{"break storage", 2, m.breakStorage},
			modelStep{"refresh and retry", 3, m.refreshAndRetry}, modelStep{"release", 1, m.release})
	}
	var names []string
	do := make(map[string]func(*rapid.T))
	for _, s := range steps {
		names, do[s.name] = append(names, slices.Repeat([]string{s.name}, s.often)...), s.do
	}
	do[rapid.SampledFrom(names).Draw(t, "step")](t)
}

type modelStep struct {
	name  string
	often int
	do    func(*rapid.T)
}

// finish checks everything once more, when nothing fails.
func (m *modelRun) finish(t *rapid.T) {
	m.op++
	m.releaseAll()
	time.Sleep(modelLockStale)
	for _, n := range m.nodes {
		for _, token := range m.tokens {
			m.introspectToken(t, n, modelClients[0], token)
			m.introspectToken(t, n, token.session.client, token)
			if !token.refresh {
				m.present(t, n, 0, token)
			}
		}
	}
	for _, cookie := range m.cookies {
		for _, n := range m.nodes {
			m.show(t, n, 0, cookie)
		}
	}
	for _, token := range slices.Backward(m.tokens) {
		if token.refresh {
			m.exchange(t, m.nodes[0], token.session.client, token, "")
		}
	}
	for _, n := range m.nodes {
		memory := n.sessions().pooled.key
		n.stop()
		if references, there := processState.References(memory); there {
			t.Fatalf("%s has ended, and its memory has %d references", n.letter(), references)
		}
	}
}

// node draws the node whose turn it is.
func (m *modelRun) node(t *rapid.T) *modelNode {
	return m.nodes[rapid.IntRange(0, 1).Draw(t, "node")]
}

// token draws one of the tokens, preferably a recent one. Without tokens it returns
// nil.
func (m *modelRun) token(t *rapid.T, fits func(*modelToken) bool) *modelToken {
	var tokens []*modelToken
	for _, token := range slices.Backward(m.tokens) {
		if fits(token) {
			tokens = append(tokens, token)
		}
	}
	if len(tokens) == 0 {
		return nil
	}
	token := tokens[rapid.IntRange(0, len(tokens)-1).Draw(t, "token, from the latest")]
	t.Logf("%d: with %s", m.op, token)
	return token
}

func (m *modelRun) at(n *modelNode) modelMoment {
	at := time.Now()
	return modelMoment{node: n.number, began: at.Add(n.offset), wall: at.Add(n.offset), time: at, op: m.op}
}

// shaky tells whether an answer may be 503: storage failed, or has not recovered yet.
func (m *modelRun) shaky(r modelReply) bool {
	return r.faults > 0 || len(m.later) > 0 || m.disk.stuckCalls() > 0 || r.began.Before(m.locks)
}

// judge compares an answer with what the model knows of a session. outcomes are the
// right answers, and what else can be true after a failure.
func (m *modelRun) judge(t *rapid.T, n *modelNode, what string, s *modelSession, r modelReply, got modelAnswer,
	outcomes func(modelWorld, modelMoment) ([]modelOutcome, []modelWorld),
) {
	after := m.at(n)
	after.began = r.began.Add(n.offset)
	moments := []modelMoment{after}
	shaky := m.shaky(r)
	if !after.began.Equal(after.wall) {
		before := after
		before.wall, before.time = after.began, r.began
		moments = append(moments, before)
	}
	if !shaky && r.took > 0 || r.took > modelPatience {
		t.Fatalf("%s took %s", what, r.took)
	}
	if r.faults > 0 {
		m.locks = time.Now().Add(modelLockStale)
		if m.disk.stuckCalls() > 0 {
			m.later = append(m.later, modelLater{n.number, func() {
				at := m.at(n)
				at.began = m.released.Add(n.offset)
				since := at // the record is from then, what the node knows about it is from now
				since.began = after.began
				s.become(func(w modelWorld) []modelWorld {
					all := []modelWorld{w}
					for _, at := range append(moments, at, since) {
						_, slips := outcomes(w, at)
						all = append(all, slips...)
					}
					return all
				})
			}})
		}
	}
	wanted := s.observe(got, func(w modelWorld) []modelOutcome {
		var all []modelOutcome
		for _, at := range moments {
			right, slips := outcomes(w, at)
			all = append(all, right...)
			if shaky {
				for _, slip := range slips {
					all = append(all, modelOutcome{modelUnavailable, slip})
				}
			}
		}
		return all
	})
	if wanted != nil {
		t.Fatalf("%d: %s: the answer is %s, and %v would be right", m.op, what, got, wanted)
	}
	t.Logf("%d: %s: %s, %d faults, %s, %d worlds", m.op, what, got, r.faults, r.took, len(s.worlds))
	m.restartTheDead(t)
}

// wantExactly compares an answer that depends on no session.
func (m *modelRun) wantExactly(t *rapid.T, what string, r modelReply, want modelAnswer) {
	if got := r.answer(); got != want || r.took > 0 || r.writes > 0 {
		t.Fatalf("%d: %s: the answer is %s after %s and %d writes, want %s", m.op, what, got, r.took, r.writes, want)
	}
	t.Logf("%d: %s: %s", m.op, what, want)
}

// issue records the tokens of an answer.
func (m *modelRun) issue(t *rapid.T, n *modelNode, r modelReply, s *modelSession) {
	began := r.began.Add(n.offset)
	at := began.Add(r.took)
	access, _ := r.body["access_token"].(string)
	refresh, _ := r.body["refresh_token"].(string)
	for _, token := range []*modelToken{{raw: access, session: s}, {raw: refresh, session: s, refresh: true}} {
		if token.raw == "" && token.refresh && !s.client.refreshes {
			continue
		}
		claims := token.claims()
		token.generation, token.issued, token.expires = claims.Gen, claims.IAT, claims.Exp
		token.scopes = strings.Fields(claims.Scope)
		ttl := modelTokenTTL
		if token.refresh {
			ttl = modelRefreshTTL
		}
		if s.sid == "" {
			s.sid, s.day, s.version = claims.SID, claims.SID[:8], claims.Version
			s.ends = at.Truncate(time.Second).Add(modelSessionTTL).Unix()
			if !s.client.refreshes {
				s.ends = at.Truncate(time.Second).Add(modelTokenTTL).Unix()
			}
		}
		switch {
		case claims.SID != s.sid, claims.Version != s.version,
			claims.Exp != min(claims.IAT+int64(ttl.Seconds()), s.ends),
			claims.IAT > at.Unix() || claims.IAT < began.Unix(),
			token.refresh && (claims.SessionExpires != s.ends || !slices.Equal(token.scopes, s.scopes)),
			!token.refresh && claims.Scope != r.body["scope"]:
			t.Fatalf("%s has the claims %+v, the answer is %v; the session %s ends %d", token, claims, r.body, s.sid, s.ends)
		}
		m.tokens = append(m.tokens, token)
	}
}

// restartTheDead starts a crashed node again.
func (m *modelRun) restartTheDead(t *rapid.T) {
	for _, n := range m.nodes {
		if m.disk.processes[n.number].dead {
			m.restartNode(t, n)
		}
	}
}

// releaseAll lets stuck calls go on, and records what they may have done. Nothing else
// fails then.
func (m *modelRun) releaseAll() {
	m.released = time.Now()
	m.disk.arm(modelFault{})
	for m.disk.stuckCalls() > 0 {
		for _, n := range m.nodes {
			m.clock.Store(int64(n.offset))
			m.disk.release(m.disk.processes[n.number])
			m.settle()
		}
	}
	if len(m.later) > 0 {
		m.locks = time.Now().Add(modelLockStale)
	}
	for _, later := range m.later {
		later.do()
	}
	m.later = nil
}

// modelPatience is more than a request may take: two looks at storage, an exchange and
// a revocation.
const modelPatience = 25 * time.Second
