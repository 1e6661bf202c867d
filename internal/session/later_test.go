package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// testAllowance has so many writes left, and gets one back in each interval.
type testAllowance struct {
	mu       sync.Mutex
	left     int
	since    time.Time
	taken    int
	returned int
}

const testInterval = 10 * time.Second

var errTestBound = errors.New("the bound of a test")

func newAllowance(left int) *testAllowance { return &testAllowance{left: left, since: time.Now()} }

func (a *testAllowance) Take() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left == 0 {
		passed := time.Since(a.since)
		if passed < testInterval {
			return &NotYetError{After: testInterval - passed, Cause: errTestBound}
		}
		a.left = 1
	}
	a.left--
	a.taken++
	a.since = time.Now()
	return nil
}

func (a *testAllowance) Return() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left++
	a.returned++
}

func (a *testAllowance) want(t *testing.T, taken, returned int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.taken != taken || a.returned != returned {
		t.Fatalf("taken %d, want %d; returned %d, want %d", a.taken, taken, a.returned, returned)
	}
}

// within is the same node with a bound.
func (n *node) within(a Allowance) *node {
	bounded := *n
	bounded.Store = n.Store.Within(a)
	return &bounded
}

// stored are the objects that were written, by their kind.
func (n *node) stored() (records, markers int) {
	synctest.Wait()
	n.storage.mu.Lock()
	defer n.storage.mu.Unlock()
	for _, call := range n.storage.calls {
		switch {
		case strings.HasPrefix(call, "store sessions/") && strings.HasSuffix(call, markerSuffix):
			markers++
		case strings.HasPrefix(call, "store sessions/"):
			records++
		}
	}
	return records, markers
}

func wantNotYet(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*NotYetError](err); !ok || !errors.Is(err, errTestBound) {
		t.Fatalf("error %v, want that of the bound", err)
	}
}

func TestTheFirstExchangeOfASessionNeedsAnAllowance(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		allowance := newAllowance(1)
		n, id, other := newNode(newShelf()).within(allowance), monthAhead(), monthAhead()
		n.wantRotated(t, id, 0, 0, 1)
		for generation := range uint64(20) { // and no further one
			n.wantRotated(t, id, generation+1, 0, generation+2)
		}
		allowance.want(t, 1, 0)
		got, err := n.Rotate(t.Context(), other, 0, 0, true)
		if wantNotYet(t, err); got != 0 {
			t.Errorf("got generation %d", got)
		}
		if records, _ := n.stored(); records != 21 {
			t.Errorf("%d records written", records)
		}
		time.Sleep(testInterval)
		n.wantRotated(t, other, 0, 0, 1) // nothing was consumed
		n.wantRefused(t, other, 0, 0, ErrReused)
		allowance.want(t, 2, 0)
	})
}

func TestAnExchangeThatWritesNothingNeedsNoAllowance(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		allowance := newAllowance(1)
		n, id := newNode(newShelf()).within(allowance), monthAhead()
		n.wantRotated(t, id, 0, time.Minute, 1)
		for range 5 {
			n.wantRotated(t, id, 0, time.Minute, 1) // within the grace
		}
		n.wantRefused(t, id, 7, time.Minute, ErrAhead)
		n.wantRefused(t, monthAhead(), 7, time.Minute, ErrAhead)
		allowance.want(t, 1, 0)
	})
}

func TestManyExchangesOfOneTokenTakeOneAllowance(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		allowance := newAllowance(1)
		n, id := newNode(newShelf()).within(allowance), monthAhead()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got, err := n.Rotate(t.Context(), id, 0, time.Minute, true); err != nil || got != 1 {
					t.Errorf("got %d, error %v", got, err)
				}
			})
		}
		all.Wait()
		allowance.want(t, 1, 0)
	})
}

func TestAnAllowanceComesBackWhereNothingWasWritten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		allowance := newAllowance(1)
		n, id := newNode(newShelf()).within(allowance), monthAhead()
		for range 5 {
			n.storage.befalls("store", "sessions", refused)
			_, err := n.Rotate(t.Context(), id, 0, 0, true)
			wantUnavailable(t, err)
			n.storage.recovers()
		}
		allowance.want(t, 5, 5)
		n.wantRotated(t, id, 0, 0, 1)
	})
}

func TestARevocationNeedsAnAllowance(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		allowance := newAllowance(1)
		unbounded, id, other := newNode(newShelf()), monthAhead(), monthAhead()
		n := unbounded.within(allowance)
		for range 5 {
			must(t, n.Revoke(t.Context(), id)) // J3: again writes nothing
		}
		wantNotYet(t, n.Revoke(t.Context(), other))
		if revoked, _ := n.memory.InView(other); revoked {
			t.Error("a revocation that was refused has had an effect")
		}
		unbounded.wantRotated(t, other, 0, 0, 1)
		if _, markers := n.stored(); markers != 1 {
			t.Errorf("%d markers", markers)
		}
		allowance.want(t, 1, 0)
	})
}

