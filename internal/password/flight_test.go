package password

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func newFlights() *flights { return &flights{underway: make(map[attemptDigest]*flight)} }

// at fails the test unless so many flights are under way.
func (s *flights) at(t *testing.T, want int, reason string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.underway) != want {
		t.Errorf("%d flights under way, want %d: %s", len(s.underway), want, reason)
	}
}

func TestAFlightIsSharedUntilItHasLanded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFlights()
		var compared atomic.Int32
		compare := func(_ context.Context, begin func() bool) (Result, error) {
			if !begin() {
				t.Error("nobody waits")
			}
			compared.Add(1)
			time.Sleep(time.Second)
			return Result{Matches: true, Hashing: time.Second}, nil
		}
		var started, told atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				f, joined := s.join(attemptDigest{1}, compare)
				defer s.leave(attemptDigest{1}, f)
				if !joined {
					started.Add(1)
				}
				<-f.done
				if s.claim(f) > 0 {
					told.Add(1)
				}
				if !f.result.Matches || f.err != nil {
					t.Error("another result:", f.result.Matches, f.err)
				}
			})
		}
		all.Go(func() { // another digest
			f, joined := s.join(attemptDigest{2}, compare)
			defer s.leave(attemptDigest{2}, f)
			if joined {
				t.Error("it joined a flight of another digest")
			}
			<-f.done
		})
		all.Wait()
		if compared.Load() != 2 || started.Load() != 1 || told.Load() != 1 {
			t.Errorf("%d comparisons, want 2; %d started and %d told the time of the first, want 1", compared.Load(), started.Load(), told.Load())
		}
		s.at(t, 0, "all have landed")
		if _, joined := s.join(attemptDigest{1}, compare); joined {
			t.Error("it joined a flight that has landed")
		}
		synctest.Wait()
		time.Sleep(time.Second)
	})
}

func TestAFlightEndsWithItsLastCallerNotWithItsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFlights()
		d := attemptDigest{1}
		ended := make(chan error, 1)
		wait := func(ctx context.Context, _ func() bool) (Result, error) { // at the gate
			<-ctx.Done()
			ended <- ctx.Err()
			return Result{}, ctx.Err()
		}
		first, _ := s.join(d, wait)
		second, joined := s.join(d, wait)
		if first != second || !joined {
			t.Fatal("two flights")
		}
		if !s.giveUp(d, first) {
			t.Error("the first cannot give up while nothing is hashed")
		}
		synctest.Wait()
		if len(ended) != 0 {
			t.Fatal("it ended with its first caller")
		}
		s.at(t, 1, "the second waits")
		if !s.giveUp(d, second) {
			t.Error("the second cannot give up")
		}
		s.at(t, 0, "nobody waits")
		third, joined := s.join(d, func(context.Context, func() bool) (Result, error) { return Result{Matches: true, Hashing: 1}, nil })
		if joined {
			t.Error("it joined a flight without callers")
		}
		synctest.Wait()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error("ended:", err)
		}
		s.at(t, 0, "the third has landed, and the end of the first took nothing of it away")
		if <-third.done; !third.result.Matches {
			t.Error("the third has another's result")
		}
		s.leave(d, third)
	})
}

// A client that hangs up while the hash is made would have a guess that costs a hash
// and counts nowhere.
func TestNoCallerGivesUpOnceTheHashIsBeingMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFlights()
		d := attemptDigest{1}
		f, _ := s.join(d, func(ctx context.Context, begin func() bool) (Result, error) {
			if !begin() {
				t.Error("the caller is there")
			}
			time.Sleep(time.Second)
			return Result{Matches: true, Hashing: time.Second}, ctx.Err()
		})
		synctest.Wait()
		if s.giveUp(d, f) {
			t.Fatal("it gives up")
		}
		<-f.done
		s.leave(d, f)
		if !f.result.Matches || f.err != nil {
			t.Error("the result:", f.result.Matches, f.err)
		}
	})
}

func TestNoHashIsMadeWithoutACaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFlights()
		d := attemptDigest{1}
		begins := make(chan bool, 1)
		f, _ := s.join(d, func(_ context.Context, begin func() bool) (Result, error) {
			time.Sleep(time.Second) // at the gate, where it is served at the moment when it is given up
			begins <- begin()
			return Result{}, context.Canceled
		})
		if !s.giveUp(d, f) {
			t.Fatal("it does not give up")
		}
		if <-begins {
			t.Error("it begins")
		}
	})
}

func TestAPanicIsAnErrorForAllWaitingCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFlights()
		d := attemptDigest{1}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				f, _ := s.join(d, func(context.Context, func() bool) (Result, error) {
					time.Sleep(time.Second)
					panic("hunter2")
				})
				defer s.leave(d, f)
				<-f.done
				if f.err == nil || f.result.Matches || !strings.Contains(f.err.Error(), "[PANIC] string") || strings.Contains(f.err.Error(), "hunter2") {
					t.Error("the result:", f.result.Matches, f.err)
				}
			})
		}
		all.Wait()
		s.at(t, 0, "it has landed")
	})
}
