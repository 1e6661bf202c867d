package redis

import (
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/sessions/batch"
)

// piped is a call of a script that may be sent with others, as one write: a call costs
// little more than the system calls that it takes here and in Redis, and with appendfsync
// always one fsync is for all of them. In a cluster there is no pipeline: a call would wait
// for those to other masters.
type piped = batch.Call[scriptCall, reply]

// scriptCall is a script with what it runs on.
type scriptCall struct {
	*goredis.Script
	keys []string
	args []any
}

// reply is what a script returned.
type reply struct {
	value any
	err   error
}

// maxPiped calls take Redis a few milliseconds.
const maxPiped = 64

func newPipeline(e *engine) *batch.Queue[scriptCall, reply] {
	return batch.New(maxPiped, e.timeout, e.exchange)
}

// exchange sends calls and fills in the result of each.
func (e *engine) exchange(ctx context.Context, calls []*piped) {
	defer func() {
		if v := recover(); v != nil {
			e.clients.discard()
			for _, c := range calls {
				c.Result = reply{err: panicked(v)}
			}
		}
	}()
	if len(calls) == 1 {
		e.runOne(ctx, calls[0])
		return
	}
	e.runAll(ctx, calls)
}

func (e *engine) runOne(ctx context.Context, c *piped) {
	of := c.Arguments
	c.Result.value, c.Result.err = e.run(ctx, of.Script, of.keys, of.args...)
}

// runAll is run for several calls.
func (e *engine) runAll(ctx context.Context, calls []*piped) {
	left := e.sendAll(ctx, calls)
	if len(left) == 0 {
		return
	}
	e.runOne(ctx, left[0]) // after which Redis has the script, and is known to be trusted
	for _, c := range e.sendAll(ctx, left[1:]) {
		e.runOne(ctx, c)
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
			c.Result.err = err
		}
		return nil
	}
	// The error is that of the first call that has one.
	replies, _ := client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		for _, c := range calls {
			c.Arguments.EvalSha(ctx, pipe, c.Arguments.keys, c.Arguments.args...)
		}
		return nil
	})
	for i, c := range calls {
		value, err := replies[i].(*goredis.Cmd).Result()
		c.Result = reply{value, err}
		if forbidden(err) {
			e.allowed.Store(false) // and Epoch says what is missing
		}
		if _, refused := errors.AsType[*refusal](err); refused || goredis.HasErrorPrefix(err, "NOSCRIPT") {
			left = append(left, c)
		}
	}
	return left
}
