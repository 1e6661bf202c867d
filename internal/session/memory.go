package session

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Memory is what a process knows about the sessions of one server in addition to what
// is in storage: whose turn it is, which answers were never handed out, the view of
// revocations, and those that wait to be written. All Stores of the same sessions share
// one, also across a reload of the config. It runs goroutines only while a revocation
// waits, and for a reading that takes long.
type Memory struct {
	mutexes     mutexes // of exchanges
	revoking    mutexes // of revocations, taken before those of exchanges
	undelivered undelivered
	view        view
	later       later
	paid        paid
	asked       asked
	notices     notices
	endedKeys   endedKeys
	engines     allEngines

	witnessed atomic.Bool // the storage has had its witness, see WithWitness

	slots                      slots // for what runs in storage
	revocations                slots // for revocations, each of which then takes one of slots
	owning                     slots // for notes of owners, without which an exchange goes on
	polling, reading, sweeping sync.Mutex
	background                 atomic.Pointer[backgroundReading] // the last one
	sweepDue                   map[string]string                 // hours of the feed to the day after which half their entries can go
}

// NewMemory returns an empty memory.
func NewMemory() *Memory {
	return &Memory{
		mutexes:     mutexes{held: make(map[ID]*mutex)},
		revoking:    mutexes{held: make(map[ID]*mutex)},
		undelivered: undelivered{answers: make(map[ID]answer)},
		view:        newView(),
		later:       newLater(),
		paid:        newPaid(),
		asked:       newAsked(),
		engines:     allEngines{all: make(map[engineIdentity]*engineKnowledge)},
		slots:       make(slots, maxCalls),
		revocations: make(slots, maxCalls/2),
		owning:      make(slots, maxCalls),
	}
}

// Witnessed tells whether the storage was ever seen to be the one with the sessions,
// see WithWitness.
func (m *Memory) Witnessed() bool { return m.witnessed.Load() }

// slots are for what runs in storage: take waits for one, give returns it. So a storage
// that hangs holds up a bounded number of goroutines.
type slots chan struct{}

func (s slots) take(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return unavailable("waiting for other calls", ctx.Err())
	}
}

func (s slots) give() { <-s }

// call is callAt of the storage, with one of its slots.
func call[T any](ctx context.Context, m *Memory, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	return callAt(ctx, theStorage, limit, f, m.slots)
}

// callAt runs f in its own goroutine, with a slot of each, and waits for it no longer
// than the limit and the context allow: not every storage obeys its context. A caller
// that leaves early gets ErrUnavailable; f goes on. at is for the errors.
func callAt[T any](ctx context.Context, at string, limit time.Duration, f func(context.Context) (T, error), each ...slots) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	ctx, cancel := context.WithTimeout(ctx, limit)
	for i, in := range each {
		if err := in.take(ctx); err != nil {
			giveAll(each[:i])
			cancel()
			return none, fmt.Errorf("%w, in %s", err, at)
		}
	}
	done := make(chan result, 1)
	go func() {
		defer cancel()
		defer giveAll(each)
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = unavailable("using it", fmt.Errorf("[PANIC] %T in %s\n%s", p, at, debug.Stack()))
			}
			done <- r
		}()
		r.value, r.err = f(ctx)
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done: // at the last moment
		return r.value, r.err
	default:
		return none, unavailable("waiting for "+at, ctx.Err())
	}
}

func giveAll(each []slots) {
	for _, in := range each {
		in.give()
	}
}

// mutexes is one mutex per session, which exists while a caller has it or waits for it.
type mutexes struct {
	mu   sync.Mutex
	held map[ID]*mutex
}

type mutex struct {
	free  chan struct{} // holds one token while the mutex is free
	users int
}

// lock takes the mutex of a session, or gives up when the context ends. It tells
// whether another caller had it before.
func (m *mutexes) lock(ctx context.Context, id ID) (unlock func(), waited bool, err error) {
	m.mu.Lock()
	x := m.held[id]
	if waited = x != nil; !waited {
		x = &mutex{free: make(chan struct{}, 1)}
		x.free <- struct{}{}
		m.held[id] = x
	}
	x.users++
	m.mu.Unlock()

	leave := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if x.users--; x.users == 0 {
			delete(m.held, id)
		}
	}
	select {
	case <-x.free:
		return func() {
			x.free <- struct{}{}
			leave()
		}, waited, nil
	case <-ctx.Done():
		leave()
		return nil, waited, ctx.Err()
	}
}

const (
	// maxCalls is how many calls may be in storage at a time, and in each engine.
	maxCalls = 256

	// theStorage is what errors of callAt call the storage.
	theStorage = "the storage"
)
