package session

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// placesWorld is two nodes on one storage whose places go down and come back at any
// call, without an error: reads find nothing then, and writes fail.
type placesWorld struct {
	shelf    *shelf
	places   *places
	nodes    []*node
	sessions []*placed
}

// placed is what clients and operators know about a session.
type placed struct {
	id      ID
	current uint64 // the newest generation that was handed out
	revoked bool   // Revoke has returned nil
	maybe   bool   // Revoke was called

	// exchanges of the current generation have failed at these nodes, and one of them may
	// be in storage
	lostBy map[*node]time.Time
}

const placesWitness = testPrefix + "/secret"

func newPlacesWorld(t *rapid.T) *placesWorld {
	w := &placesWorld{shelf: newShelf()}
	w.places = newPlaces(w.shelf)
	w.places.slow = true
	if err := w.shelf.Store(t.Context(), placesWitness, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.nodes = append(w.nodes, w.newNode())
	}
	for i := range 4 { // which lie at places that can be drawn again
		random := fmt.Sprintf("%032x%08x", i, rapid.Uint32().Draw(t, "session"))
		w.sessions = append(w.sessions, &placed{id: ID{day: monthAhead().day, random: random}, lostBy: make(map[*node]time.Time)})
	}
	return w
}

func (w *placesWorld) newNode() *node {
	n := newNode(w.places)
	n.WithWitness(placesWitness)
	return n
}

func (w *placesWorld) node(t *rapid.T) *node { return w.nodes[rapid.IntRange(0, 1).Draw(t, "node")] }

func (w *placesWorld) session(t *rapid.T) *placed {
	return w.sessions[rapid.IntRange(0, len(w.sessions)-1).Draw(t, "session")]
}

// fail plans what fails during the next operation, mostly where the session's record
// is. A first exchange finds nothing in any case: it cannot notice a place that comes
// back between its last look and its write.
func (w *placesWorld) fail(t *rapid.T, s *placed, first bool) {
	var plan []flip
	at := 0
	for range rapid.IntRange(0, 4).Draw(t, "flips") {
		at += rapid.SampledFrom([]int{0, 1, 1, 1, 2, 3, 5, 8, 12, 20, 36, 40}).Draw(t, "calls later")
		f := flip{at: at, place: w.places.place(w.nodes[0].recordKey(s.id)), down: first || rapid.Bool().Draw(t, "down")}
		if rapid.IntRange(0, 3).Draw(t, "another place") == 3 {
			f.place = rapid.IntRange(0, placesOfAll-1).Draw(t, "place")
		}
		plan = append(plan, f)
	}
	w.places.schedule(plan...)
}

// settle ends an operation: nothing flips from then on, and locks that could not be
// released are stale.
func (w *placesWorld) settle() {
	synctest.Wait()
	time.Sleep(30 * time.Second)
	w.places.schedule()
	w.shelf.locksGoStale()
}

// use is what a client gets that refreshes with a generation, and what becomes of the
// session: see refreshGrant.
func (w *placesWorld) use(t *rapid.T, n *node, s *placed, generation uint64) {
	before := w.places.failures()
	faulted := func() bool { return w.places.failures() > before }
	current, err := n.Glance(t.Context(), s.id, generation, 0)
	var got uint64
	if err == nil {
		got, err = n.Rotate(t.Context(), s.id, generation, 0, current)
	}
	t.Logf("generation %d of %d gave %d, error %v", generation, s.current, got, err)
	switch {
	case err == nil && s.revoked:
		t.Fatal("a revoked session got a token")
	case err == nil && generation == s.current && got == s.current+1:
		s.current, s.lostBy = got, make(map[*node]time.Time)
	case err == nil:
		t.Fatalf("generation %d gave %d, the current one is %d", generation, got, s.current)
	case errors.Is(err, ErrUnavailable):
		if !faulted() && !s.maybe {
			t.Fatalf("without a fault: %v", err)
		}
		if generation == s.current && s.lostBy[n].IsZero() {
			s.lostBy[n] = time.Now()
		}
	case errors.Is(err, ErrRevoked):
		if !s.maybe {
			t.Fatal("a live session is revoked")
		}
	case errors.Is(err, ErrReused):
		// an answer that was lost is known where it was lost, for a while
		lost := false
		for by, at := range s.lostBy {
			lost = lost || by != n || time.Since(at) > undeliveredFor-time.Minute
		}
		if generation == s.current && !lost {
			t.Fatal("an unused token counts as used")
		}
		s.maybe = true
		if n.Revoke(t.Context(), s.id) == nil {
			s.revoked = true
		}
	case isLost(err):
		if !faulted() {
			t.Fatalf("without a fault: %v", err)
		}
		if n.RevokeLost(t.Context(), s.id, generation) == nil && !s.maybe {
			t.Fatal("a live session was ended")
		}
	default:
		t.Fatal(err)
	}
}

func (w *placesWorld) revoke(t *rapid.T, n *node, s *placed) {
	before := w.places.failures()
	s.maybe = true
	switch err := n.Revoke(t.Context(), s.id); {
	case err == nil:
		s.revoked = true
	case !errors.Is(err, ErrUnavailable) || w.places.failures() == before:
		t.Fatal(err)
	}
}

