package sessionstest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// load is what runs while the engine comes and goes.
type load struct {
	w       *world
	mu      sync.Mutex
	refresh map[sessions.ID]uint64 // the newest generation that was acknowledged
	answers map[sessions.ID]string
	revoked map[sessions.ID]bool // Revoke has returned nil
	maybe   map[sessions.ID]bool // Revoke was called
	ended   atomic.Bool
	group   sync.WaitGroup
}

// start begins a load. Each worker repeats what failed, at another node, with the same
// answer: it wins in the end, as the only one.
func (w *world) start(t *testing.T) *load {
	l := &load{
		w: w, refresh: make(map[sessions.ID]uint64), answers: make(map[sessions.ID]string),
		revoked: make(map[sessions.ID]bool), maybe: make(map[sessions.ID]bool),
	}
	t.Cleanup(l.end) // also of a test that fails
	nodes := []*checked{w.a, w.b}
	for worker := range w.size.writers {
		l.group.Go(func() {
			id := w.id()
			next, answer := uint64(1), newAnswer()
			for try := worker; !l.ended.Load(); try++ {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				st, err := nodes[try%2].Swap(ctx, id, next, answer)
				cancel()
				switch {
				case err != nil && isCertain(err):
					t.Errorf("Swap: %v", err)
					return
				case err != nil:
					time.Sleep(10 * time.Millisecond)
				case !won(st, next, answer):
					t.Errorf("Swap to %d, by the only client: %s", next, describe(st))
					return
				default:
					l.mu.Lock()
					l.refresh[id], l.answers[id] = next, answer
					l.mu.Unlock()
					next, answer = next+1, newAnswer()
				}
				if try%8 == 0 {
					l.revoke(t, nodes[try/8%2], w.id())
				}
			}
		})
	}
	return l
}

func (l *load) revoke(t *testing.T, node *checked, id sessions.ID) {
	l.mu.Lock()
	l.maybe[id] = true
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	switch err := node.Revoke(ctx, id); {
	case err == nil:
		l.mu.Lock()
		l.revoked[id] = true
		l.mu.Unlock()
	case isCertain(err):
		t.Errorf("Revoke: %v", err)
	default:
		time.Sleep(10 * time.Millisecond)
	}
}

// done waits until n more swaps were acknowledged.
func (l *load) done(t *testing.T, n uint64) {
	t.Helper()
	total := func() (sum uint64) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, generation := range l.refresh {
			sum += generation
		}
		return sum
	}
	until := total() + n
	eventually(t, "the engine goes on", func() error {
		if sum := total(); sum < until {
			return fmt.Errorf("%d swaps, want %d", sum, until)
		}
		return nil
	})
}

func (l *load) end() {
	l.ended.Store(true)
	l.group.Wait()
}

// stop ends the load, and looks for all that was acknowledged. A swap that failed last
// may have taken effect.
func (l *load) stop(t *testing.T) {
	t.Helper()
	l.end()
	for _, node := range []*checked{l.w.a, l.w.open(t)} {
		for id, generation := range l.refresh {
			st := node.load(t, id)
			if !same(st, at(generation, l.answers[id])) && !(st.Generation == generation+1 && !st.Revoked && !st.Over) {
				t.Errorf("%s, and generation %d by %s was acknowledged", describe(st), generation, l.answers[id])
			}
		}
		for id := range l.revoked {
			node.has(t, id, isRevoked)
		}
		read, _ := node.reads(t, "")
		missing(t, "a node that begins again", l.revoked, read)
		for id := range read {
			if !l.maybe[id] {
				t.Errorf("%s is in the feed, and was not revoked", id)
			}
		}
	}
}
