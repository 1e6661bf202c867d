package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// One session that many callers revoke at once, as by a spent token that is sent again
// and again.
func TestRevocationsOfOneSessionAtOnceCostOneAllowanceAndOnePlace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		allowance := newAllowance(100)
		n := newNode(newShelf()).within(allowance)
		id, other := monthAhead(), monthAhead()
		n.wantRotated(t, other, 0, 0, 1)
		synctest.Wait()
		n.storage.add(&rule{fault: fine, before: func() { time.Sleep(20 * time.Millisecond) }})
		var revoking sync.WaitGroup
		for range 2 * maxCalls {
			revoking.Go(func() {
				if err := n.Revoke(t.Context(), id); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if used := len(n.memory.slots); used > 1 {
			t.Errorf("they use %d of the places in the storage", used)
		}
		n.wantRotated(t, other, 1, 0, 2)
		revoking.Wait()
		allowance.want(t, 2, 0)
	})
}

// An exchange has its session and waits for a place in the storage; revocations have
// places and wait for their session.
func TestExchangesAndRevocationsDoNotWaitForEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		ids := make([]ID, 2*maxCalls)
		hold := make(chan struct{})
		n.storage.add(&rule{op: "load", part: markerSuffix, times: len(ids), fault: fine, before: func() { <-hold }})
		var all sync.WaitGroup
		for i := range ids {
			ids[i] = monthAhead()
			all.Go(func() { _ = n.Revoke(context.Background(), ids[i]) })
		}
		synctest.Wait()
		for i := range ids {
			all.Go(func() {
				if _, err := n.Rotate(context.Background(), ids[i], 0, 0, true); err != nil && !errors.Is(err, ErrRevoked) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		n.storage.recovers()
		close(hold)
		if _, err := n.Check(t.Context(), monthAhead(), 0, 0); err != nil {
			t.Errorf("another session: %v", err)
		}
		all.Wait()
	})
}

// A session that is already over here, for a reason that waits to be written, can turn
// out to be lost.
func TestALostSessionThatWaitsToBeRevokedIsRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.wantRotated(t, id, 0, 0, 1)
		if _, err := n.Check(t.Context(), id, 3, 0); !errors.Is(err, ErrAhead) {
			t.Fatal(err)
		}
		bounded := n.within(newAllowance(0))
		if !bounded.RevokeLater(id, time.Hour) {
			t.Fatal("it does not wait")
		}
		must(t, n.RevokeLost(t.Context(), id, 3))
		n.restart().wantRefused(t, id, 1, 0, ErrRevoked)
		n.memory.Close()
	})
}
