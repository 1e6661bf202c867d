package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/oneline"
)

// Rotate exchanges a generation for the next one. Within the grace after that, and as
// long as this process knows that its answer was never handed out, the generation that
// was exchanged last gets the current one again; any other generation is refused, see
// the errors. After ErrUnavailable the generation is what it was before, as far as this
// process can see to it. The caller revokes the session after ErrReused, and after
// ErrAhead and ErrDamaged by RevokeLost.
//
// A caller that has just learned from Check or Glance that the generation is the
// current one says so, which saves another look before the lock. The context ends the
// waiting, not what was begun: a caller that hangs up leaves no half-finished exchange
// behind.
func (s *Store) Rotate(ctx context.Context, id ID, generation uint64, grace time.Duration, current bool) (uint64, error) {
	switch e, err := s.engineOf(id); {
	case err != nil:
		return 0, err
	case e != nil:
		return s.rotateIn(ctx, e, id, generation, grace)
	}
	ctx, cancel := context.WithTimeout(ctx, rotateLimit)
	defer cancel()
	unlock, waited, err := s.memory.mutexes.lock(ctx, id)
	if err != nil {
		return 0, unavailable("waiting for another exchange of the session", err)
	}
	if err := s.memory.slots.take(ctx); err != nil {
		unlock()
		return 0, err
	}
	h := &handover{done: make(chan struct{})}
	go func() {
		defer s.memory.slots.give()
		defer unlock()
		e, lock, err := s.exchange(ctx, id, generation, grace, current && !waited)
		h.settle(ctx, e.Generation, err, func() { s.memory.undelivered.forget(id) })
		s.release(ctx, lock) // for which the caller need not wait
	}()
	return h.wait(ctx)
}

// exchange is Rotate in the goroutine that has the session's mutex. The lock is empty,
// or one that it left to be released. The context is the caller's: just before the
// write it tells whether the caller is still there, but it bounds nothing.
func (s *Store) exchange(ctx context.Context, id ID, generation uint64, grace time.Duration, current bool) (e record, lock string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = unavailable("exchanging a generation", fmt.Errorf("[PANIC] %T in the storage\n%s", p, debug.Stack()))
		}
	}()
	if !current { // most refused generations, and retries, need no lock to find out
		reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), readLimit)
		defer cancel()
		if again, done, err := s.retried(reading, id, generation, grace); done {
			return again, "", err
		}
	}
	locking, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockWait)
	defer cancel()
	name := s.lockKey(id, generation)
	if err := s.storage.Lock(locking, name); err != nil {
		return record{}, "", unavailable("locking "+name, err)
	}
	lock = name // not before it is held: Lock may fail, or panic
	e, err = s.advance(ctx, id, generation, grace)
	return e, lock, err
}

// release gives a lock back. If that fails, what was written stands, and the lock goes
// stale by itself.
func (s *Store) release(ctx context.Context, lock string) {
	if lock == "" {
		return
	}
	defer func() { _ = recover() }()
	unlocking, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockWait)
	defer cancel()
	_ = s.storage.Unlock(unlocking, lock)
}

// retried returns the current record if the generation gets it again, or why the
// generation is refused. It is not done where the generation has to be exchanged. Where
// the record says that the generation is the current one, it reads nothing else, since
// the exchange does so after its write, see confirm.
func (s *Store) retried(ctx context.Context, id ID, generation uint64, grace time.Duration) (again record, done bool, err error) {
	if generation > 0 {
		if st, current, err := s.readCurrent(ctx, id, generation); current || err != nil {
			return st.record, err != nil, err
		}
	}
	st, due, err := s.look(ctx, id, generation, grace)
	if err != nil {
		return record{}, true, err
	}
	return st.record, due != generation, nil
}

