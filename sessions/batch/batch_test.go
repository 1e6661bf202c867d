package batch

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sent is what a queue has sent, and the gate at which each batch waits.
type sent struct {
	mu      sync.Mutex
	batches [][]int
	gate    chan struct{}
}

func (s *sent) send(_ context.Context, calls []*Call[int, int]) {
	var numbers []int
	for _, c := range calls {
		numbers = append(numbers, c.Arguments)
	}
	s.mu.Lock()
	s.batches = append(s.batches, numbers)
	s.mu.Unlock()
	<-s.gate
	for _, c := range calls {
		c.Result = 10 * c.Arguments
	}
}

func (s *sent) queue(most int) *Queue[int, int] {
	s.gate = make(chan struct{})
	return New(most, time.Second, s.send)
}

func TestCallsThatComeWhileOthersAreUnderWayAreSentTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sent
		q := s.queue(8)
		var all sync.WaitGroup
		call := func(n int) {
			all.Go(func() {
				result, err := q.Do(t.Context(), n)
				if result != 10*n || err != nil {
					t.Errorf("%d: %d, %v", n, result, err)
				}
			})
		}
		call(1)
		synctest.Wait()
		for n := range 10 {
			call(n)
		}
		synctest.Wait()
		if n := len(q.waiting); n != 10 {
			t.Errorf("%d calls wait", n)
		}
		close(s.gate)
		all.Wait()
		if len(s.batches) != 3 || len(s.batches[0]) != 1 || len(s.batches[1]) != 8 || len(s.batches[2]) != 2 {
			t.Errorf("batches: %v", s.batches)
		}
	})
}

func TestABatchThatHangsHoldsUpNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sent
		q := s.queue(2)
		var all sync.WaitGroup
		for n := range 10 {
			all.Go(func() {
				if _, err := q.Do(t.Context(), n); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		time.Sleep(50 * time.Millisecond) // after which none comes that could bring others along
		synctest.Wait()
		if len(s.batches) != 4 || len(q.waiting) != 3 {
			t.Errorf("batches: %v, and %d calls wait", s.batches, len(q.waiting))
		}
		close(s.gate)
		all.Wait()
		if len(s.batches) != 6 {
			t.Errorf("batches: %v", s.batches)
		}
	})
}

func TestACallIsNotSentForACallerWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sent
		q := s.queue(8)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		want := func(ctx context.Context, n int, wanted error) {
			all.Go(func() {
				if _, err := q.Do(ctx, n); !errors.Is(err, wanted) {
					t.Errorf("call %d: %v, want %v", n, err, wanted)
				}
			})
		}
		want(t.Context(), 1, context.DeadlineExceeded)
		synctest.Wait()
		want(ctx, 2, context.Canceled)
		synctest.Wait()
		cancel()
		want(ctx, 3, context.Canceled)
		synctest.Wait()
		time.Sleep(999 * time.Millisecond) // call 1 has waited for less than a second
		want(t.Context(), 4, nil)          // which the batch that hangs does not hold up
		time.Sleep(2 * time.Millisecond)
		close(s.gate)
		all.Wait()
		if len(s.batches) != 2 || len(s.batches[1]) != 1 || s.batches[1][0] != 4 {
			t.Errorf("batches: %v", s.batches)
		}
	})
}
