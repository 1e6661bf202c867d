package session

import (
	"context"
	"sync"
)

// sharedReading is a reading that callers of about the same moment share. Each gets what
// a reading has found that began after the call, so that it misses nothing that was
// acknowledged before. A caller who is alone reads by itself.
type sharedReading struct {
	mu      sync.Mutex
	running bool
	next    *waitedReading // which begins when the running one has ended; nil: no caller waits
}

// waitedReading is one for callers who came while another one ran.
type waitedReading struct {
	done chan struct{}
	err  error
}

// do returns the error of such a reading. read must end by itself and not panic; it is
// called with the context of one of its callers, or for several without its end.
func (r *sharedReading) do(ctx context.Context, read func(context.Context) error) error {
	r.mu.Lock()
	if !r.running {
		r.running = true
		r.mu.Unlock()
		defer r.begin(ctx, read)
		return read(ctx)
	}
	if r.next == nil {
		r.next = &waitedReading{done: make(chan struct{})}
	}
	waited := r.next
	r.mu.Unlock()
	select {
	case <-waited.done:
		return waited.err
	case <-ctx.Done():
		return unavailable("waiting for a reading", ctx.Err())
	}
}

// begin begins the reading that callers wait for, if there is one.
func (r *sharedReading) begin(ctx context.Context, read func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	waited := r.next
	r.next, r.running = nil, waited != nil
	if waited == nil {
		return
	}
	detached := context.WithoutCancel(ctx)
	go func() {
		defer r.begin(detached, read)
		defer close(waited.done)
		waited.err = read(detached)
	}()
}
