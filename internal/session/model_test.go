package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// modelled is what must be true of a session, whatever happened: no more than what
// clients and operators can see.
type modelled struct {
	id      ID
	current uint64    // the newest generation that was handed out
	rotated time.Time // when it was made, at the earliest

	revoked, maybeRevoked bool
	untold                bool // the feed does not have it
	over, maybeOver       bool

	// Exchanges were begun whose generation no client got, and one of which may be in
	// storage: by these nodes, at these times. The ones still known are of the last
	// exchange: a client got its generation at another node, within a grace, and this
	// node does not know.
	orphans, known map[*node]time.Time
	everOrphaned   bool
}

// ends is the last moment of the session's day.
func (s *modelled) ends() time.Time {
	day, _ := time.Parse(dayLayout, s.id.day)
	return day.AddDate(0, 0, 1)
}

// modelWorld is two nodes on one storage, with the same clock.
type modelWorld struct {
	storage  *shelf
	nodes    []*node
	sessions []*modelled
}

func newModelWorld() *modelWorld {
	w := &modelWorld{storage: newShelf()}
	w.nodes = []*node{newNode(w.storage), newNode(w.storage)}
	for _, end := range []int{0, 2, 2, 400} {
		w.sessions = append(w.sessions, &modelled{id: NewID(time.Now().AddDate(0, 0, end)), orphans: make(map[*node]time.Time)})
	}
	return w
}

// faultsOfModel leave out what ends sessions by design: torn records.
var faultsOfModel = []fault{fine, fine, fine, refused, failsButDone, lost, late, hangs, doneButHangs, stuck, doneButStuck, panics, panicsDone}

func (w *modelWorld) node(t *rapid.T) *node { return w.nodes[rapid.IntRange(0, 1).Draw(t, "node")] }

func (w *modelWorld) session(t *rapid.T) *modelled {
	return w.sessions[rapid.IntRange(0, len(w.sessions)-1).Draw(t, "session")]
}

// strike makes some call of the next operation meet a fault, and perhaps the client
// hang up there.
func (w *modelWorld) strike(t *rapid.T, n *node) (ctx context.Context, faulted bool, clear func()) {
	ctx, hangUp := context.WithCancel(t.Context())
	what := rapid.SampledFrom(faultsOfModel).Draw(t, "fault")
	at := rapid.IntRange(0, 12).Draw(t, "at call")
	r := &rule{skip: at, times: 1, fault: what}
	hang := rapid.IntRange(0, 5).Draw(t, "hangs up") == 0
	if hang {
		r.before = func() {
			hangUp()
			time.Sleep(time.Millisecond) // so that the caller has left
		}
	}
	n.storage.add(r)
	return ctx, hang || what != fine, func() {
		n.storage.recovers()
		n.storage.release()
		synctest.Wait()
		time.Sleep(30 * time.Second) // until everything that waits for a context has ended
		if running := n.memory.background.Load(); running != nil {
			<-running.ended
		}
		n.storage.comesTrue()
		w.storage.locksGoStale()
		n.storage.mu.Lock()
		n.storage.released = make(chan struct{})
		n.storage.mu.Unlock()
		hangUp()
	}
}

