package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
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

func (w *feedWorld) actions() map[string]func(*rapid.T) {
	ends := rapid.SampledFrom([]int{0, 1, 3, 30, 400})
	revoke := func(t *rapid.T) {
		n, by := w.someone(t)
		died := w.strike(t, n)
		id := NewID(time.Now().AddDate(0, 0, ends.Draw(t, "days")))
		done := make(chan error, 1)
		go func() {
			defer func() {
				if recover() != nil { // which only the earlier node lets through here
					done <- ErrUnavailable
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), revokeLimit)
			defer cancel()
			done <- by.Revoke(ctx, id)
		}()
		synctest.Wait()
		if died {
			n.storage.dies()
		}
		switch err := <-done; {
		case err == nil && n == w.old.node && w.places != nil && w.places.isDown():
			// it believes a list of hours without the newest
		case err == nil:
			w.acked = append(w.acked, id)
		case !errors.Is(err, ErrUnavailable):
			t.Fatal(err)
		}
		w.settle(n, died)
	}
	return map[string]func(*rapid.T){
		"revoke": revoke,
		"revoke some": func(t *rapid.T) {
			if w.places != nil {
				revoke(t)
				return
			}
			_, by := w.someone(t)
			for range rapid.IntRange(2, 9).Draw(t, "how many") {
				id := NewID(time.Now().AddDate(0, 0, ends.Draw(t, "days")))
				if err := by.Revoke(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				w.acked = append(w.acked, id)
			}
		},
		"revoke while others go on": func(t *rapid.T) {
			n, by := w.someone(t)
			id := monthAhead()
			ended := w.meanwhile(t, n)
			begun, down := time.Now(), w.places != nil && w.places.isDown()
			err := by.Revoke(t.Context(), id)
			took := time.Since(begun)
			ended()
			if err == nil && (n != w.old.node || !down && took < revokeLimit) {
				w.acked = append(w.acked, id)
			}
		},
		"poll while others go on": func(t *rapid.T) {
			n, by := w.someone(t)
			ended := w.meanwhile(t, n)
			_ = by.Poll(t.Context())
			ended()
		},
		"poll for a while": func(t *rapid.T) {
			for range rapid.IntRange(1, 12).Draw(t, "polls") {
				for _, n := range w.nodes {
					_ = n.Poll(t.Context())
				}
				_ = w.old.Poll(t.Context())
				time.Sleep(2 * time.Second)
			}
		},
		"poll": func(t *rapid.T) {
			n, by := w.someone(t)
			died := w.strike(t, n)
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				ctx, cancel := context.WithTimeout(t.Context(), pollLimit)
				defer cancel()
				_ = by.Poll(ctx)
			}()
			synctest.Wait()
			if died {
				n.storage.dies()
			}
			<-done
			w.settle(n, died)
		},
		"a late write": func(t *rapid.T) {
			n, _ := w.someone(t)
			n.storage.comesTrue()
		},
		"sweep": func(t *rapid.T) {
			n := w.nodes[rapid.IntRange(0, 1).Draw(t, "node")]
			died := w.strike(t, n)
			go func() { _, _ = n.Sweep(t.Context()) }()
			synctest.Wait()
			time.Sleep(3 * time.Minute)
			w.settle(n, died)
		},
		"restart": func(t *rapid.T) {
			switch i := rapid.IntRange(0, 2).Draw(t, "node"); i {
			case 2:
				w.old = w.newOld(w.old.skew)
			default:
				w.nodes[i] = w.newNode(w.nodes[i].skew)
			}
		},
		"clock": func(t *rapid.T) {
			n, _ := w.someone(t)
			n.skew = rapid.SampledFrom([]time.Duration{0, 0, -time.Hour, 2 * time.Hour, -30 * time.Hour, 20 * time.Hour}).Draw(t, "off by")
		},
		"places": func(t *rapid.T) {
			if w.places == nil {
				revoke(t)
				return
			}
			w.places.set(rapid.Bool().Draw(t, "first"), rapid.IntRange(0, 2).Draw(t, "second") == 2, rapid.IntRange(0, 4).Draw(t, "third") == 4)
		},
		"poll while hours end": func(t *rapid.T) {
			if w.places != nil {
				w.places.set(rapid.Bool().Draw(t, "first"), rapid.Bool().Draw(t, "second"))
			}
			for range 5 {
				for _, n := range w.nodes {
					_ = n.Poll(t.Context())
				}
				_ = w.old.Poll(t.Context())
				time.Sleep(time.Minute)
			}
		},
		"wait": func(t *rapid.T) {
			time.Sleep(rapid.SampledFrom([]time.Duration{
				time.Second, 6 * time.Second, time.Minute, 3 * time.Minute, time.Hour, 26 * time.Hour, 9 * 24 * time.Hour,
			}).Draw(t, "for"))
		},
		"look": w.look,
	}
}

// look brings everything up. Then every node knows what was acknowledged, whoever wrote
// it, until the session is over.
func (w *feedWorld) look(t *rapid.T) {
	if w.places != nil {
		w.places.set()
	}
	for range 10 {
		for _, n := range w.nodes {
			_ = n.Poll(t.Context())
		}
		_ = w.old.Poll(t.Context())
		time.Sleep(closingAfter / 8)
	}
	nodes := slices.Clone(w.nodes)
	nodes = append(nodes, w.newNode(0))
	fresh := w.newOld(0)
	for _, n := range nodes {
		if err := n.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []*earlier{w.old, fresh} {
		if err := e.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range w.acked {
		if time.Since(id.Day().AddDate(0, 0, 1)) > -time.Hour { // over, by the clock of some node
			continue
		}
		for i, n := range nodes {
			if revoked, known := n.memory.InView(id); !revoked || !known {
				t.Fatalf("node %d: revoked %t, known %t: %s; the feed has %q", i, revoked, known, id, w.shelf.keys("revocations/"))
			}
		}
		for i, e := range []*earlier{w.old, fresh} {
			if !e.revoked[id] {
				t.Fatalf("node %d of the earlier version does not know %s; the feed has %q", i, id, w.shelf.keys("revocations/"))
			}
		}
	}
}

// Whatever happens to writers, readers, those that turn pages and those that sweep, and
// whichever version they are: each revocation that was acknowledged reaches all nodes.
func TestEveryAcknowledgedRevocationReachesNodesOfBothVersions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			w := newFeedWorld(t, false)
			t.Repeat(w.actions())
			w.look(t)
		})
	})
}

// The same where reads miss what is there.
func TestEveryAcknowledgedRevocationReachesAllNodesOfAStorageThatFailsSilently(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			w := newFeedWorld(t, true)
			t.Repeat(w.actions())
			w.look(t)
		})
	})
}
