package sessionstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
)

// Modelled is an engine whose operations [Model] draws.
type Modelled struct {
	// Open opens the engine, as another node does, for the same server each time.
	Open func() sessions.Engine

	// Strike is as in Engines; nil: no call fails.
	Strike func(t *rapid.T, e sessions.Engine) (ctx context.Context, struck bool, settle func())

	// Storage says that sessions are in a certmagic storage, without compare-and-swap: a
	// swap that failed can take effect at any later time, whatever has come after it, and
	// takes the session back. What such a session does is no longer compared, except that
	// it does nothing once it was revoked.
	Storage bool

	// Secrets are as in Engines.
	Secrets []string
}

// Model draws swaps, repetitions, revocations and readings of the feed in any order, at
// three nodes, any of which may fail, and compares each answer with what can have
// happened. It is one check of [rapid.Check], and can be in a bubble.
func Model(t *rapid.T, m Modelled) {
	w := &modelWorld{Modelled: m, read: make(map[sessions.ID]bool)}
	for range 3 {
		w.nodes = append(w.nodes, w.open(t))
	}
	epoch := w.nodes[0].epoch(t)
	_, w.cursor = w.nodes[0].reads(t, "")
	last := -5 // whose day is past, and which is not over
	if m.Storage {
		last = 0
	}
	for _, days := range []int{30, 30, 1, last} {
		id := sessions.NewID(time.Now().AddDate(0, 0, days), epoch)
		w.sessions = append(w.sessions, &modelled{id: id, unknown: make(map[uint64][]string), winners: make(map[uint64]string)})
	}
	t.Repeat(w.actions())
	w.finish(t)
}

// model is Model with the engine of the suite.
func (s suite) model(t *testing.T) {
	server := newServer()
	strike := s.Strike
	if strike == nil {
		strike = endsMeanwhile
	}
	rapid.Check(t, func(rt *rapid.T) {
		Model(rt, Modelled{
			Open:   func() sessions.Engine { return s.Open(t, server) },
			Strike: strike, Secrets: s.Secrets,
		})
	})
}

// endsMeanwhile has a context end before, in or after a call.
func endsMeanwhile(t *rapid.T, _ sessions.Engine) (ctx context.Context, struck bool, settle func()) {
	after := rapid.SampledFrom([]time.Duration{0, 50, 100, 200, 500, 1000, 5000}).Draw(t, "context ends after µs") * time.Microsecond
	if rapid.Bool().Draw(t, "calm") {
		return t.Context(), false, func() {}
	}
	ctx, cancel := context.WithTimeout(t.Context(), after)
	return ctx, true, cancel
}

type modelWorld struct {
	Modelled
	nodes    []*checked
	sessions []*modelled

	cursor string
	read   map[sessions.ID]bool // on the way to the cursor

	answers int
}

func (w *modelWorld) open(t *rapid.T) *checked {
	e := w.Open()
	t.Cleanup(func() { _ = e.Close() })
	return &checked{Engine: e, t: t, secrets: w.Secrets}
}

func (w *modelWorld) node(t *rapid.T) *checked {
	return w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(t, "node")]
}

func (w *modelWorld) session(t *rapid.T) *modelled {
	return w.sessions[rapid.IntRange(0, len(w.sessions)-1).Draw(t, "session")]
}

// answer is one that was never used.
func (w *modelWorld) answer() string {
	w.answers++
	return fmt.Sprintf("%032x", w.answers)
}

func (w *modelWorld) strike(t *rapid.T, node *checked, calm bool) (ctx context.Context, struck bool, settle func()) {
	if calm || w.Strike == nil {
		return t.Context(), false, func() {}
	}
	return w.Strike(t, node.Engine)
}

// swap makes a swap. As long as nothing is known it may take effect. A calm one does not
// fail.
func (w *modelWorld) swap(t *rapid.T, s *modelled, next uint64, answer string, calm bool) {
	node := w.node(t)
	ctx, struck, settle := w.strike(t, node, calm)
	defer settle()
	before := slices.Clone(s.unknown[next])
	s.unknown[next] = append(s.unknown[next], answer)
	st, err := node.Swap(ctx, s.id, next, answer)
	t.Logf("swap to %d by %s: %s, %v", next, answer, describe(st), err)
	if err != nil {
		w.failed(t, err, struck)
		return
	}
	w.see(t, s, st)
	if _, open := s.unknown[next]; open && !(struck && st.Generation < next-1) {
		s.unknown[next] = before // this one is done, and so is what was repeated
	}
	if st.Revoked || s.back {
		return
	}
	if st.Generation == next-1 {
		t.Fatalf("a swap to %d changes nothing, though the session is at %d", next, st.Generation)
	}
	if won(st, next, answer) {
		if winner := s.winners[next]; winner != "" && winner != answer {
			t.Fatalf("two swaps have won generation %d", next)
		}
		s.winners[next] = answer
	}
}

