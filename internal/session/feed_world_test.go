package session

import (
	"context"
	"sync"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
	"pgregory.net/rapid"
)

// feedWorld is nodes of this version and one of the earlier version that revoke and
// read, in a storage that fails loudly, or whose places go down silently. Pages are
// small.
type feedWorld struct {
	shelf  *shelf
	places *places // nil: none
	nodes  []*node
	old    *earlier
	acked  []ID // revocations that were acknowledged
}

var smallPages = pageLimits{full: 5, again: 12, few: 1, names: 8, stays: 5 * time.Second}

func newFeedWorld(t *rapid.T, silent bool) *feedWorld {
	w := &feedWorld{shelf: newShelf()}
	if silent {
		w.places = newPlaces(w.shelf)
	}
	if err := w.shelf.Store(t.Context(), placesWitness, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.nodes = append(w.nodes, w.newNode(0))
	}
	w.old = w.newOld(0)
	return w
}

func (w *feedWorld) storage() certmagic.Storage {
	if w.places != nil {
		return w.places
	}
	return w.shelf
}

func (w *feedWorld) newNode(skew time.Duration) *node {
	n := newNode(w.storage())
	n.memory.view.pages, n.skew = smallPages, skew
	n.WithWitness(placesWitness)
	return n
}

func (w *feedWorld) newOld(skew time.Duration) *earlier {
	e := newEarlier(w.storage())
	e.skew, e.witness = skew, placesWitness
	return e
}

// someone is a node, and in two of three cases one of this version.
func (w *feedWorld) someone(t *rapid.T) (n *node, by interface {
	Revoke(context.Context, ID) error
	Poll(context.Context) error
}) {
	if i := rapid.IntRange(0, 2).Draw(t, "node"); i < 2 {
		return w.nodes[i], w.nodes[i]
	}
	return w.old.node, w.old
}

// strike makes a call to the feed fail, after some more, or the node die there.
func (w *feedWorld) strike(t *rapid.T, n *node) (dies bool) {
	if w.places != nil || rapid.Bool().Draw(t, "calm") {
		return false
	}
	dies = rapid.IntRange(0, 2).Draw(t, "dies") == 0
	what := rapid.SampledFrom([]fault{refused, failsButDone, lost, late, hangs, doneButHangs, panics, panicsDone}).Draw(t, "fault")
	if dies {
		what = rapid.SampledFrom([]fault{stuck, doneButStuck}).Draw(t, "death")
	}
	n.storage.add(&rule{part: "revocations", skip: rapid.IntRange(0, 6).Draw(t, "at call"), times: 1, fault: what})
	return dies
}

// settle ends what a fault has left, also at a node that has died and starts again.
func (w *feedWorld) settle(n *node, died bool) {
	synctest.Wait()
	if died {
		n.storage.dies()
	}
	n.storage.recovers()
	time.Sleep(30 * time.Second)
	if running := n.memory.background.Load(); running != nil {
		<-running.ended
	}
	synctest.Wait()
	w.shelf.locksGoStale()
	if !died {
		return
	}
	for i := range w.nodes {
		if w.nodes[i] == n {
			w.nodes[i] = w.newNode(n.skew)
		}
	}
	if w.old.node == n {
		w.old = w.newOld(n.skew)
	}
}

// meanwhile has all other nodes go on at a call of one to the feed: they revoke, read
// and turn pages, for as long as that call takes. It returns a function that waits for
// their end.
func (w *feedWorld) meanwhile(t *rapid.T, n *node) (ended func()) {
	revocations := rapid.IntRange(0, 9).Draw(t, "revocations meanwhile")
	polls := rapid.SampledFrom([]int{0, 1, 4, 4, 70}).Draw(t, "polls meanwhile")
	var running sync.WaitGroup
	n.storage.add(&rule{part: "revocations", skip: rapid.IntRange(0, 5).Draw(t, "at call"), times: 1, before: func() {
		running.Add(1)
		defer running.Done()
		for i := range max(1, polls) {
			for range (revocations + i) / max(1, polls) {
				other, id := w.nodes[0], monthAhead()
				if n == other {
					other = w.nodes[1]
				}
				if other.Revoke(t.Context(), id) == nil {
					w.acked = append(w.acked, id)
				}
			}
			if polls == 0 {
				break
			}
			for _, other := range w.nodes {
				if other != n {
					_ = other.Poll(t.Context())
				}
			}
			if w.old.node != n {
				_ = w.old.Poll(t.Context())
			}
			time.Sleep(2 * time.Second)
		}
	}})
	return func() {
		synctest.Wait()
		running.Wait()
		n.storage.recovers()
		w.settle(n, false)
	}
}
