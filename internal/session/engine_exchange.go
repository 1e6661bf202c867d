package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/sessions"
)

// checkIn is Check for a session in an engine.
func (s *Store) checkIn(ctx context.Context, e *engine, id ID, generation uint64, grace time.Duration) (current bool, err error) {
	return callEngine(ctx, e, readLimit, func(ctx context.Context) (bool, error) {
		st, err := e.load(ctx, id)
		if err != nil {
			return false, err
		}
		due, err := s.judgeIn(id, st, generation, grace)
		return err == nil && due == generation, err
	})
}

// glanceIn is Glance for a session in an engine. The engine is asked only once for an
// exchange, by Rotate.
func (s *Store) glanceIn(id ID) (current bool, err error) {
	if revoked, _ := s.memory.InView(id); revoked {
		return false, ErrRevoked
	}
	return true, nil
}

// revokedIn is Revoked for a session in an engine.
func (s *Store) revokedIn(ctx context.Context, e *engine, id ID) (bool, error) {
	if revoked, _ := s.memory.InView(id); revoked { // a fail-over may have lost that
		return true, nil
	}
	return callEngine(ctx, e, readLimit, func(ctx context.Context) (bool, error) {
		st, err := e.load(ctx, id)
		if errors.Is(err, ErrDamaged) {
			return true, nil // it cannot be determined, and no refresh will succeed
		}
		return st.Revoked || st.Over, err
	})
}

// rotateIn is Rotate for a session in an engine. Exchanges of one session take turns in
// this process: two of them at a time would have the same answer, and both would win.
func (s *Store) rotateIn(ctx context.Context, e *engine, id ID, generation uint64, grace time.Duration) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, rotateLimit)
	defer cancel()
	unlock, _, err := s.memory.mutexes.lock(ctx, id)
	if err != nil {
		return 0, unavailable("waiting for another exchange of the session", err)
	}
	if err := e.known.slots.take(ctx); err != nil {
		unlock()
		return 0, err
	}
	h := &handover{done: make(chan struct{})}
	go func() {
		defer e.known.slots.give()
		defer unlock()
		got, err := s.swap(ctx, e, id, generation, grace)
		h.settle(ctx, got, err, func() { s.memory.undelivered.forget(id) })
	}()
	return h.wait(ctx)
}

// swap is rotateIn in the goroutine that has the session's mutex. The context is the
// caller's: it bounds nothing that has begun.
func (s *Store) swap(caller context.Context, e *engine, id ID, generation uint64, grace time.Duration) (got uint64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = e.unavailable("exchanging a generation", fmt.Errorf("[PANIC] %T\n%s", p, debug.Stack()))
		}
	}()
	if revoked, _ := s.memory.InView(id); revoked {
		return 0, ErrRevoked
	}
	if err := clock.Expired(caller); err != nil { // the caller would not get it, and its retry may go to another node
		return 0, e.unavailable("exchanging a generation", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), swapLimit)
	defer cancel()
	if s.memory.undelivered.beyond(id, generation+1) { // so this one is spent, and what is remembered must stay
		return s.again(ctx, e, id, generation, grace)
	}
	next := record{Generation: generation + 1, Answer: s.memory.undelivered.pending(id, generation+1)}
	repeated := next.Answer != "" // an earlier attempt failed, and may have taken effect: then this is the same one
	if !repeated {
		next.Answer = newAnswer()
	}
	first := generation == 0 // which makes the record
	if first && !repeated {
		if err := s.take(); err != nil {
			return 0, err
		}
	}
	s.memory.undelivered.remember(id, next)
	st, err := e.Swap(ctx, id.inEngine(), next.Generation, next.Answer)
	s.memory.undelivered.remember(id, next) // starts the time again, since the call may have taken long
	st, err = e.stated("exchanging a generation", st, err)
	if errors.Is(err, ErrUnavailable) {
		return 0, err
	}
	if err == nil && !st.Revoked && !st.Over && st.Generation == next.Generation && st.Answer == next.Answer {
		if first {
			s.own(caller, id)()
		}
		return next.Generation, nil
	}
	s.memory.undelivered.forget(id)
	if first && !repeated {
		s.giveBack()
	}
	if err != nil {
		return 0, err
	}
	return s.spent(e, id, st, generation, grace)
}

// again is swap for a generation that is spent for certain.
func (s *Store) again(ctx context.Context, e *engine, id ID, generation uint64, grace time.Duration) (got uint64, err error) {
	st, err := e.load(ctx, id)
	if err != nil {
		return 0, err
	}
	return s.spent(e, id, st, generation, grace)
}

// spent is judgeIn where the generation was not exchanged now.
func (s *Store) spent(e *engine, id ID, st sessions.State, generation uint64, grace time.Duration) (got uint64, err error) {
	due, err := s.judgeIn(id, st, generation, grace)
	if err == nil && due == generation {
		return 0, e.unavailable("exchanging a generation", errors.New("it neither did so nor says why"))
	}
	return due, err
}

// judgeIn is judge for the state that an engine has. An engine with the epoch of the
// session has lost nothing unnoticed but what a fail-over loses.
func (s *Store) judgeIn(id ID, st sessions.State, generation uint64, grace time.Duration) (uint64, error) {
	inView, _ := s.memory.InView(id)
	switch {
	case st.Revoked || inView:
		return 0, ErrRevoked
	case st.Over:
		return 0, ErrOver
	case generation == st.Generation:
		return generation, nil
	case generation > st.Generation:
		return 0, ErrAhead
	case generation+1 == st.Generation &&
		(grace > 0 && st.Age <= grace || s.memory.undelivered.has(id, record{Generation: st.Generation, Answer: st.Answer})):
		return st.Generation, nil
	}
	return 0, ErrReused
}

// swapLimit is how long an engine has for an exchange. What it does later counts as an
// answer that was not delivered.
const swapLimit = 5 * time.Second
