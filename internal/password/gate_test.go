package password

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// idle fails the test unless the gate has forgotten all callers.
func idle(t *testing.T, g *Gate) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running != 0 || g.waiting != 0 || len(g.lines) != 0 || len(g.turns) != 0 {
		t.Errorf("running %d, waiting %d, lines %d, turns %d", g.running, g.waiting, len(g.lines), len(g.turns))
	}
}

// take acquires a slot that must be free.
func take(t *testing.T, g *Gate, key string) (release func()) {
	t.Helper()
	release, err := g.Acquire(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// queue starts a caller that hashes for as long as told, and returns when it waits. It
// reports its name, or its error.
func queue(ctx context.Context, g *Gate, key, name string, hashing time.Duration, report chan<- string) {
	go func() {
		release, err := g.Acquire(ctx, key)
		if err != nil {
			report <- name + ": " + err.Error()
			return
		}
		report <- name
		time.Sleep(hashing)
		release()
	}()
	synctest.Wait()
}

// reports returns what was reported so far.
func reports(report <-chan string) string {
	synctest.Wait()
	var all []string
	for len(report) > 0 {
		all = append(all, <-report)
	}
	return strings.Join(all, " ")
}

func TestAFreeSlotIsTakenAtOnceAndReleasedOnce(t *testing.T) {
	g := NewGate(Limits{Concurrency: 2})
	first, second := take(t, g, "a"), take(t, g, "a")
	if _, err := g.Acquire(t.Context(), "b"); !errors.Is(err, ErrBusy) {
		t.Error("the third of two slots:", err)
	}
	first()
	first()
	third := take(t, g, "b")
	if _, err := g.Acquire(t.Context(), "b"); !errors.Is(err, ErrBusy) {
		t.Error("a slot that was released twice is two slots:", err)
	}
	second()
	third()
	idle(t, g)
}

func TestDefaultLimitsLeaveRoomForOtherWork(t *testing.T) {
	l := DefaultLimits()
	if l.Concurrency < 1 || l.Queue != 64 || l.Wait != 5*time.Second {
		t.Error(l)
	}
}

func TestAFloodFromOneKeyDelaysAnotherByOneHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hash = 100 * time.Millisecond
		g := NewGate(Limits{Concurrency: 1, Queue: 64, Wait: 5 * time.Second})
		var served, busy atomic.Int32
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				release, err := g.Acquire(t.Context(), "flooder")
				if err != nil {
					busy.Add(1)
					return
				}
				served.Add(1)
				time.Sleep(hash)
				release()
			})
		}
		synctest.Wait()
		if busy.Load() != 31 || served.Load() != 1 {
			t.Errorf("%d refused at once, %d hashed; want 31, and 1 with 32 waiting", busy.Load(), served.Load())
		}
		start := time.Now() // synctest's clock stands still except for the sleeps
		release, err := g.Acquire(t.Context(), "other")
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > 2*hash {
			t.Errorf("waited %v behind the flood", waited)
		}
		release()
		all.Wait()
		if served.Load() != 33 {
			t.Errorf("%d of the flood hashed", served.Load())
		}
		idle(t, g)
	})
}

func TestKeysTakeTurnsAndCallersOfAKeyKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Limits{Concurrency: 1, Queue: 64, Wait: time.Minute})
		report := make(chan string, 10)
		release := take(t, g, "a")
		for _, name := range []string{"a1", "a2", "a3", "b1", "b2", "c1"} {
			queue(t.Context(), g, name[:1], name, time.Second, report)
		}
		release()
		time.Sleep(10 * time.Second)
		if got := reports(report); got != "a1 b1 c1 a2 b2 a3" {
			t.Error(got)
		}
		idle(t, g)
	})
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			queue  int
			keys   string
			waits  string
			reason string
		}{
			{4, "aaabbbc", "abbc", "half of the queue per key, and a full queue makes room for a key without a place"},
			{4, "abcdef", "abcd", "the whole queue"},
			{5, "aaabbbcc", "aabbc", "half of an odd queue is rounded down"},
			{1, "ab", "a", "half of one place is one"},
			{0, "ab", "", "no queue"},
		} {
			g := NewGate(Limits{Concurrency: 1, Queue: c.queue, Wait: time.Minute})
			release := take(t, g, "z")
			report := make(chan string, 10)
			for _, key := range c.keys {
				queue(t.Context(), g, string(key), string(key), 0, report)
			}
			if got, want := strings.Count(reports(report), ErrBusy.Error()), len(c.keys)-len(c.waits); got != want {
				t.Errorf("%s: %d refused, want %d", c.reason, got, want)
			}
			release()
			got := strings.Split(reports(report), " ")
			slices.Sort(got)
			if strings.Join(got, "") != c.waits {
				t.Errorf("%s: %q waited, want %q", c.reason, got, c.waits)
			}
			idle(t, g)
		}
	})
}

func TestWaitingEndsWithTheLimitOrWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Limits{Concurrency: 1, Queue: 64, Wait: 5 * time.Second})
		release := take(t, g, "a")
		start := time.Now()
		if _, err := g.Acquire(t.Context(), "b"); !errors.Is(err, ErrBusy) || time.Since(start) != 5*time.Second {
			t.Error(err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.Acquire(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		release()
		if _, err := g.Acquire(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("a caller that has already gone takes a free slot:", err)
		}
		idle(t, g)
	})
}

func TestACallerInTheMiddleOfALineCanGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Limits{Concurrency: 1, Queue: 64, Wait: time.Minute})
		report := make(chan string, 10)
		release := take(t, g, "z")
		ctx, cancel := context.WithCancel(t.Context())
		queue(t.Context(), g, "a", "a1", 0, report)
		queue(ctx, g, "a", "a2", 0, report)
		queue(t.Context(), g, "a", "a3", 0, report)
		queue(ctx, g, "b", "b1", 0, report) // the only one of its key
		cancel()
		synctest.Wait()
		if len(g.lines) != 1 || len(g.turns) != 1 || g.waiting != 2 {
			t.Errorf("%d lines, %d turns, %d waiting", len(g.lines), len(g.turns), g.waiting)
		}
		reports(report)
		release()
		if got := reports(report); got != "a1 a3" {
			t.Error(got)
		}
		idle(t, g)
	})
}

// Both things happen before the caller wakes, in either order.
func TestACallerThatGivesUpJustAsItIsServedPassesTheSlotOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for round := range 100 {
			g := NewGate(Limits{Concurrency: 1, Queue: 64, Wait: time.Minute})
			report := make(chan string, 10)
			release := take(t, g, "z")
			ctx, cancel := context.WithCancel(t.Context())
			queue(ctx, g, "a", "quitter", 0, report)
			queue(t.Context(), g, "b", "next", 0, report)
			if round%2 == 0 {
				cancel()
				release() // serves the quitter, who is awake but has not left its line
			} else {
				release()
				cancel()
			}
			// whether the quitter sees the end of its context in time, and which of the
			// two reports first, is chance; what must not happen is that the slot is
			// lost
			if got := reports(report); !strings.Contains(got, "quitter") || !strings.Contains(got, "next") {
				t.Fatalf("round %d: %q", round, got)
			}
			idle(t, g)
		}
	})
}

func TestACallerServedInTheLastMomentOfItsWaitHasTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			g := NewGate(Limits{Concurrency: 1, Queue: 64, Wait: time.Second})
			report := make(chan string, 10)
			release := take(t, g, "z")
			queue(t.Context(), g, "a", "late", 0, report)
			time.Sleep(time.Second) // wakes together with the caller's timer
			release()
			if got := reports(report); got != "late" && got != "late: "+ErrBusy.Error() {
				t.Fatal(got)
			}
			idle(t, g)
		}
	})
}

func TestRaisedLimitsServeWaitingCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Limits{Concurrency: 1, Queue: 4, Wait: time.Minute})
		report := make(chan string, 10)
		release := take(t, g, "z")
		for _, name := range []string{"a1", "a2", "b1"} {
			queue(t.Context(), g, name[:1], name, time.Second, report)
		}
		g.SetLimits(Limits{Concurrency: 3, Queue: 4, Wait: time.Minute})
		if got := reports(report); got != "a1 b1" && got != "b1 a1" {
			t.Errorf("two more slots went to %q", got)
		}
		time.Sleep(2 * time.Second)
		if got := reports(report); got != "a2" {
			t.Error(got)
		}
		release()
		idle(t, g)
	})
}

func TestLoweredLimitsWaitForWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Limits{Concurrency: 3, Queue: 8, Wait: time.Minute})
		releases := []func(){take(t, g, "a"), take(t, g, "b"), take(t, g, "c")}
		report := make(chan string, 10)
		queue(t.Context(), g, "d", "d1", time.Second, report)
		queue(t.Context(), g, "d", "d2", time.Second, report)
		g.SetLimits(Limits{Concurrency: -5, Queue: 1, Wait: time.Millisecond}) // a concurrency of 1
		if got := g.Limits(); got != (Limits{Concurrency: 1, Queue: 1, Wait: time.Millisecond}) {
			t.Errorf("the limits are %+v", got)
		}
		releases[0]()
		releases[1]()
		if got := reports(report); got != "" {
			t.Errorf("%q was served with one too many running", got)
		}
		queue(t.Context(), g, "e", "e1", 0, report)
		if got := reports(report); got != "e1: "+ErrBusy.Error() {
			t.Errorf("in a queue that is too long now: %q", got)
		}
		time.Sleep(time.Second) // longer than the new wait, which is not for them
		releases[2]()
		if got := reports(report); got != "d1" {
			t.Error(got)
		}
		time.Sleep(2 * time.Second)
		if got := reports(report); got != "d2" {
			t.Error(got)
		}
		idle(t, g)
	})
}

func TestNoMoreRunThanAllowedWhateverHappens(t *testing.T) {
	g := NewGate(Limits{Concurrency: 3, Queue: 16, Wait: 2 * time.Millisecond})
	var running, most, served atomic.Int32
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for n := range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(i+n)%4)*time.Millisecond)
				release, err := g.Acquire(ctx, fmt.Sprint(i%5))
				if err == nil {
					now := running.Add(1)
					for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
					}
					served.Add(1)
					time.Sleep(50 * time.Microsecond)
					running.Add(-1)
					release()
					release()
				}
				cancel()
				if n%10 == 0 {
					g.SetLimits(Limits{Concurrency: 1 + (i+n)%3, Queue: 16, Wait: 2 * time.Millisecond})
				}
			}
		})
	}
	all.Wait()
	if most.Load() > 3 || served.Load() == 0 {
		t.Errorf("%d ran at the same time, %d in all", most.Load(), served.Load())
	}
	idle(t, g)
}

// Two keys that fill the queue, each with its half, do not close it to other keys.
func TestAFullQueueMakesRoomForAKeyWithFewerPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Limits{Concurrency: 1, Queue: 8, Wait: time.Minute})
		running, err := g.Acquire(t.Context(), "first")
		if err != nil {
			t.Fatal(err)
		}
		var busy, served atomic.Int64
		flood := func(key string) {
			go func() {
				release, err := g.Acquire(t.Context(), key)
				if err != nil {
					busy.Add(1)
					return
				}
				served.Add(1)
				release()
			}()
		}
		for range 4 {
			flood("one")
			flood("another")
		}
		synctest.Wait()
		got := make(chan error, 1)
		go func() {
			release, err := g.Acquire(t.Context(), "owner")
			if err == nil {
				release()
			}
			got <- err
		}()
		synctest.Wait()
		if busy.Load() != 1 {
			t.Fatalf("%d callers lost their place, want 1", busy.Load())
		}
		running()
		if err := <-got; err != nil {
			t.Fatalf("the owner gets %v", err)
		}
		synctest.Wait()
		if served.Load() != 7 {
			t.Errorf("%d of the others were served, want 7", served.Load())
		}
	})
}

// A queue of keys with one place each has no longest line, so the next one is shed.
func TestAFullQueueOfEqualKeysShedsTheNewcomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Limits{Concurrency: 1, Queue: 2, Wait: time.Minute})
		running, err := g.Acquire(t.Context(), "first")
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b"} {
			go func() {
				if release, err := g.Acquire(t.Context(), key); err == nil {
					release()
				}
			}()
		}
		synctest.Wait()
		if _, err := g.Acquire(t.Context(), "c"); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, want ErrBusy", err)
		}
		running()
		synctest.Wait()
	})
}
