package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/batch"
)

// swap is one to the second generation or a later one. Swaps that come while others are
// under way share a statement, a transaction and a wait for the disk. Such a statement
// waits for no row, and that of a single swap for 10 ms at most, since others may come
// meanwhile. Each caller then asks by itself for what was left out or refused.
type swap struct {
	session
	answer string
	next   int64
}

// swapped is what a statement said of a swap.
type swapped struct {
	state sessions.State
	err   error
	alone bool // nothing: it has to be asked by itself
}

const (
	// maxSwaps are so few that PostgreSQL needs some milliseconds for them.
	maxSwaps = 64

	shortLockTimeout = "10ms"
)

func (e *engine) swap(ctx context.Context, s swap) (sessions.State, error) {
	deadline := time.Now().Add(e.pool.timeout)
	result, left := e.swaps.Do(ctx, s)
	switch {
	case left != nil:
		return sessions.State{}, meaning(ctx, e.pool, left)
	case result.alone:
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		return ask(ctx, e.pool, e.later(s, e.lockTimeout))
	}
	return result.state, result.err
}

// later is the call of one swap. It waits for its row.
func (e *engine) later(s swap, lockTimeout string) call[sessions.State] {
	return readState(e.sql.later, append(s.parameters(lockTimeout), s.answer, s.next))
}

// sendSwaps asks for swaps with one statement.
func (e *engine) sendSwaps(ctx context.Context, calls []*batch.Call[swap, swapped]) {
	var all *swaps
	results, err := askToTheEnd(ctx, e.pool, func(ctx context.Context, ask asker) ([]swapped, error) {
		all = swapsOf(calls) // now that there is a connection: callers may have left
		if len(all.nexts) == 0 {
			return nil, nil
		}
		if len(calls) == 1 {
			state, err := e.later(calls[0].Arguments, shortLockTimeout)(ctx, ask)
			return []swapped{{state: state}}, err
		}
		return all.read(ctx, ask, e)
	})
	if errors.Is(err, context.DeadlineExceeded) {
		e.pool.Reset() // all connections may lead to a server that is gone without a word
	}
	refused, is := errors.AsType[*refusal](err)
	for _, c := range calls {
		switch {
		case is && !refused.isOfAll():
			c.Result.alone = true
		case err != nil:
			c.Result.err = err
		default:
			c.Result = all.resultOf(&c.Arguments, results)
		}
	}
}

// swaps are those that share a statement, each for a different session.
type swaps struct {
	places map[place]int // of their sessions

	epochs, nexts []int64
	days, answers []string
	randoms       [][]byte
	ends          []time.Time
}

func swapsOf(calls []*batch.Call[swap, swapped]) *swaps {
	all := &swaps{places: make(map[place]int, len(calls))}
	for _, c := range calls {
		s := &c.Arguments
		if _, there := all.places[s.place()]; there || c.Left() {
			continue
		}
		all.places[s.place()] = len(all.nexts)
		all.epochs, all.nexts = append(all.epochs, s.epoch), append(all.nexts, s.next)
		all.days, all.answers = append(all.days, s.day), append(all.answers, s.answer)
		all.randoms, all.ends = append(all.randoms, s.random), append(all.ends, s.ends)
	}
	return all
}

// resultOf is that of a swap. Of several that exchange one token, only the first is asked
// for, and all learn what has become of the session.
func (a *swaps) resultOf(s *swap, results []swapped) swapped {
	i, there := a.places[s.place()]
	if !there || a.nexts[i] != s.next {
		return swapped{alone: true}
	}
	return results[i]
}

// read asks for all. If a row is missing, so is the epoch of the server.
func (a *swaps) read(ctx context.Context, ask asker, e *engine) (results []swapped, err error) {
	rows, err := ask.rows(ctx, e.sql.laterOfAll, e.server, a.epochs, a.days, a.randoms, a.ends, a.answers, a.nexts)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r record
		var s swapped
		if err := rows.Scan(append(r.columns(), &s.alone)...); err != nil {
			return nil, err
		}
		if s.state, s.err = r.state(nil); errors.Is(s.err, errStandby) {
			return nil, s.err
		}
		results = append(results, s)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(results) != len(a.nexts) {
		return nil, errNoEpoch
	}
	return results, nil
}
