package password

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// A caller that is known not to be a stranger is not kept waiting by a crowd of
// strangers.
func TestGatePriority(t *testing.T) {
	const queue = 8
	waiting := func(t *testing.T, g *Gate, want int) {
		t.Helper()
		for range 5000 {
			if _, n := g.Load(); n == want {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatalf("the queue does not come to %d", want)
	}
	// full is a gate with one slot, taken, and a queue full of strangers from as many
	// addresses
	full := func(t *testing.T) (g *Gate, release func(), order chan string, wait func()) {
		t.Helper()
		g = NewGate(Limits{Concurrency: 1, Queue: queue, Wait: time.Minute})
		release, err := g.Acquire(context.Background(), "first")
		if err != nil {
			t.Fatal(err)
		}
		order = make(chan string, 3*queue)
		var group sync.WaitGroup
		for i := range queue {
			group.Go(func() {
				key := fmt.Sprintf("stranger %d", i)
				release, err := g.Acquire(context.Background(), key)
				if err != nil {
					order <- "evicted"
					return
				}
				order <- key
				release()
			})
		}
		waiting(t, g, queue)
		return g, release, order, group.Wait
	}

	t.Run("it goes before all others, in the place of one of them", func(t *testing.T) {
		g, release, order, wait := full(t)
		var group sync.WaitGroup
		group.Go(func() {
			release, err := g.AcquireFirst(context.Background(), "known")
			if err != nil {
				t.Errorf("turned away: %v", err)
				return
			}
			order <- "known"
			release()
		})
		if first := <-order; first != "evicted" {
			t.Errorf("%s, want one evicted", first)
		}
		waiting(t, g, queue)
		release()
		if first := <-order; first != "known" {
			t.Errorf("%s is served first", first)
		}
		group.Wait()
		wait()
	})
	t.Run("strangers take no place of it", func(t *testing.T) {
		g, release, _, wait := full(t)
		var group sync.WaitGroup
		for i := range queue {
			group.Go(func() {
				if release, err := g.AcquireFirst(context.Background(), fmt.Sprintf("known %d", i)); err != nil {
					t.Errorf("turned away: %v", err)
				} else {
					release()
				}
			})
		}
		wait() // all strangers are evicted
		waiting(t, g, queue)
		if _, err := g.Acquire(context.Background(), "stranger"); !errors.Is(err, ErrBusy) {
			t.Errorf("a stranger gets %v", err)
		}
		if _, err := g.AcquireFirst(context.Background(), "one more"); !errors.Is(err, ErrBusy) {
			t.Errorf("one more of the same gets %v", err)
		}
		release()
		group.Wait()
	})
}
