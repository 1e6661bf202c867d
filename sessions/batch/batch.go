// Package batch is for session engines that can send several calls together, so that
// calls made at the same time share one write, one round trip and one wait for the disk.
package batch

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Queue collects the calls that come while others are under way, and sends them together.
// A call that comes alone is sent at once. It is safe for concurrent use.
type Queue[Arguments, Result any] struct {
	send    func(context.Context, []*Call[Arguments, Result])
	most    int
	timeout time.Duration

	mu      sync.Mutex
	waiting []*Call[Arguments, Result]
	sending int       // batches that are under way, at most maxSending
	begun   time.Time // the last of them
	kicks   bool      // a timer will look whether that takes long
}

const (
	// maxSending is how many batches are under way at most: one, and more where the last
	// one is not answered soon, such as after a packet that was lost.
	maxSending = 4
	soon       = 10 * time.Millisecond
)

// New returns a queue that sends no more than most calls together.
//
// Send fills in the result of each call, including any error. Its context ends after the
// timeout, and has nothing of the callers' contexts. Send must return soon after that,
// must not panic, and must not touch the calls after it has returned.
func New[Arguments, Result any](most int, timeout time.Duration, send func(context.Context, []*Call[Arguments, Result])) *Queue[Arguments, Result] {
	return &Queue[Arguments, Result]{send: send, most: max(1, most), timeout: timeout}
}

// Call is one of a batch.
type Call[Arguments, Result any] struct {
	Arguments Arguments
	Result    Result // set by send

	ctx  context.Context // of the caller
	left atomic.Bool     // the caller has gone
	done chan struct{}   // closed when send has returned
}

// Left tells whether the caller has gone, so that the call need not be made. It is false
// for a call that no queue has made.
func (c *Call[Arguments, Result]) Left() bool {
	return c.left.Load() || c.ctx != nil && c.ctx.Err() != nil
}

// Do returns the result of a call. The error is that of the context if it ends before, or
// [context.DeadlineExceeded] after the timeout. A call that still waits when its caller
// leaves is never sent.
func (q *Queue[Arguments, Result]) Do(ctx context.Context, arguments Arguments) (result Result, err error) {
	if err = ctx.Err(); err != nil {
		return result, err
	}
	timeout := time.NewTimer(q.timeout)
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

func (q *Queue[Arguments, Result]) add(c *Call[Arguments, Result]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, c)
	q.begin()
}

// begin begins to send what waits, now or when the last batch has taken long.
func (q *Queue[Arguments, Result]) begin() {
	took := time.Since(q.begun)
	switch {
	case len(q.waiting) == 0 || q.sending == maxSending:
	case q.sending == 0 || took >= soon:
		q.sending++
		go q.sendAll()
	case !q.kicks:
		q.kicks = true
		time.AfterFunc(soon-took, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.kicks = false
			q.begin()
		})
	}
}

// sendAll sends what waits, until nothing does.
func (q *Queue[Arguments, Result]) sendAll() {
	runtime.Gosched() // so that requests that are as far as this one join
	for calls := q.next(); calls != nil; calls = q.next() {
		q.exchange(calls)
	}
}

// next are the calls to be sent now, nil if there are none: then sendAll ends.
func (q *Queue[Arguments, Result]) next() (calls []*Call[Arguments, Result]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(calls) < q.most && len(q.waiting) > 0 {
		c := q.waiting[0]
		q.waiting[0], q.waiting = nil, q.waiting[1:]
		if !c.Left() {
			calls = append(calls, c)
		}
	}
	q.begun = time.Now()
	if calls == nil {
		q.sending--
		q.waiting = nil
	}
	q.begin() // for what is left
	return calls
}

// exchange sends calls and tells each that it has its result, unless send panics.
func (q *Queue[Arguments, Result]) exchange(calls []*Call[Arguments, Result]) {
	ctx, cancel := context.WithTimeout(context.Background(), q.timeout)
	defer cancel()
	q.send(ctx, calls)
	for _, c := range calls {
		close(c.done)
	}
}
