package sessionstest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
)

// Engines is how the suite opens an engine, and what it can do to it. Only Open is
// needed. What a hook concerns may be all data of the engine: nothing else may use it
// meanwhile.
type Engines struct {
	// Open opens the engine, as another node does, for an authorization server of that
	// name: the data of one name is the same at each call. It works also while the
	// engine cannot be reached. The suite makes names that were never used, and closes
	// what it opens.
	Open func(t *testing.T, server string) sessions.Engine

	// Empty takes all data away from the engine, such as FLUSHALL. The connections stay.
	Empty func(t *testing.T)

	// EmptyPart takes a part of the data away, such as that of one shard of a cluster, and
	// the epoch that is with it. The connections stay.
	EmptyPart func(t *testing.T)

	// Interrupt makes the engine unreachable for all nodes, until restore is called.
	// Its data stays.
	Interrupt func(t *testing.T) (restore func())

	// Restart kills the engine and starts it again, with what it has on disk.
	Restart func(t *testing.T)

	// Damage makes the record of a session, which is there, unreadable: an older or
	// newer version of the program has written it, or an operator.
	Damage func(t *testing.T, server string, id sessions.ID)

	// Plant puts a record into the engine as if it had been made at the right time: with
	// that generation, at most 2^63-1, and answer or, if it is revoked, its marker and
	// its entry in the feed. So the suite gets at sessions that are over, and at large
	// generations.
	Plant func(t *testing.T, server string, id sessions.ID, st sessions.State)

	// Remains tells whether the engine has anything of a session that was planted.
	Remains func(t *testing.T, server string, id sessions.ID) bool

	// LoseCursors does what makes cursors of that server invalid, such as trimming its
	// feed or a fail-over. All entries stay.
	LoseCursors func(t *testing.T, server string)

	// Strike prepares the next call of an engine that Open returned, and draws what
	// befalls it: that it fails before it has taken effect, after it, or first fails and
	// then takes effect at some later time. struck says that it may fail. The call is
	// made with the context, and settle is called after it. Without Strike contexts end
	// in the middle of some calls. For an engine over a network there are Strikes.
	Strike func(t *rapid.T, e sessions.Engine) (ctx context.Context, struck bool, settle func())

	// Secrets are strings that no error may contain, such as the password.
	Secrets []string
}

// TestEngine tests all that the contract of [sessions.Engine] says, as far as the hooks
// allow. It takes a minute or two with an engine that answers in a millisecond, and with
// -short a fraction of that.
func TestEngine(t *testing.T, e Engines) {
	s := suite{Engines: e, size: size{sessions: 200, uses: 50, revocations: 10_000, writers: 16}, days: []int{-6, -5, -1, 0, 1, 30, 400}}
	if testing.Short() {
		s.size = size{sessions: 20, uses: 20, revocations: 1_000, writers: 8}
	}
	s.tests(t)
	t.Run("swaps with an answer of another form are errors", s.answersOfOtherForms)
	t.Run("an ID that is not valid is an error", s.invalidIDs)
	t.Run("the age is how long ago the exchange was", s.age)
	t.Run("a damaged record is not replaced, and can be revoked", s.damaged)
	t.Run("generations have 64 bits", s.largeGenerations)

	t.Run("nodes agree on the epoch", s.agreed)
	t.Run("a session of another epoch is refused", s.otherEpoch)
	t.Run("servers have nothing in common", s.servers)

	t.Run("a cursor continues at any node", s.cursors)
	t.Run("a cursor that is not one is ErrCursor, never a gap", s.badCursors)
	t.Run("a cursor that was lost is ErrCursor, and the feed is complete from its start", s.lostCursors)
	t.Run("the feed has pages", s.pages)

	t.Run("a session that ended over a week ago is over", s.over)
	t.Run("a sweep removes what is over", s.sweepsOver)

	t.Run("nothing begins after the context has ended", s.endedContexts)
	t.Run("calls fail after Close", s.closed)
	t.Run("Close ends calls that are under way", s.closedMeanwhile)
	t.Run("an engine that cannot be reached says that nothing is known", s.interrupted)
	t.Run("what was acknowledged survives an interruption", s.survivesInterruption)
	t.Run("what was acknowledged survives a restart", s.survivesRestart)
	t.Run("an engine that has lost everything does not pass for a new one", s.emptied)
	t.Run("an engine that has lost a part takes no session back", s.emptiedInPart)

	t.Run("keeps its promises in any order of operations", s.model)
}

