package session

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// engineWorld is two nodes at one engine, whose calls fail in every way.
type engineWorld struct {
	storage  *shelf
	memory   *sessionstest.Memory
	nodes    []*engineNode
	sessions []*placed
	met      atomic.Int64 // faults
}

var engineFaults = []sessionstest.Fault{
	sessionstest.Refused, sessionstest.FailsButDone, sessionstest.HalfDone, sessionstest.Late, sessionstest.Hangs,
	sessionstest.DoneButHangs, sessionstest.Panics,
}

func newEngineWorld(t *rapid.T) *engineWorld {
	w := &engineWorld{storage: newShelf(), memory: sessionstest.NewMemory(nil)}
	for range 2 {
		w.nodes = append(w.nodes, w.newNode(t))
	}
	origin, err := w.nodes[0].Origin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.sessions = append(w.sessions, &placed{id: origin.NewID(time.Now().AddDate(0, 1, 0)), lostBy: make(map[*node]time.Time)})
	}
	return w
}

func (w *engineWorld) newNode(t *rapid.T) *engineNode {
	return newEngineNode(t, w.storage, w.memory, false)
}

func (w *engineWorld) node(t *rapid.T) *engineNode {
	return w.nodes[rapid.IntRange(0, 1).Draw(t, "node")]
}

func (w *engineWorld) session(t *rapid.T) *placed {
	return w.sessions[rapid.IntRange(0, len(w.sessions)-1).Draw(t, "session")]
}

// befall has some calls of the next operation fail, until the function that it returns
// runs.
func (w *engineWorld) befall(t *rapid.T, n *engineNode) (settle func()) {
	faults := rapid.SliceOfN(rapid.SampledFrom(append(engineFaults, sessionstest.Fine, sessionstest.Fine)), 0, 3).Draw(t, "faults")
	var calls atomic.Int64
	n.engine.Meet(func(sessionstest.Call) (f sessionstest.Fault) {
		if call := int(calls.Add(1)); call <= len(faults) {
			f = faults[call-1]
		}
		if f != sessionstest.Fine {
			w.met.Add(1)
		}
		return f
	})
	return func() {
		synctest.Wait()
		time.Sleep(30 * time.Second)
		n.engine.Recover()
		synctest.Wait()
	}
}

func (w *engineWorld) use(t *rapid.T, n *engineNode, s *placed, generation uint64, grace time.Duration) {
	before := w.met.Load()
	_, err := n.Glance(t.Context(), s.id, generation, grace)
	var got uint64
	if err == nil {
		got, err = n.Rotate(t.Context(), s.id, generation, grace, true)
	}
	t.Logf("generation %d of %d gave %d, error %v", generation, s.current, got, err)
	switch {
	case err == nil && s.revoked:
		t.Fatal("a revoked session got a token")
	case err == nil && generation == s.current && got == s.current+1:
		s.current, s.lostBy = got, make(map[*node]time.Time)
	case err == nil && grace > 0 && generation+1 == s.current && got == s.current:
	case err == nil:
		t.Fatalf("generation %d gave %d, the current one is %d", generation, got, s.current)
	case errors.Is(err, ErrUnavailable):
		if w.met.Load() == before && !s.maybe {
			t.Fatalf("without a fault: %v", err)
		}
		if generation == s.current && s.lostBy[n.node].IsZero() {
			s.lostBy[n.node] = time.Now()
		}
	case errors.Is(err, ErrRevoked):
		if !s.maybe {
			t.Fatal("a live session is revoked")
		}
	case errors.Is(err, ErrReused):
		lost := false
		for by, at := range s.lostBy {
			lost = lost || by != n.node || time.Since(at) > undeliveredFor-time.Minute
		}
		if generation == s.current && !lost {
			t.Fatal("an unused token counts as used")
		}
		w.revoke(t, n, s)
	default:
		t.Fatal(err)
	}
}

func (w *engineWorld) revoke(t *rapid.T, n *engineNode, s *placed) {
	before := w.met.Load()
	s.maybe = true
	switch err := n.Revoke(t.Context(), s.id); {
	case err == nil:
		s.revoked = true
	case !errors.Is(err, ErrUnavailable) || w.met.Load() == before:
		t.Fatal(err)
	}
}