func (w *modelWorld) failed(t *rapid.T, err error, struck bool) {
	if !struck || isCertain(err) {
		t.Fatal(err)
	}
}

func (w *modelWorld) revoke(t *rapid.T, s *modelled) {
	node := w.node(t)
	ctx, struck, settle := w.strike(t, node, false)
	defer settle()
	s.maybe = true
	err := node.Revoke(ctx, s.id)
	t.Logf("revoke: %v", err)
	if err != nil {
		w.failed(t, err, struck)
		return
	}
	s.revoked, s.announced = true, true
}

// follow reads the feed on from where it was read before, at any node: then all that was
// acknowledged is known.
func (w *modelWorld) follow(t *rapid.T, calm bool) {
	node := w.node(t)
	for more := true; more; {
		ctx, struck, settle := w.strike(t, node, calm)
		ids, next, rest, err := node.Revoked(ctx, w.cursor)
		settle()
		switch {
		case errors.Is(err, sessions.ErrCursor) && w.cursor != "":
			w.cursor = "" // and nothing is forgotten
			continue
		case err != nil:
			w.failed(t, err, struck)
			return
		}
		for _, id := range ids {
			w.read[id] = true
		}
		w.cursor, more = next, rest
	}
	for _, s := range w.sessions {
		switch {
		case s.announced && !w.read[s.id]:
			t.Fatalf("%s is missing in the feed", s.id)
		case w.read[s.id] && !s.maybe:
			t.Fatalf("%s is in the feed, and was not revoked", s.id)
		}
	}
}

func (w *modelWorld) actions() map[string]func(*rapid.T) {
	exchange := func(t *rapid.T) {
		s := w.session(t)
		w.swap(t, s, s.generation+1, w.answer(), false)
	}
	return map[string]func(*rapid.T){
		"exchange":       exchange,
		"exchange again": exchange,
		"repeat": func(t *rapid.T) {
			s := w.session(t)
			if s.generation == 0 || s.answer == "" {
				exchange(t)
				return
			}
			w.swap(t, s, s.generation, s.answer, false)
		},
		"retry what failed": func(t *rapid.T) {
			s := w.session(t)
			var failed []uint64
			for next, answers := range s.unknown {
				if len(answers) > 0 {
					failed = append(failed, next)
				}
			}
			if len(failed) == 0 {
				exchange(t)
				return
			}
			slices.Sort(failed)
			next := rapid.SampledFrom(failed).Draw(t, "next")
			w.swap(t, s, next, rapid.SampledFrom(s.unknown[next]).Draw(t, "answer"), false)
		},
		"lose": func(t *rapid.T) {
			s := w.session(t)
			back := rapid.Uint64Range(0, 2).Draw(t, "back")
			if back >= s.generation {
				exchange(t)
				return
			}
			w.swap(t, s, s.generation-back, w.answer(), false)
		},
		"leave a gap": func(t *rapid.T) {
			s := w.session(t)
			w.swap(t, s, s.generation+rapid.Uint64Range(2, 3).Draw(t, "ahead"), w.answer(), false)
		},
		"revoke": func(t *rapid.T) {
			if rapid.IntRange(0, 3).Draw(t, "really") > 0 { // too many revocations leave nothing to test
				exchange(t)
				return
			}
			w.revoke(t, w.session(t))
		},
		"load": func(t *rapid.T) {
			s, node := w.session(t), w.node(t)
			ctx, struck, settle := w.strike(t, node, false)
			defer settle()
			st, err := node.Load(ctx, s.id)
			t.Logf("load: %s, %v", describe(st), err)
			if err != nil {
				w.failed(t, err, struck)
				return
			}
			w.see(t, s, st)
		},
		"follow": func(t *rapid.T) { w.follow(t, false) },
		"sweep": func(t *rapid.T) {
			node := w.node(t)
			ctx, struck, settle := w.strike(t, node, false)
			defer settle()
			if _, err := node.Sweep(ctx); err != nil {
				w.failed(t, err, struck)
			}
		},
		"open anew": func(t *rapid.T) {
			i := rapid.IntRange(0, len(w.nodes)-1).Draw(t, "node")
			_ = w.nodes[i].Close()
			w.nodes[i] = w.open(t)
		},
	}
}

// finish looks at all sessions once more: the live ones go on, the revoked ones do not.
func (w *modelWorld) finish(t *rapid.T) {
	w.follow(t, true)
	for _, s := range w.sessions {
		w.see(t, s, w.node(t).load(t, s.id))
		w.swap(t, s, s.generation+1, w.answer(), true)
		w.node(t).revokes(t, s.id)
		s.revoked, s.maybe, s.announced = true, true, true
		w.node(t).has(t, s.id, isRevoked)
		w.swap(t, s, s.generation+1, w.answer(), true)
	}
	w.follow(t, true)
}
