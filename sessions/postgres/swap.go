package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/batch"
)

// swap is that of a session with a record. Swaps that come while others are under way
// share a statement, a transaction and a wait for the disk. Such a statement waits for no
// row: what it cannot do at once, and what it is refused for, each caller asks by itself.
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

// maxSwaps of one statement take PostgreSQL some milliseconds.
const maxSwaps = 64

func (e *engine) swap(ctx context.Context, s swap) (sessions.State, error) {
	deadline := time.Now().Add(e.pool.timeout)
	result, left := e.swaps.Do(ctx, s)
	switch {
	case left != nil:
		return sessions.State{}, meaning(ctx, e.pool, left)
	case result.alone:
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		return ask(ctx, e.pool, s.read())
	}
	return result.state, result.err
}

// read is the call of one swap.
func (s *swap) read() call[sessions.State] {
	return readState(s.engine.sql.later, append(s.parameters(), s.answer, s.next))
}

// sendSwaps asks for one swap, or for all of them with one statement.
func (e *engine) sendSwaps(ctx context.Context, calls []*batch.Call[swap, swapped]) {
	if len(calls) == 1 {
		c := calls[0]
		c.Result.state, c.Result.err = askToTheEnd(ctx, e.pool, c.Arguments.read())
		return
	}
	all := swapsOf(calls)
	results, err := askToTheEnd(ctx, e.pool, all.read(e))
	_, refused := errors.AsType[*refusal](err)
	for _, c := range calls {
		i, shared := all.index(&c.Arguments)
		switch {
		case refused || !shared:
			c.Result.alone = true
		case err != nil:
			c.Result.err = err
		default:
			c.Result = results[i]
		}
	}
}

// swaps are those that share a statement, each of another session.
type swaps struct {
	epoch  int64
	places map[place]int

	days, answers []string
	randoms       [][]byte
	ends          []time.Time
	nexts         []int64
}

// place is where a session is in an epoch.
type place struct{ day, random string }

func swapsOf(calls []*batch.Call[swap, swapped]) *swaps {
	all := &swaps{epoch: calls[0].Arguments.epoch, places: make(map[place]int, len(calls))}
	for _, c := range calls {
		s := &c.Arguments
		at := s.place()
		if _, there := all.places[at]; there || s.epoch != all.epoch {
			continue
		}
		all.places[at] = len(all.days)
		all.days, all.randoms, all.ends = append(all.days, s.day), append(all.randoms, s.random), append(all.ends, s.ends)
		all.answers, all.nexts = append(all.answers, s.answer), append(all.nexts, s.next)
	}
	return all
}

func (s *swap) place() place { return place{s.day, string(s.random)} }

// index is where the answer to a swap is. Of several that exchange one token, one is
// asked for, and all learn what has become of the session.
func (a *swaps) index(s *swap) (i int, shared bool) {
	i, there := a.places[s.place()]
	return i, there && s.epoch == a.epoch && a.nexts[i] == s.next
}

// read is the call of all. Without a row for each the epoch is missing.
func (a *swaps) read(e *engine) call[[]swapped] {
	return func(ctx context.Context, ask asker) (results []swapped, err error) {
		rows, err := ask.rows(ctx, e.sql.laterOfAll, e.server, a.epoch, a.days, a.randoms, a.ends, a.answers, a.nexts)
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
		if len(results) != len(a.days) {
			return nil, errNoEpoch
		}
		return results, nil
	}
}