// TestStorage tests what sessions in a certmagic storage promise, through an adapter
// that makes an engine of them: a part of what engines promise. They have no epoch of
// their own, since the server secret goes with them; no cursors, since each poll tells
// all that a process knows; and a context ends the waiting, not what was begun. A
// session is over only when it was swept, and views forget its revocation on the day
// after it has ended. What failed can take effect at any later time whatever has come
// after it: see [Model].
func TestStorage(t *testing.T, e Engines) {
	suite{Engines: e, size: size{sessions: 4, uses: 12, revocations: 300, writers: 4}, days: []int{0, 1, 30, 400}}.tests(t)
}

// tests are those of both levels.
func (s suite) tests(t *testing.T) {
	t.Run("a session to which nothing happened is at generation 0", s.zero)
	t.Run("swaps make one generation after the other, at any node", s.chain)
	t.Run("a swap needs the generation before its own", s.gaps)
	t.Run("a swap with the same answer changes nothing", s.repeated)
	t.Run("a swap that lost returns what won", s.lost)
	t.Run("a revoked session has no swap that wins", s.revoked)
	t.Run("sessions have nothing in common", s.apart)

	t.Run("of parallel swaps one wins", s.parallelSwaps)
	t.Run("parallel swaps with the same answer all win", s.parallelRepeats)
	t.Run("nodes that race for one session make each generation once", s.hammered)
	t.Run("many sessions go on at once", s.many)
	t.Run("no swap wins after Revoke has returned", s.revokedMeanwhile)

	t.Run("the feed has what was revoked, and nothing else", s.feed)
	t.Run("a node that follows the feed misses nothing", s.follows)
	t.Run("a sweep removes nothing of a session that is not over", s.sweepsNothing)
}

type suite struct {
	Engines
	size size
	days []int // until sessions end that are not over
}

// size is how much the suite does.
type size struct{ sessions, uses, revocations, writers int }

// world is an authorization server that was never used before, at two nodes.
type world struct {
	suite
	server, epoch string
	a, b          *checked
}

func (s suite) begin(t *testing.T) *world {
	t.Helper()
	w := &world{suite: s, server: newServer()}
	w.a, w.b = w.open(t), w.open(t)
	w.epoch = w.a.epoch(t)
	return w
}

// open opens another node.
func (w *world) open(t *testing.T) *checked {
	t.Helper()
	return w.suite.open(t, w.server)
}

func (s suite) open(t *testing.T, server string) *checked {
	t.Helper()
	e := s.Open(t, server)
	t.Cleanup(func() { _ = e.Close() }) // for some the second time
	return &checked{Engine: e, t: t, secrets: s.Secrets}
}

// id is that of a new session.
func (w *world) id() sessions.ID { return w.ending(30) }

// ending is the ID of a new session that ends in some days.
func (w *world) ending(days int) sessions.ID {
	return sessions.NewID(time.Now().AddDate(0, 0, days), w.epoch)
}

func newServer() string { return "suite-" + newAnswer()[:16] }

func newAnswer() string {
	answer := make([]byte, 16)
	rand.Read(answer) // never fails: it crashes the program instead
	return hex.EncodeToString(answer)
}

// at is the state of a live session.
func at(generation uint64, answer string) sessions.State {
	return sessions.State{Generation: generation, Answer: answer}
}

var (
	isRevoked = sessions.State{Revoked: true}
	isOver    = sessions.State{Over: true}
)

// won tells whether a state says that a swap has won.
func won(st sessions.State, next uint64, answer string) bool {
	return st.Generation == next && st.Answer == answer && !st.Revoked && !st.Over
}

// same compares all that has to be known, without the age.
func same(got, want sessions.State) bool {
	switch {
	case got.Over || want.Over:
		return got.Over == want.Over
	case got.Revoked || want.Revoked:
		return got.Revoked == want.Revoked
	}
	return got.Generation == want.Generation && got.Answer == want.Answer
}

// isCertain tells whether an error says more than that nothing is known.
func isCertain(err error) bool {
	for _, certain := range []error{sessions.ErrOtherEpoch, sessions.ErrDamaged, sessions.ErrCursor, sessions.ErrUnsuitable} {
		if errors.Is(err, certain) {
			return true
		}
	}
	return false
}

// soon fails if something does not return within the time that a server would wait.
func soon(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not return", what)
	}
}

// eventually repeats something until it succeeds, such as what needs a new connection.
func eventually(t *testing.T, what string, do func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	err := do()
	for ; err != nil && time.Now().Before(deadline) && !t.Failed(); err = do() {
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// inParallel runs f for 0 to n-1 at once.
func inParallel(n int, f func(i int)) {
	var group sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	group.Wait()
}

// patience is long: it only ends a suite that would hang.
var patience = time.Minute