// rotate exchanges a generation and compares the result with what it must be.
func (w *modelWorld) rotate(t *rapid.T, n *node, s *modelled, generation uint64, grace time.Duration) {
	calm := rapid.Bool().Draw(t, "calm")
	begun := time.Now()
	ctx, faulted, clear := t.Context(), false, func() {}
	var checked error
	var current bool
	if calm {
		current, checked = n.Check(ctx, s.id, generation, grace)
	} else {
		ctx, faulted, clear = w.strike(t, n)
		current = generation == s.current && rapid.Bool().Draw(t, "known to be current")
	}
	got, err := n.Rotate(ctx, s.id, generation, grace, current)
	t.Logf("generation %d gave %d, error %v", generation, got, err)
	defer clear()

	if calm && (checked == nil) != (err == nil) {
		t.Fatalf("Check: %v, and Rotate: %v", checked, err)
	}
	if err == nil {
		again := generation+1 == s.current && (grace > 0 && begun.Sub(s.rotated) <= grace || !s.known[n].IsZero())
		switch {
		case s.revoked:
			t.Fatal("a revoked session goes on")
		case s.over:
			t.Fatal("a session that is over goes on")
		case generation == s.current && got == generation+1:
			s.current, s.rotated = got, time.Now() // the record of an answer that came later is older: a shorter grace
			delete(s.orphans, n)
			s.known, s.orphans = s.orphans, make(map[*node]time.Time)
		case again && got == s.current:
		default:
			t.Fatalf("generation %d gave %d, the current one is %d, made %s ago, grace %s", generation, got, s.current, begun.Sub(s.rotated), grace)
		}
		return
	}
	if got != 0 {
		t.Fatalf("generation %d with error %v", got, err)
	}
	lost := false // the undelivered answer may be one that this node does not know
	for by, at := range s.orphans {
		lost = lost || by != n || time.Since(at) >= undeliveredFor-time.Minute
	}
	switch {
	case errors.Is(err, ErrUnavailable):
		if !faulted {
			t.Fatalf("without a fault: %v", err)
		}
		if generation == s.current {
			if s.orphans[n].IsZero() {
				s.orphans[n] = time.Now()
			}
			s.everOrphaned = true
		}
	case errors.Is(err, ErrRevoked):
		if !s.revoked && !s.maybeRevoked {
			t.Fatal("a session is revoked that was never revoked")
		}
	case errors.Is(err, ErrOver):
		if !s.over && !s.maybeOver {
			t.Fatal("a session is over too soon")
		}
	case errors.Is(err, ErrReused):
		within := grace > 0 && generation+1 == s.current && time.Since(s.rotated) <= grace && !s.everOrphaned
		if generation > s.current || generation == s.current && !lost || within {
			t.Fatalf("generation %d is said to be spent, the current one is %d", generation, s.current)
		}
	case errors.Is(err, ErrAhead):
		if generation <= s.current {
			t.Fatalf("generation %d is said to be ahead, the current one is %d", generation, s.current)
		}
	default:
		t.Fatal(err)
	}
}

