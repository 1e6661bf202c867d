package redis

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// history is what clients of several nodes know of one session.
type history struct {
	id sessions.ID

	mutex     sync.Mutex
	won       map[uint64]string // answers that won, by generation
	attempted map[string]bool   // answers of calls that failed
	highest   uint64            // that was acknowledged
	revoked   bool              // Revoke returned nil
}

// exchange swaps once and checks what it is told against what was told before.
func (h *history) exchange(t *testing.T, e sessions.Engine) error {
	h.mutex.Lock()
	least, revoked := h.highest, h.revoked
	h.mutex.Unlock()
	state, err := e.Load(t.Context(), h.id)
	if err != nil {
		return err
	}
	h.check(t, state, least, revoked)
	answer, next := newAnswer(), state.Generation+1
	h.mutex.Lock()
	h.attempted[answer] = true
	least, revoked = h.highest, h.revoked
	h.mutex.Unlock()
	state, err = e.Swap(t.Context(), h.id, next, answer)
	if err != nil {
		return err
	}
	h.check(t, state, least, revoked)
	if won(state, next, answer) {
		h.mutex.Lock()
		defer h.mutex.Unlock()
		if other := h.won[next]; other != "" && other != answer {
			t.Errorf("two answers won generation %d of %s", next, h.id)
		}
		if h.won[next] = answer; next > h.highest {
			h.highest = next
		}
	}
	return nil
}

func (h *history) check(t *testing.T, state sessions.State, least uint64, revoked bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	switch {
	case state.Revoked:
		return
	case revoked:
		t.Errorf("a revoked session is %+v", state)
	case state.Over || state.Generation < least:
		t.Errorf("generation %d was acknowledged, the state is %+v", least, state)
	case h.won[state.Generation] != "" && h.won[state.Generation] != state.Answer:
		t.Errorf("another answer has won generation %d since", state.Generation)
	case state.Generation > 0 && !h.attempted[state.Answer]:
		t.Errorf("an answer that is from no exchange: %+v", state)
	}
}

// busy has clients of two nodes exchange the tokens of some sessions, and revoke some, while something
// happens.
func busy(t *testing.T, url string, happens func(nodes []sessions.Engine, failing func() int)) {
	t.Helper()
	nodes := []sessions.Engine{open(t, url), open(t, url)}
	epoch := epochOf(t, nodes[0])
	epochOf(t, nodes[1])
	histories := make([]*history, 24)
	for i := range histories {
		histories[i] = &history{id: newID(epoch), won: make(map[uint64]string), attempted: make(map[string]bool)}
	}
	stop := make(chan struct{})
	var group sync.WaitGroup
	var mutex sync.Mutex
	failed, succeeded := 0, 0
	for client := range 8 {
		group.Go(func() {
			for i := client; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				h := histories[i%len(histories)]
				err := h.exchange(t, nodes[client%2])
				if client == 0 && i%50 == 49 && h.id.Random[0] < '4' {
					if nodes[0].Revoke(t.Context(), h.id) == nil {
						h.mutex.Lock()
						h.revoked = true
						h.mutex.Unlock()
					}
				}
				mutex.Lock()
				if err != nil {
					failed++
				} else {
					succeeded++
				}
				mutex.Unlock()
				if errors.Is(err, sessions.ErrDamaged) || errors.Is(err, sessions.ErrOtherEpoch) {
					t.Errorf("%v", err)
					return
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	happens(nodes, func() int { mutex.Lock(); defer mutex.Unlock(); return failed })
	time.Sleep(300 * time.Millisecond)
	close(stop)
	group.Wait()
	t.Logf("%d exchanges, and %d that failed", succeeded, failed)
	if failed == 0 {
		t.Error("nothing failed: nothing was tested")
	}
	feed, _ := read(t, nodes[1], "")
	for _, h := range histories {
		state := load(t, nodes[1], h.id)
		h.check(t, state, h.highest, h.revoked)
		if h.revoked && feed[h.id] == 0 {
			t.Errorf("a revoked session is not in the feed")
		}
		if !state.Revoked {
			swap(t, nodes[0], h.id, state.Generation+1)
		}
	}
	if now := epochOf(t, nodes[0]); now != epoch {
		t.Errorf("another epoch")
	}
}

// untilFailing waits until a call has failed.
func untilFailing(t *testing.T, failing func() int) {
	t.Helper()
	before := failing()
	for range 1000 {
		if failing() > before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("no call failed")
}
