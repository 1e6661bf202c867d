package throttle

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestARateIsPerAccountAndMinute(t *testing.T) {
	c := newFakeClock()
	r := newRate(3, c.now)
	for range 3 {
		if err := r.Allow("alice"); err != nil {
			t.Fatal(err)
		}
		c.pass(10 * time.Second)
	}
	var refused *RefusedError
	if err := r.Allow("alice"); !errors.As(err, &refused) || refused.RetryAfter != 30*time.Second || refused.Limit != LimitRate {
		t.Error("the fourth in half a minute:", err)
	}
	if err := r.Allow("bob"); err != nil {
		t.Error("another account:", err)
	}
	c.pass(30*time.Second - 1)
	if err := r.Allow("alice"); !errors.As(err, &refused) || refused.RetryAfter != time.Second {
		t.Error("just before the minute is over:", err)
	}
	if n := r.entries(); n != 2 {
		t.Errorf("%d entries", n)
	}
	c.pass(1)
	if err := r.Allow("alice"); err != nil {
		t.Error("a minute after the first:", err)
	}
	c.pass(time.Minute)
	if n := r.entries(); n != 0 {
		t.Errorf("%d entries, a minute later", n)
	}
}

// entries is the number of accounts that have had an event in the last minute.
func (r *Rate) entries() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.dropAllForgotten(r.clock.read(), time.Minute)
	return r.counts.len()
}

func TestARateAllowsOneEventAMinuteAtLeast(t *testing.T) {
	r := newRate(0, newFakeClock().now)
	if err := r.Allow("alice"); err != nil {
		t.Error("the first:", err)
	}
	if err := r.Allow("alice"); err == nil {
		t.Error("two a minute, of one")
	}
}

func TestARateHoldsForABurst(t *testing.T) {
	r := newRate(10, newFakeClock().now)
	var allowed atomic.Int32
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if r.Allow("alice") == nil {
				allowed.Add(1)
			}
		})
	}
	all.Wait()
	if allowed.Load() != 10 {
		t.Errorf("%d events of 10", allowed.Load())
	}
}

func TestAFloodOfNewNamesDoesNotResetARate(t *testing.T) {
	r := newRate(10, newFakeClock().now)
	r.counts = newTable(100)
	for range 10 {
		if err := r.Allow("alice"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10_000 {
		if err := r.Allow(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Allow("alice"); err == nil {
		t.Error("allowed after a flood")
	}
	if n := r.entries(); n != 100 {
		t.Errorf("%d entries", n)
	}
}