func (w *modelWorld) actions() map[string]func(*rapid.T) {
	grace := rapid.SampledFrom([]time.Duration{0, 0, time.Minute})
	exchange := func(t *rapid.T, s *modelled) {
		w.rotate(t, w.node(t), s, s.current, grace.Draw(t, "grace"))
	}
	return map[string]func(*rapid.T){
		"exchange": func(t *rapid.T) { exchange(t, w.session(t)) },
		"exchange again": func(t *rapid.T) {
			s := w.session(t)
			exchange(t, s)
			exchange(t, s)
		},
		"replay": func(t *rapid.T) {
			s := w.session(t)
			back := min(s.current, uint64(rapid.IntRange(1, 2).Draw(t, "back")))
			w.rotate(t, w.node(t), s, s.current-back, grace.Draw(t, "grace"))
		},
		"forge": func(t *rapid.T) { // a generation that no client was given; see which node hands out the orphan
			s := w.session(t)
			if len(s.orphans) > 0 { // it may be in storage
				exchange(t, s)
				return
			}
			w.rotate(t, w.node(t), s, s.current+1+uint64(rapid.IntRange(0, 1).Draw(t, "ahead")), grace.Draw(t, "grace"))
		},
		"revoke": func(t *rapid.T) {
			s, n := w.session(t), w.node(t)
			if rapid.IntRange(0, 2).Draw(t, "really") > 0 { // too many revocations leave nothing to test
				exchange(t, s)
				return
			}
			ctx, faulted, clear := w.strike(t, n)
			defer clear()
			s.maybeRevoked = true
			err := n.Revoke(ctx, s.id)
			switch {
			case err == nil:
				s.revoked, s.untold = true, false
				if revoked, _ := n.memory.InView(s.id); !revoked {
					t.Fatal("the node that has revoked a session does not know")
				}
			case !errors.Is(err, ErrUnavailable) || !faulted:
				t.Fatal(err)
			}
		},
		"revoke by an earlier version": func(t *rapid.T) { // which wrote only the marker
			s := w.session(t)
			if rapid.IntRange(0, 2).Draw(t, "really") > 0 || s.over || s.maybeOver {
				exchange(t, s)
				return
			}
			s.revoked, s.maybeRevoked = true, true
			if err := w.storage.Store(t.Context(), w.nodes[0].markerKey(s.id), revocation(time.Now())); err != nil {
				t.Fatal(err)
			}
			s.untold = true
		},
		"look": func(t *rapid.T) {
			s, n := w.session(t), w.node(t)
			revoked, err := n.Revoked(t.Context(), s.id)
			if err != nil || revoked && !s.maybeRevoked && !s.maybeOver || !revoked && (s.revoked || s.over) {
				t.Fatalf("revoked %v, error %v; model %+v", revoked, err, s)
			}
		},
		"poll": func(t *rapid.T) {
			n := w.node(t)
			ctx, faulted, clear := w.strike(t, n)
			err := n.Poll(ctx)
			clear()
			if err != nil {
				if !faulted || !errors.Is(err, ErrUnavailable) {
					t.Fatal(err)
				}
				return
			}
			for _, s := range w.sessions {
				past := time.Since(s.ends()) > keepLonger // may be forgotten
				if revoked, known := n.memory.InView(s.id); !known && !past || revoked && !s.maybeRevoked {
					t.Fatalf("revoked %v, known %v; model %+v", revoked, known, s)
				}
				if revoked, err := n.IsRevoked(t.Context(), s.id, 0); err != nil || revoked && !s.maybeRevoked && !s.maybeOver || past && !revoked && s.revoked {
					t.Fatalf("revoked %v, error %v; model %+v", revoked, err, s)
				}
			}
		},
		"wait and poll": func(t *rapid.T) { // what was acknowledged is known then
			n := w.node(t)
			time.Sleep(time.Minute)
			if err := n.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, s := range w.sessions {
				revoked, known := n.memory.InView(s.id)
				if s.revoked && !s.untold && !revoked && time.Since(s.ends()) < 24*time.Hour {
					t.Fatalf("revoked %v, known %v; model %+v", revoked, known, s)
				}
			}
		},
		"sweep": func(t *rapid.T) {
			n := w.node(t)
			ctx, faulted, clear := w.strike(t, n)
			past := func(s *modelled) bool {
				return !time.Now().Before(s.ends().Add(sweepDelay))
			}
			for _, s := range w.sessions {
				s.maybeOver = s.maybeOver || past(s)
			}
			_, err := n.Sweep(ctx)
			clear()
			if err != nil && (!faulted || !errors.Is(err, ErrUnavailable)) {
				t.Fatal(err)
			}
			for _, s := range w.sessions { // what was found to be over stays that
				if _, err := w.storage.Load(t.Context(), n.sweptKey(s.id.day)); err == nil {
					if !past(s) {
						t.Fatal("a day is swept that is not past")
					}
					s.over = true
				}
			}
		},
		"restart": func(t *rapid.T) {
			i := rapid.IntRange(0, 1).Draw(t, "node")
			again := w.nodes[i].restart()
			w.nodes[i] = again
			if err := again.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"wait": func(t *rapid.T) {
			time.Sleep(rapid.SampledFrom([]time.Duration{
				time.Second, time.Minute, 2 * time.Minute, 10 * time.Minute, time.Hour, 5 * 24 * time.Hour, 12 * 24 * time.Hour,
			}).Draw(t, "for"))
		},
	}
}

// Random exchanges, retries, replays, revocations, polls, sweeps, restarts and pauses
// at two nodes, each of which may meet a fault or a client that hangs up: G9, G11, G12,
// G18, G21, J8 and J10 in all orders.
func TestNoOrderOfEventsLetsASpentOrRevokedTokenPassOrRefusesAGoodOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			w := newModelWorld()
			t.Repeat(w.actions())
		})
	})
}