func (w *engineWorld) actions() map[string]func(*rapid.T) {
	refresh := func(t *rapid.T) {
		s, n := w.session(t), w.node(t)
		defer w.befall(t, n)()
		w.use(t, n, s, s.current, 0)
	}
	return map[string]func(*rapid.T){
		"refresh":       refresh,
		"refresh again": refresh,
		"replay": func(t *rapid.T) {
			s, n := w.session(t), w.node(t)
			if s.current == 0 || rapid.IntRange(0, 2).Draw(t, "really") > 0 {
				refresh(t)
				return
			}
			defer w.befall(t, n)()
			w.use(t, n, s, uint64(rapid.IntRange(0, int(s.current)-1).Draw(t, "generation")), 0)
		},
		"retry within the grace": func(t *rapid.T) {
			if s, n := w.session(t), w.node(t); s.current > 0 && len(s.lostBy) == 0 {
				w.use(t, n, s, s.current-1, 1000*time.Hour)
			}
		},
		"two at once": func(t *rapid.T) {
			s, a, b := w.session(t), w.nodes[0], w.nodes[1]
			if s.maybe || len(s.lostBy) > 0 {
				return
			}
			other := make(chan error)
			go func() {
				_, err := b.Rotate(t.Context(), s.id, s.current, 0, true)
				other <- err
			}()
			_, err := a.Rotate(t.Context(), s.id, s.current, 0, true)
			first, second := err == nil, <-other == nil
			if first == second {
				t.Fatalf("won: %v, %v", first, second)
			}
			s.current++
		},
		"revoke": func(t *rapid.T) {
			s, n := w.session(t), w.node(t)
			if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
				refresh(t)
				return
			}
			defer w.befall(t, n)()
			w.revoke(t, n, s)
		},
		"introspect": func(t *rapid.T) {
			s, n := w.session(t), w.node(t)
			defer w.befall(t, n)()
			if revoked, err := n.Revoked(t.Context(), s.id); err == nil && (revoked && !s.maybe || !revoked && s.revoked) {
				t.Fatalf("revoked %v", revoked)
			}
		},
		"bearer": func(t *rapid.T) { // at a node that has read the feed, or at a process that starts
			s, n := w.session(t), w.node(t)
			if rapid.Bool().Draw(t, "new") {
				n = w.newNode(t)
			}
			defer w.befall(t, n)()
			if err := n.Poll(t.Context()); err != nil && !n.ViewReadAt().IsZero() {
				return // it may not know what was revoked since
			}
			revoked, err := n.IsRevoked(t.Context(), s.id, time.Second)
			if err == nil && (revoked && !s.maybe || !revoked && s.revoked) {
				t.Fatalf("revoked %v", revoked)
			}
		},
		"comes true": func(t *rapid.T) { w.memory.ComesTrue() },
		"trim":       func(t *rapid.T) { w.memory.TrimFeeds() },
		"restart": func(t *rapid.T) {
			w.nodes[rapid.IntRange(0, 1).Draw(t, "node")] = w.newNode(t)
		},
		"wait": func(t *rapid.T) {
			time.Sleep(rapid.SampledFrom([]time.Duration{time.Minute, 10 * time.Minute, 2 * time.Hour}).Draw(t, "for"))
		},
	}
}

// finish looks at all sessions once more: the live ones go on, the revoked ones do not.
func (w *engineWorld) finish(t *rapid.T) {
	for _, s := range w.sessions {
		n := w.nodes[0]
		for _, other := range w.nodes {
			if !s.lostBy[other.node].IsZero() {
				n = other
			}
		}
		w.use(t, n, s, s.current, 0)
		if !s.maybe {
			w.use(t, n, s, s.current, 0)
		}
	}
}

// G9, J8, J10 in an engine: no token works twice, no revoked session gets anything, and
// no live session ends, whatever call fails in whatever way.
func TestNoFaultOfAnEngineRevivesASessionOrEndsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			w := newEngineWorld(t)
			t.Repeat(w.actions())
			w.finish(t)
		})
	})
}
