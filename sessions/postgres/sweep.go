package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// sweep removes a page of each table. Until which day sessions are over is durable in a
// transaction of its own before.
//
// A first exchange of a session whose record is removed at this moment may make a new
// one: it began when the session was not over yet. It reads the clock again after that,
// by which the session is over, so it has not won; and its row is for the next sweep.
func sweep(ctx context.Context, p *pool, sql statements) (more bool, err error) {
	if _, err := changed(ctx, p, sql.mark); err != nil {
		return false, err
	}
	sessions, err := changed(ctx, p, sql.sweepSessions, sweepLength)
	if err != nil {
		return false, err
	}
	entries, err := ask(ctx, p, func(ctx context.Context, ask asker) (n int64, err error) {
		err = ask.row(ctx, sql.sweepFeed, []any{sweepLength}, &n)
		return n, err
	})
	return max(sessions, entries) == sweepLength, err
}

// changed returns how many rows a statement changed.
func changed(ctx context.Context, p *pool, sql string, parameters ...any) (int64, error) {
	return ask(ctx, p, func(ctx context.Context, ask asker) (int64, error) {
		tag, err := ask.Exec(ctx, sql, append([]any{ask.mode}, parameters...)...)
		return tag.RowsAffected(), err
	})
}

// sweepLength is how many rows of a table a sweep removes at most.
const sweepLength = 1000

// daysUntilOver is how many days after that on which it ends a session is over.
var daysUntilOver = strconv.Itoa(1 + int(sessions.KeepOver/(24*time.Hour)))
