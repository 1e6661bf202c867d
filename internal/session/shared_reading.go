package session

import (
	"context"
	"runtime"
	"sync"
)

// sharedReading is a reading that callers of about the same moment share. Each gets what
// a reading has found that began after the call, so that it misses nothing that was
// acknowledged before.
type sharedReading struct {
	mu      sync.Mutex
	running bool           // or about to
	next    *waitedReading // which has not begun; nil: no caller waits
}

// waitedReading is one that callers wait for.
type waitedReading struct {
	done    chan struct{}
	callers int
	err     error
}

// do returns the error of such a reading. read must end by itself and not panic; it is
// called with the context of its caller, or for several without its end.
func (r *sharedReading) do(ctx context.Context, read func(context.Context) error) error {
	waited, begins := r.join()
	if begins {
		runtime.Gosched() // so that requests that are as far as this one join
		if r.begin().callers == 1 {
			defer r.end(waited, ctx, read)
			waited.err = read(ctx)
			return waited.err
		}
		go r.run(waited, context.WithoutCancel(ctx), read)
	}
	select {
	case <-waited.done:
		return waited.err
	case <-ctx.Done():
		return unavailable("waiting for a reading", ctx.Err())
	}
}

// join returns the reading that a caller waits for, and whether the caller begins it.
func (r *sharedReading) join() (waited *waitedReading, begins bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = &waitedReading{done: make(chan struct{})}
	}
	r.next.callers++
	begins = !r.running
	r.running = true
	return r.next, begins
}

// begin returns the reading that begins now. Later callers join the next one.
func (r *sharedReading) begin() *waitedReading {
	r.mu.Lock()
	defer r.mu.Unlock()
	begun := r.next
	r.next = nil
	return begun
}

func (r *sharedReading) run(waited *waitedReading, ctx context.Context, read func(context.Context) error) {
	defer r.end(waited, ctx, read)
	waited.err = read(ctx)
}

// end tells callers that a reading has ended, and begins the next one that callers wait
// for.
func (r *sharedReading) end(waited *waitedReading, ctx context.Context, read func(context.Context) error) {
	close(waited.done)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running = r.next != nil; r.running {
		next := r.next
		r.next = nil
		go r.run(next, context.WithoutCancel(ctx), read)
	}
}