// advance makes the next generation, alone among all nodes: it has the storage's lock.
func (s *Store) advance(caller context.Context, id ID, generation uint64, grace time.Duration) (record, error) {
	ctx := context.WithoutCancel(caller)
	name := s.recordKey(id)
	held, cancel := context.WithTimeout(ctx, lockHold)
	defer cancel()

	former, done, err := s.retried(held, id, generation, grace)
	if done {
		return former, err
	}
	if err := clock.Expired(caller); err != nil { // the caller would not get it, and its retry may go to another node
		return record{}, unavailable("exchanging a generation", err)
	}
	// An earlier attempt may have failed and yet take effect later. Then it is the same
	// answer.
	answerID := s.memory.undelivered.pending(id, generation+1)
	if answerID == "" {
		answerID = newAnswer()
	}
	next := record{Generation: generation + 1, Answer: answerID, Rotated: s.now().UnixMilli(), Subject: s.owner.Subject, Client: s.owner.Client, Session: s.owner.Version}
	// A lock whose holder was suspended may have another holder by now. Not every
	// storage asks the context itself.
	if err := clock.Expired(held); err != nil {
		return record{}, unavailable("storing "+name, err)
	}
	first := next.Generation == 1 // which makes the record
	if first {
		if err := s.take(); err != nil {
			return record{}, err
		}
	}
	if former.Subject == "" { // the first, or of an earlier version
		defer s.own(ctx, id)()
	}
	// From here on until the caller has the new generation, the process remembers that
	// it was not delivered.
	s.memory.undelivered.remember(id, next)
	err = s.storage.Store(held, name, encodeRecord(next))
	s.memory.undelivered.remember(id, next) // starts the time again, since the write may have taken long
	err = s.confirm(ctx, held, id, next, err)
	if first && errors.Is(err, errNotStored) {
		s.giveBack()
	}
	return next, err
}

// confirm finds out whether a record is in storage: that decides, not what Store
// returned. It also looks at whatever says that the session is over, unless that was
// looked at before the write and has not come since: the mark of a swept day, at a first
// exchange. If the session was revoked, the record is made to say so again, which is
// right at any time.
func (s *Store) confirm(ctx, held context.Context, id ID, next record, stored error) error {
	late := clock.Expired(held) // another holder of the lock may have handed out this generation
	reading, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	st, err := s.readRecord(reading, id)
	switch {
	case err != nil || st.revoked:
	case next.Generation == 1:
		if err = s.readMarker(reading, id, &st); err == nil && !st.revoked {
			st.revoked, _ = s.memory.InView(id)
		}
	default:
		err = s.readMarks(reading, id, &st)
	}
	switch {
	case st.revoked && !st.buried():
		_ = s.storage.Store(reading, s.recordKey(id), revocation(s.now())) // otherwise only its marker says so
		return ErrRevoked
	case st.revoked:
		return ErrRevoked
	case st.swept:
		return ErrOver
	case err != nil || late != nil:
		return unavailable("storing a session", oneline.Join(stored, late, err))
	case st.Answer != next.Answer && stored == nil:
		return unavailable("storing a session", errors.New("storage has something other than what was stored in it"))
	case st.Answer != next.Answer:
		return unavailable("storing a session", oneline.Join(stored, errNotStored))
	}
	return nil
}

// errNotStored says that a record is certainly not in storage.
var errNotStored = errors.New("the record was not stored")

// handover passes a result to the caller who waits for it, or finds out that the caller
// has left.
type handover struct {
	mu         sync.Mutex
	generation uint64
	err        error
	done       chan struct{}
}

// settle leaves the result. If it is a generation and the caller is still there to take
// it, delivered runs first.
func (h *handover) settle(ctx context.Context, generation uint64, err error, delivered func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if left := clock.Expired(ctx); err == nil && left != nil {
		err = unavailable("exchanging a generation", left)
	}
	if err == nil {
		delivered()
	}
	h.generation, h.err = generation, err
	close(h.done)
}

// wait returns the result, or leaves when the context ends.
func (h *handover) wait(ctx context.Context) (uint64, error) {
	select {
	case <-h.done:
	case <-ctx.Done():
		h.mu.Lock() // either settle has not begun, and will find the context ended, or it is done
		defer h.mu.Unlock()
		select {
		case <-h.done:
		default:
			return 0, unavailable("exchanging a generation", ctx.Err())
		}
	}
	if h.err != nil {
		return 0, h.err
	}
	return h.generation, nil
}

func newAnswer() string {
	answer := make([]byte, 16)
	rand.Read(answer) // never fails: it crashes the program instead
	return hex.EncodeToString(answer)
}

const (
	// rotateLimit is how long a caller of Rotate waits at most.
	rotateLimit = 10 * time.Second

	// lockWait is shorter than the time after which a file system's lock goes stale,
	// since a killed holder is not a reason to keep clients waiting: they try again.
	lockWait = 5 * time.Second

	// lockHold bounds the work under the storage lock, well below the 10 seconds after
	// which a file system's lock goes stale and can have two holders.
	lockHold = 5 * time.Second

	unlockWait = 5 * time.Second
)
