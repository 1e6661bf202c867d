package sessionstest

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddygrant/caddy-grant/sessions"
)

// parallelSwaps has clients that use one token at the same time at two nodes.
func (s suite) parallelSwaps(t *testing.T) {
	w := s.begin(t)
	nodes := []*checked{w.a, w.b}
	for i := range s.size.sessions {
		id := w.id()
		next := uint64(1)
		if i%2 == 1 {
			w.a.wins(t, id, next)
			next++
		}
		answers := make([]string, s.size.uses)
		states := make([]sessions.State, s.size.uses)
		inParallel(s.size.uses, func(use int) {
			answers[use] = newAnswer()
			var err error
			if states[use], err = nodes[use%2].Swap(t.Context(), id, next, answers[use]); err != nil {
				t.Errorf("Swap to %d: %v", next, err)
			}
		})
		if t.Failed() {
			return
		}
		winners := 0
		for use, st := range states {
			if won(st, next, answers[use]) {
				winners++
			}
			if !same(st, states[0]) {
				t.Errorf("one swap returned %s, another %s", describe(states[0]), describe(st))
			}
		}
		if winners != 1 {
			t.Fatalf("%d of %d swaps won generation %d", winners, s.size.uses, next)
		}
		w.b.has(t, id, states[0])
	}
}

func (s suite) parallelRepeats(t *testing.T) {
	w := s.begin(t)
	nodes := []*checked{w.a, w.b}
	for range s.size.sessions / 4 {
		id, answer := w.id(), newAnswer()
		inParallel(s.size.uses/2, func(use int) {
			st, err := nodes[use%2].Swap(t.Context(), id, 1, answer)
			if err != nil || !won(st, 1, answer) {
				t.Errorf("Swap: %s, %v", describe(st), err)
			}
		})
		if t.Failed() {
			return
		}
		w.b.has(t, id, at(1, answer))
	}
}

// hammered has clients that use the newest token that any of them got.
func (s suite) hammered(t *testing.T) {
	w := s.begin(t)
	nodes := []*checked{w.a, w.b, w.open(t)}
	id := w.id()
	var newest atomic.Uint64
	var mu sync.Mutex
	winners := make(map[uint64]string)
	inParallel(s.size.writers, func(worker int) {
		for range s.size.uses {
			next, answer := newest.Load()+1, newAnswer()
			st, err := nodes[worker%3].Swap(t.Context(), id, next, answer)
			if err != nil {
				t.Errorf("Swap to %d: %v", next, err)
				return
			}
			if st.Generation < next {
				t.Errorf("Swap to %d: %s, though generation %d was there before", next, describe(st), next-1)
				return
			}
			mu.Lock()
			if won(st, next, answer) {
				if winners[next] != "" {
					t.Errorf("two swaps won generation %d", next)
				}
				winners[next] = answer
				newest.Store(max(newest.Load(), next))
			} else if winner := winners[st.Generation]; winner != "" && winner != st.Answer {
				t.Errorf("generation %d is by %s, and was won by %s", st.Generation, st.Answer, winner)
			}
			mu.Unlock()
		}
	})
	last := newest.Load()
	if uint64(len(winners)) != last {
		t.Errorf("%d swaps won, and the newest generation is %d", len(winners), last)
	}
	w.b.has(t, id, at(last, winners[last]))
}

func (s suite) many(t *testing.T) {
	w := s.begin(t)
	nodes := []*checked{w.a, w.b}
	inParallel(s.size.writers, func(worker int) {
		for i := range s.size.sessions / s.size.writers * 2 {
			id := w.id()
			answer := newAnswer()
			for next := uint64(1); next <= 4; next++ {
				st, err := nodes[(worker+int(next))%2].Swap(t.Context(), id, next, answer)
				if err != nil || !won(st, next, answer) {
					t.Errorf("session %d of worker %d: swap to %d: %s, %v", i, worker, next, describe(st), err)
					return
				}
			}
			st, err := nodes[i%2].Load(t.Context(), id)
			if err != nil || !same(st, at(4, answer)) {
				t.Errorf("session %d of worker %d: %s, %v", i, worker, describe(st), err)
				return
			}
		}
	})
}

func (s suite) revokedMeanwhile(t *testing.T) {
	w := s.begin(t)
	for i := range s.size.sessions / 2 {
		id := w.id()
		var returned, reached atomic.Bool
		swapping := make(chan struct{})
		inParallel(4, func(worker int) {
			if worker == 0 {
				if i%2 == 1 {
					<-swapping // so that there is a record
				}
				if err := w.b.Revoke(t.Context(), id); err != nil {
					t.Errorf("Revoke: %v", err)
				}
				returned.Store(true)
				return
			}
			for next := uint64(1); ; {
				after, answer := returned.Load(), newAnswer()
				st, err := w.a.Swap(t.Context(), id, next, answer)
				if reached.CompareAndSwap(false, true) {
					close(swapping)
				}
				switch {
				case err != nil:
					t.Errorf("Swap: %v", err)
					return
				case st.Revoked:
					return
				case after:
					t.Errorf("Swap: %s, after Revoke has returned", describe(st))
					return
				}
				next = st.Generation + 1
			}
		})
		if t.Failed() {
			return
		}
		w.a.has(t, id, isRevoked)
	}
}
