// Package batch is for engines of sessions: calls of a moment are sent together, so that
// they share a write, an answer, and a wait for the disk.
package batch

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Queue sends calls that come while others are under way together. A call that comes alone
// is sent at once. It is safe for concurrent use, and must not be copied after its first.
type Queue[Arguments, Result any] struct {
	// Send sends calls, at least one and at most Most, and fills in the result of each. Its
	// context ends after Timeout. It must return by itself, and not panic.
	Send func(context.Context, []*Call[Arguments, Result])

	// Most is how many calls are sent together at most.
	Most int

	// Timeout is how long a caller waits at most, the wait in the queue included.
	Timeout time.Duration

	mu      sync.Mutex
	waiting []*Call[Arguments, Result]
	sending int       // at most maxSending
	begun   time.Time // the last batch
}

// Call is one of a batch.
type Call[Arguments, Result any] struct {
	Arguments Arguments
	Result    Result

	ctx  context.Context // of the caller
	left atomic.Bool     // the caller has gone
	done chan struct{}   // closed when Send has returned
}

const (
	// maxSending is how many batches are under way at most: one, and more where the last
	// one is not answered soon, such as after a packet that was lost.
	maxSending = 4
	soon       = 10 * time.Millisecond
)

// Do returns what Send has filled in, or the context's error if the context or the timeout
// ends before. A call whose caller has gone is not sent if it was not yet.
func (q *Queue[Arguments, Result]) Do(ctx context.Context, arguments Arguments) (result Result, err error) {
	if err = ctx.Err(); err != nil {
		return result, err
	}
	timeout := time.NewTimer(q.Timeout)
	defer timeout.Stop()
	c := &Call[Arguments, Result]{Arguments: arguments, ctx: ctx, done: make(chan struct{})}
	q.add(c)
	select {
	case <-c.done:
		return c.Result, nil
	case <-timeout.C:
		err = context.DeadlineExceeded
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.left.Store(true)
	return result, err
}

// Waiting is how many calls were not sent yet.
func (q *Queue[Arguments, Result]) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

func (q *Queue[Arguments, Result]) add(c *Call[Arguments, Result]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, c)
	if q.sending == 0 || q.sending < maxSending && time.Since(q.begun) > soon {
		q.sending++
		go q.send()
	}
}

// send sends what waits, until nothing does.
func (q *Queue[Arguments, Result]) send() {
	runtime.Gosched() // so that requests that are as far as this one join
	for calls := q.next(); calls != nil; calls = q.next() {
		q.exchange(calls)
	}
}

// next are the calls to be sent now, nil if there are none: then send ends.
func (q *Queue[Arguments, Result]) next() (calls []*Call[Arguments, Result]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(calls) < q.Most && len(q.waiting) > 0 {
		c := q.waiting[0]
		q.waiting[0], q.waiting = nil, q.waiting[1:]
		if !c.left.Load() {
			calls = append(calls, c)
		}
	}
	if calls == nil {
		q.sending--
		q.waiting = nil
	}
	q.begun = time.Now()
	return calls
}

// exchange sends calls and tells each that it has a result.
func (q *Queue[Arguments, Result]) exchange(calls []*Call[Arguments, Result]) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(calls[0].ctx), q.Timeout)
	defer cancel()
	defer func() {
		for _, c := range calls {
			close(c.done)
		}
	}()
	q.Send(ctx, calls)
}