func (w *placesWorld) actions() map[string]func(*rapid.T) {
	refresh := func(t *rapid.T) {
		s := w.session(t)
		w.fail(t, s, s.current == 0)
		w.use(t, w.node(t), s, s.current)
		w.settle()
	}
	return map[string]func(*rapid.T){
		"refresh":       refresh,
		"refresh again": refresh,
		"replay": func(t *rapid.T) {
			s := w.session(t)
			if s.current < 2 || rapid.IntRange(0, 2).Draw(t, "really") > 0 {
				refresh(t)
				return
			}
			generation := uint64(rapid.IntRange(0, int(s.current)-2).Draw(t, "generation"))
			w.fail(t, s, generation == 0)
			w.use(t, w.node(t), s, generation)
			w.settle()
		},
		"revoke": func(t *rapid.T) {
			s := w.session(t)
			if rapid.IntRange(0, 2).Draw(t, "really") > 0 {
				refresh(t)
				return
			}
			w.fail(t, s, false)
			w.revoke(t, w.node(t), s)
			w.settle()
		},
		"revoke during a refresh": func(t *rapid.T) {
			s, n, other := w.session(t), w.node(t), w.node(t)
			if s.revoked || rapid.IntRange(0, 2).Draw(t, "really") > 0 {
				refresh(t)
				return
			}
			generation := s.current
			s.maybe = true
			revoked := make(chan error)
			go func() { revoked <- other.Revoke(t.Context(), s.id) }()
			w.use(t, n, s, generation)
			if err := <-revoked; err == nil {
				s.revoked = true
			} else if !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
			w.settle()
		},
		"look": func(t *rapid.T) {
			s, n := w.session(t), w.node(t)
			w.fail(t, s, false)
			revoked, err := n.Revoked(t.Context(), s.id)
			if err == nil && revoked && !s.maybe {
				t.Fatal("a live session is said to be revoked")
			}
			w.settle()
		},
		"bearer": func(t *rapid.T) { // at a process that starts, and of what fails nothing changes meanwhile
			s, n := w.session(t), w.newNode()
			if rapid.Bool().Draw(t, "polls") {
				_ = n.Poll(t.Context())
			}
			revoked, err := n.IsRevoked(t.Context(), s.id, time.Second)
			if err == nil && (revoked && !s.maybe || !revoked && s.revoked) {
				t.Fatalf("revoked %v", revoked)
			}
			w.settle()
		},
		"introspect": func(t *rapid.T) {
			s, n := w.session(t), w.node(t)
			if revoked, err := n.Revoked(t.Context(), s.id); err == nil && (revoked && !s.maybe || !revoked && s.revoked) {
				t.Fatalf("revoked %v", revoked)
			}
			w.settle()
		},
		"retry within the grace": func(t *rapid.T) {
			s, n := w.session(t), w.node(t)
			if s.current == 0 {
				refresh(t)
				return
			}
			w.fail(t, s, s.current == 1)
			got, err := n.Rotate(t.Context(), s.id, s.current-1, 1000*time.Hour, false)
			switch {
			case err == nil && (s.revoked || got != s.current && len(s.lostBy) == 0):
				t.Fatalf("generation %d gave %d of %d", s.current-1, got, s.current)
			case errors.Is(err, ErrReused) && len(s.lostBy) == 0, errors.Is(err, ErrRevoked) && !s.maybe, errors.Is(err, ErrOver):
				t.Fatal(err)
			case err == nil && got == s.current+1: // the answer that was lost... of a generation that is current now
				t.Fatal("two generations further")
			}
			w.settle()
		},
		"poll": func(t *rapid.T) {
			_ = w.node(t).Poll(t.Context())
		},
		"restart": func(t *rapid.T) {
			i := rapid.IntRange(0, 1).Draw(t, "node")
			w.nodes[i] = w.newNode()
		},
		"places": func(t *rapid.T) {
			w.places.set(rapid.Bool().Draw(t, "first"), rapid.IntRange(0, 2).Draw(t, "second") == 2, rapid.IntRange(0, 4).Draw(t, "third") == 4)
		},
		"wait": func(t *rapid.T) {
			time.Sleep(rapid.SampledFrom([]time.Duration{time.Minute, 10 * time.Minute, 2 * time.Hour}).Draw(t, "for"))
		},
	}
}

// finish brings everything up, and looks at all sessions once more: the live ones go
// on, the revoked ones do not.
func (w *placesWorld) finish(t *rapid.T) {
	w.places.set()
	w.settle()
	for _, s := range w.sessions {
		n := w.nodes[0]
		for _, other := range w.nodes {
			if !s.lostBy[other].IsZero() {
				n = other
			}
		}
		w.use(t, n, s, s.current)
		if !s.maybe {
			w.use(t, n, s, s.current)
		}
	}
	w.settle()
}

// G9, J8, J10: whatever reads miss, at whatever moment and for however long.
func TestNoReadThatFailsSilentlyRevivesASessionOrEndsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			w := newPlacesWorld(t)
			t.Repeat(w.actions())
			w.finish(t)
		})
	})
}
