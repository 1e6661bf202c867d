package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

var errID = errors.New("redis: the ID of a session is not valid")

// waiting calls f and waits for it, for timeout at most. The client looks at a context's
// deadline while it waits for Redis, but not at its end. A panic of the client is an error
// of the call.
func waiting[T any](ctx context.Context, e *engine, timeout time.Duration, f func(context.Context) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, failure(err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer cancel()
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = panicked(p)
				e.clients.discard()
			}
			done <- r
		}()
		r.value, r.err = f(ctx)
	}()
	select {
	case r := <-done:
		return r.value, failure(r.err)
	case <-ctx.Done():
		// It may have ended because f returned.
		select {
		case r := <-done:
			return r.value, failure(r.err)
		default:
			cancel()
			return none, failure(ctx.Err())
		}
	}
}

// panicked is the error of a call in which the client, or a hook of it, has panicked with
// p, whose value may contain anything.
func panicked(p any) error { return fmt.Errorf("redis: %w %T in the client", errPanic, p) }

var errPanic = errors.New("[PANIC]")

// run runs a script with the client for sessions, once it is known that what Redis has
// can be trusted. Where that has changed, it looks and tries again: nothing was sent.
func (e *engine) run(ctx context.Context, script *goredis.Script, keys []string, args ...any) (any, error) {
	client, err := e.clients.forSessions()
	if err != nil {
		return nil, err
	}
	if err := e.trusted(ctx); err != nil {
		return nil, err
	}
	result, err := script.Run(ctx, client, keys, args...).Result()
	if forbidden(err) {
		e.allowed.Store(false) // and Epoch says what is missing
	}
	if _, refused := errors.AsType[*refusal](err); !refused {
		return result, err
	}
	if err := e.trusted(ctx); err != nil {
		return nil, err
	}
	return script.Run(ctx, client, keys, args...).Result()
}

// say is run for a script that returns text.
func (e *engine) say(ctx context.Context, script *goredis.Script, keys []string, args ...any) (string, error) {
	return said(e.run(ctx, script, keys, args...))
}

// said is the text that a script returned.
func said(result any, err error) (string, error) {
	if err != nil {
		return "", err
	}
	text, is := result.(string)
	if !is {
		return "", errReply
	}
	return text, nil
}

var errReply = errors.New("redis: an answer has another form than that of a script")
