package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// call asks one statement of a connection. It may be made again: whatever is asked here
// may.
type call[T any] func(ctx context.Context, ask asker) (T, error)

// asker is a connection, how statements are sent over it, and until when.
type asker struct {
	*pgxpool.Conn
	mode  pgx.QueryExecMode
	until time.Time
}

func (a asker) rows(ctx context.Context, sql string, parameters ...any) (pgx.Rows, error) {
	return a.Query(ctx, sql, append([]any{a.mode}, parameters...)...)
}

func (a asker) row(ctx context.Context, sql string, parameters []any, into ...any) error {
	return a.QueryRow(ctx, sql, append([]any{a.mode}, parameters...)...).Scan(into...)
}

// ask makes a call within the timeout. It tries again where a connection turns out to be
// dead, or where it is shown that the statement did nothing.
func ask[T any](ctx context.Context, p *pool, request call[T]) (T, error) {
	return askBy(ctx, p, request, leaving)
}

// askToTheEnd is ask for a caller who does not leave early.
func askToTheEnd[T any](ctx context.Context, p *pool, request call[T]) (T, error) {
	return askBy(ctx, p, request, attempt)
}

// attempting is how a call is made over a connection that was taken for it.
type attempting[T any] func(ctx context.Context, ask asker, request call[T]) (T, error)

func askBy[T any](ctx context.Context, p *pool, request call[T], attempt attempting[T]) (T, error) {
	ctx, cancel := context.WithTimeout(mayConnect(ctx), p.timeout)
	defer cancel()
	for left := attempts - 1; ; left-- {
		answer, err := once(ctx, p, request, attempt)
		if err == nil || left == 0 || ctx.Err() != nil || !p.recovers(err) {
			return answer, meaning(ctx, p, err)
		}
	}
}

// attempts are enough for a dead connection and a pooler that loses statements.
const attempts = 3

// once takes a connection for an attempt.
func once[T any](ctx context.Context, p *pool, request call[T], attempt attempting[T]) (answer T, err error) {
	defer recovered(&err)
	until := time.Now().Add(p.timeout)
	conn, err := p.Acquire(ctx)
	if err == nil && ctx.Err() != nil {
		conn.Release()
		err = ctx.Err()
	}
	if err != nil {
		return answer, err
	}
	mode := p.mode
	if p.unprepared.Load() {
		mode = pgx.QueryExecModeExec
	}
	return attempt(ctx, asker{conn, mode, until}, request)
}

// leaving is an attempt that returns when the context has ended. The statement goes on
// then, to its end or to its own timeout: a caller who leaves must not cost a connection.
func leaving[T any](ctx context.Context, ask asker, request call[T]) (answer T, err error) {
	type result struct {
		answer T
		err    error
	}
	done := make(chan result, 1) // with room for what is no longer waited for
	go func() {
		own, cancel := context.WithDeadline(context.WithoutCancel(ctx), ask.until)
		defer cancel()
		var r result
		r.answer, r.err = attempt(own, ask, request)
		done <- r
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return answer, ctx.Err()
	}
}

// attempt gives the connection back, unless the driver has panicked over it: then an
// answer may be left on it that another call would take for its own.
func attempt[T any](ctx context.Context, ask asker, request call[T]) (answer T, err error) {
	returned := false
	defer recovered(&err)
	defer func() {
		if returned {
			ask.Release()
			return
		}
		_ = ask.Hijack().PgConn().Conn().Close()
	}()
	answer, err = request(ctx, ask)
	returned = true
	return answer, err
}

// recovered is deferred, and makes a panic of the driver, or of a hook of it, an error: in
// a goroutine of this package it would end the process. Its value may contain anything.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("sessions postgres: %w %T in the driver", errPanic, p)
	}
}

var errPanic = errors.New("[PANIC]")