func TestASessionThatEndsBeyondTheBoundIsOverAtOnceAndWrittenLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, elsewhere := newNode(storage), newNode(storage)
		allowance := newAllowance(0)
		bounded := n.within(allowance)
		n.memory.Serve(n.Store)
		t.Cleanup(n.memory.Close)
		must(t, n.Poll(t.Context()))
		var ids []ID
		for range 3 {
			id := monthAhead()
			n.wantRotated(t, id, 0, 0, 1)
			err := bounded.Revoke(t.Context(), id)
			wantNotYet(t, err)
			for range 4 { // one place is enough for a session
				if !bounded.RevokeLater(id, testInterval) {
					t.Fatal("there is no room")
				}
			}
			ids = append(ids, id)
		}
		for _, id := range ids {
			if revoked, known := n.memory.InView(id); !revoked || !known {
				t.Errorf("the view: revoked %v, known %v", revoked, known)
			}
			if revoked, err := n.Revoked(t.Context(), id); err != nil || !revoked {
				t.Errorf("Revoked: %v, error %v", revoked, err)
			}
			for generation := range uint64(3) {
				n.wantRefused(t, id, generation, time.Minute, ErrRevoked)
				if err := n.check(t.Context(), id, generation, time.Minute); !errors.Is(err, ErrRevoked) {
					t.Errorf("error %v", err)
				}
			}
		}
		for written := range 4 { // one after the other, in their order
			if _, markers := n.stored(); markers != written {
				t.Fatalf("%d markers, want %d", markers, written)
			}
			for i, id := range ids {
				revoked, err := elsewhere.Revoked(t.Context(), id)
				if want := i < written; err != nil || revoked != want || n.memory.later.has(id) == want {
					t.Errorf("session %d: at another node revoked %v, error %v, want %v", i, revoked, err, want)
				}
			}
			time.Sleep(testInterval)
			synctest.Wait()
		}
		for _, id := range ids {
			if revoked, _ := n.memory.InView(id); !revoked {
				t.Error("forgotten after it was written")
			}
			elsewhere.wantRefused(t, id, 1, 0, ErrRevoked)
		}
		must(t, elsewhere.Poll(t.Context()))
		for _, id := range ids {
			if revoked, _ := elsewhere.memory.InView(id); !revoked {
				t.Error("it is not in the feed")
			}
		}
	})
}

func TestWhatWaitsIsTriedAgainWhileStorageFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		bounded := n.within(newAllowance(100))
		n.memory.Serve(n.Store)
		t.Cleanup(n.memory.Close)
		n.storage.add(&rule{op: "store", part: "sessions", fault: refused})
		bounded.RevokeLater(id, 0)
		time.Sleep(time.Hour)
		if !n.memory.later.has(id) {
			t.Fatal("it was given up")
		}
		if revoked, _ := n.memory.InView(id); !revoked {
			t.Error("it is not over")
		}
		if _, markers := n.stored(); markers < 10 || markers > 1000 {
			t.Errorf("tried %d times in an hour", markers)
		}
		n.storage.recovers()
		time.Sleep(2 * laterPause)
		synctest.Wait()
		if n.memory.later.has(id) {
			t.Error("it still waits")
		}
		if revoked, err := n.restart().Revoked(t.Context(), id); err != nil || !revoked {
			t.Errorf("in storage revoked %v, error %v", revoked, err)
		}
	})
}

// A config that is unloaded may have closed its storage.
func TestTheNewestRunningConfigWritesWhatWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		t.Cleanup(n.memory.Close)
		first, second := newNode(storage), newNode(storage)
		stores := make([]*Store, 2)
		for i, of := range []*node{first, second} {
			stores[i] = NewStore(of.storage, testPrefix, n.memory, time.Now)
		}
		written := func() string {
			synctest.Wait()
			_, a := first.stored()
			_, b := second.stored()
			return fmt.Sprint(a, " ", b)
		}
		later := func() {
			if !stores[0].Within(newAllowance(1)).RevokeLater(monthAhead(), 0) {
				t.Fatal("there is no room")
			}
			time.Sleep(time.Second)
		}
		later()
		if got := written(); got != "0 0" {
			t.Errorf("before a config runs: %s", got)
		}
		n.memory.Serve(stores[0])
		if got := written(); got != "1 0" {
			t.Errorf("what waited for the first config: %s", got)
		}
		n.memory.Serve(stores[1])
		later()
		if got := written(); got != "1 1" {
			t.Errorf("with the second one: %s", got)
		}
		n.memory.Leave(stores[1]) // which did not start after all
		n.memory.Leave(n.Store)   // which never did
		later()
		if got := written(); got != "2 1" {
			t.Errorf("without it again: %s", got)
		}
	})
}

func TestNoMoreWaitThanThereIsRoomFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		bounded := n.within(newAllowance(0))
		t.Cleanup(n.memory.Close)
		var last ID
		for range maxWaiting {
			last = monthAhead()
			if !bounded.RevokeLater(last, time.Hour) {
				t.Fatal("there is no room")
			}
		}
		if bounded.RevokeLater(monthAhead(), time.Hour) {
			t.Error("there is room without end")
		}
		if !bounded.RevokeLater(last, time.Hour) {
			t.Error("a waiting session is refused")
		}
	})
}

func TestWhatWaitsDoesNotOutliveItsMemory(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		bounded := n.within(newAllowance(100))
		n.memory.Serve(n.Store)
		bounded.RevokeLater(id, time.Hour)
		n.memory.Close()
		synctest.Wait() // and the bubble sees that no goroutine is left
		if bounded.RevokeLater(monthAhead(), time.Hour) {
			t.Error("it takes in what will never be written")
		}
		if calls := n.storage.logSoFar(); slices.ContainsFunc(calls, func(call string) bool { return strings.HasPrefix(call, "store") }) {
			t.Errorf("written: %q", calls)
		}
	})
}

func TestARevocationByRequestOfWhatWaitsTakesItOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.memory.Serve(n.Store)
		t.Cleanup(n.memory.Close)
		allowance := newAllowance(0)
		n.within(allowance).RevokeLater(id, testInterval)
		must(t, n.Revoke(context.Background(), id)) // by a caller with an allowance
		time.Sleep(2 * testInterval)
		synctest.Wait()
		if n.memory.later.has(id) {
			t.Error("it still waits")
		}
		if _, markers := n.stored(); markers != 1 {
			t.Errorf("%d markers", markers)
		}
		allowance.want(t, 0, 0)
	})
}
