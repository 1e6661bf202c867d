package throttle

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestABucketIsFullAtFirstAndFillsOneByOne(t *testing.T) {
	c := newFakeClock()
	b := newBucket(LimitSessions, 3, 10*time.Second, c.now)
	take := func(account string, wait time.Duration) {
		t.Helper()
		err := b.Take(account)
		var refused *RefusedError
		switch {
		case wait == 0 && err != nil:
			t.Fatal(err)
		case wait != 0 && (!errors.As(err, &refused) || refused.RetryAfter != wait || refused.Limit != LimitSessions):
			t.Fatalf("got %v, want a wait of %v", err, wait)
		}
	}
	for range 3 {
		take("alice", 0)
	}
	take("alice", 10*time.Second)
	take("alice", 10*time.Second) // a refusal is not counted
	take("bob", 0)
	c.pass(9500 * time.Millisecond)
	take("alice", time.Second)
	c.pass(500 * time.Millisecond)
	take("alice", 0)
	take("alice", 10*time.Second)
	c.pass(25 * time.Second)
	take("alice", 0)
	take("alice", 0)
	take("alice", 5*time.Second) // what was left of an interval counts
	c.pass(time.Hour)
	for range 3 {
		take("alice", 0)
	}
	take("alice", 10*time.Second) // it never holds more than at first
}

func TestABucketForgetsAccountsThatHaveAllOfItBack(t *testing.T) {
	c := newFakeClock()
	b := newBucket(LimitSessions, 3, 10*time.Second, c.now)
	for i := range 100 {
		if err := b.Take(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	c.pass(30 * time.Second)
	for i := range 100 {
		if err := b.Take(fmt.Sprint("new ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.taken.len(); n != 100 {
		t.Errorf("%d entries, want those of the last interval only", n)
	}
}

func TestABucketTakesBackWhatDidNotHappen(t *testing.T) {
	b := newBucket(LimitSessions, 2, time.Hour, newFakeClock().now)
	for range 10 {
		if err := b.Take("alice"); err != nil {
			t.Fatal(err)
		}
		b.Return("alice")
	}
	if n := b.taken.len(); n != 0 {
		t.Errorf("%d entries of which nothing is counted", n)
	}
	b.Return("nobody")
	for range 2 {
		if err := b.Take("alice"); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Take("alice"); err == nil {
		t.Error("three of two")
	}
}

func TestABucketHoldsForABurst(t *testing.T) {
	b := newBucket(LimitSessions, 10, time.Hour, newFakeClock().now)
	var allowed atomic.Int32
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if b.Take("alice") == nil {
				allowed.Add(1)
			}
		})
	}
	all.Wait()
	if allowed.Load() != 10 {
		t.Errorf("%d events of 10", allowed.Load())
	}
}

func TestAFloodOfNewNamesDoesNotFillABucket(t *testing.T) {
	b := newBucket(LimitSessions, 10, time.Hour, newFakeClock().now)
	b.taken = newTable(100)
	for range 10 {
		if err := b.Take("alice"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10_000 {
		if err := b.Take(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Take("alice"); err == nil {
		t.Error("allowed after a flood")
	}
}

func TestABucketHasOnePlaceAtLeast(t *testing.T) {
	b := newBucket(LimitSessions, 0, time.Hour, newFakeClock().now)
	if err := b.Take("alice"); err != nil {
		t.Error("the first:", err)
	}
	if err := b.Take("alice"); err == nil {
		t.Error("two of one")
	}
}
