package redis

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// pipeline sends calls that come while others are under way together, as one write: a
// call costs little more than the system calls that it takes here and in Redis, and with
// appendfsync always one fsync is for all of them. A call that comes alone is sent at
// once. In a cluster there is none: a call would wait for those to other masters.
type pipeline struct {
	engine *engine

	mutex   sync.Mutex
	waiting []*piped
	sending int       // at most maxSending
	begun   time.Time // the last exchange
}

// piped is a call in a pipeline.
type piped struct {
	ctx    context.Context // of the caller
	script *goredis.Script
	keys   []string
	args   []any

	left   atomic.Bool   // the caller has gone
	done   chan struct{} // closed when what follows is set
	result any
	err    error
}

// say is engine.say for calls that may be sent with others, for timeout at most.
func (p *pipeline) say(ctx context.Context, script *goredis.Script, keys []string, args ...any) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", failure(err)
	}
	timeout := time.NewTimer(p.engine.timeout)
	defer timeout.Stop()
	c := &piped{ctx: ctx, script: script, keys: keys, args: args, done: make(chan struct{})}
	p.add(c)
	select {
	case <-c.done:
		text, err := said(c.result, c.err)
		return text, failure(err)
	case <-timeout.C:
		c.left.Store(true)
		return "", failure(context.DeadlineExceeded)
	case <-ctx.Done():
		c.left.Store(true)
		return "", failure(ctx.Err())
	}
}

func (p *pipeline) add(c *piped) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.waiting = append(p.waiting, c)
	if p.sending == 0 || p.sending < maxSending && time.Since(p.begun) > soon {
		p.sending++
		go p.send()
	}
}

// send sends what waits, until nothing does.
func (p *pipeline) send() {
	runtime.Gosched() // so that requests that are as far as this one join
	for {
		calls := p.next()
		if calls == nil {
			return
		}
		p.exchange(calls)
	}
}

// next are the calls to be sent now, nil if there are none: then send ends.
func (p *pipeline) next() (calls []*piped) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for len(calls) < maxPiped && len(p.waiting) > 0 {
		c := p.waiting[0]
		p.waiting[0], p.waiting = nil, p.waiting[1:]
		if !c.left.Load() {
			calls = append(calls, c)
		}
	}
	if calls == nil {
		p.sending--
		p.waiting = nil
	}
	p.begun = time.Now()
	return calls
}

// exchange sends calls and tells each its result.
func (p *pipeline) exchange(calls []*piped) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(calls[0].ctx), p.engine.timeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			p.engine.clients.discard()
			for _, c := range calls {
				c.result, c.err = nil, panicked(v)
			}
		}
		for _, c := range calls {
			close(c.done)
		}
	}()
	if len(calls) == 1 {
		c := calls[0]
		c.result, c.err = p.engine.run(ctx, c.script, c.keys, c.args...)
		return
	}
	p.engine.runAll(ctx, calls)
}

// runAll is run for several calls.
func (e *engine) runAll(ctx context.Context, calls []*piped) {
	left := e.sendAll(ctx, calls)
	if len(left) == 0 {
		return
	}
	first := left[0] // after which Redis has the script, and is known to be trusted
	first.result, first.err = e.run(ctx, first.script, first.keys, first.args...)
	for _, c := range e.sendAll(ctx, left[1:]) {
		c.result, c.err = e.run(ctx, c.script, c.keys, c.args...)
	}
}

// sendAll sends calls together, and returns those of which Redis has done nothing because
// it did not have the script, or because the connection was refused.
func (e *engine) sendAll(ctx context.Context, calls []*piped) (left []*piped) {
	client, err := e.clients.forSessions()
	if err == nil {
		err = e.trusted(ctx)
	}
	if err != nil {
		for _, c := range calls {
			c.err = err
		}
		return nil
	}
	// The error is that of the first call that has one.
	replies, _ := client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		for _, c := range calls {
			c.script.EvalSha(ctx, pipe, c.keys, c.args...)
		}
		return nil
	})
	for i, c := range calls {
		c.result, c.err = replies[i].(*goredis.Cmd).Result()
		if forbidden(c.err) {
			e.allowed.Store(false) // and Epoch says what is missing
		}
		if _, refused := errors.AsType[*refusal](c.err); refused || goredis.HasErrorPrefix(c.err, "NOSCRIPT") {
			left = append(left, c)
		}
	}
	return left
}

const (
	// maxPiped calls take Redis a few milliseconds.
	maxPiped = 64

	// maxSending is how many pipelines are under way at most: one, and more where the last
	// one is not answered soon, such as after a packet that was lost.
	maxSending = 4
	soon       = 10 * time.Millisecond
)
