package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

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
