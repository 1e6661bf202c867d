package session

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// use is what the caller does with a refresh token: check, exchange, and end the
// session of a stolen token.
func (n *node) use(t *testing.T, id ID, generation uint64, grace time.Duration) (uint64, error) {
	err := n.check(t.Context(), id, generation, grace)
	var got uint64
	if err == nil {
		got, err = n.Rotate(t.Context(), id, generation, grace, false)
	}
	if errors.Is(err, ErrReused) || errors.Is(err, ErrAhead) || errors.Is(err, ErrDamaged) {
		if err := n.Revoke(t.Context(), id); err != nil {
			return 0, err
		}
	}
	return got, err
}

// G11: several nodes that share a file storage, and parallel uses of one token at all
// of them.
func TestParallelUsesOfOneGenerationAtSeveralNodes(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Minute} {
		for _, before := range []uint64{0, 2} {
			t.Run(fmt.Sprintf("grace %s after %d exchanges", grace, before), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					storage := newFileStorage(t)
					nodes := []*node{newNode(storage), newNode(storage), newNode(storage)}
					id := monthAhead()
					for generation := range before {
						nodes[0].wantRotated(t, id, generation, grace, generation+1)
					}
					const users = 24
					var mu sync.Mutex
					var using sync.WaitGroup
					successes := 0
					for i := range users {
						using.Go(func() {
							got, err := nodes[i%len(nodes)].use(t, id, before, grace)
							mu.Lock()
							defer mu.Unlock()
							switch {
							case err == nil && got == before+1:
								successes++
							case err == nil:
								t.Errorf("got generation %d, want %d", got, before+1)
							case grace > 0:
								t.Errorf("error %v", err)
							case !errors.Is(err, ErrReused) && !errors.Is(err, ErrRevoked):
								t.Errorf("error %v", err)
							}
						})
					}
					using.Wait()
					if grace > 0 {
						if successes != users {
							t.Errorf("%d successes, want %d", successes, users)
						}
						nodes[1].wantRotated(t, id, before+1, grace, before+2)
						return
					}
					if successes > 1 {
						t.Errorf("%d successes, want one at most", successes)
					}
					for _, n := range nodes {
						n.wantRefused(t, id, before+1, grace, ErrRevoked)
					}
				})
			})
		}
	}
}

// G11: clients that hammer one session at two nodes, each with the newest token that it
// has seen. Without a grace every generation is handed out once.
func TestTwoNodesHammeredWithOneSession(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Minute} {
		t.Run(fmt.Sprint("grace ", grace), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage := newFileStorage(t)
				nodes := []*node{newNode(storage), newNode(storage)}
				id := monthAhead()
				var mu sync.Mutex
				var newest uint64
				handedOut := make(map[uint64]int)
				var using sync.WaitGroup
				for i := range 6 {
					using.Go(func() {
						for range 12 {
							mu.Lock()
							generation := newest
							mu.Unlock()
							got, err := nodes[i%2].Rotate(t.Context(), id, generation, grace, false)
							mu.Lock()
							switch {
							case err == nil && got == generation+1:
								handedOut[got]++
								newest = max(newest, got)
							case err == nil:
								t.Errorf("generation %d gave %d", generation, got)
							case !errors.Is(err, ErrReused) && !errors.Is(err, ErrUnavailable):
								t.Errorf("error %v", err)
							}
							mu.Unlock()
						}
					})
				}
				using.Wait()
				for generation := uint64(1); generation <= newest; generation++ {
					if n := handedOut[generation]; n < 1 || n > 1 && grace == 0 {
						t.Errorf("generation %d was handed out %d times", generation, n)
					}
				}
				nodes[0].wantRotated(t, id, newest, grace, newest+1)
			})
		})
	}
}

// G11 with revocations in between: when Revoke has returned, no node hands out anything
// more.
func TestNothingIsHandedOutAfterARevocationAtAnotherNode(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newFileStorage(t)
		nodes := []*node{newNode(storage), newNode(storage)}
		for range 8 {
			id := monthAhead()
			revoked := make(chan struct{})
			var using sync.WaitGroup
			using.Go(func() {
				if err := nodes[1].Revoke(t.Context(), id); err != nil {
					t.Error(err)
				}
				close(revoked)
			})
			using.Go(func() {
				for generation := uint64(0); ; generation++ {
					after := false
					select {
					case <-revoked:
						after = true
					default:
					}
					_, err := nodes[0].Rotate(t.Context(), id, generation, time.Minute, false)
					if err != nil {
						if !errors.Is(err, ErrRevoked) {
							t.Errorf("error %v", err)
						}
						return
					}
					if after {
						t.Error("an exchange after the revocation succeeded")
						return
					}
				}
			})
			using.Wait()
		}
	})
}
