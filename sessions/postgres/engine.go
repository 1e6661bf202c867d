package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
)

// engine is the sessions of an authorization server in a PostgreSQL.
type engine struct {
	server      string
	names       names
	sql         statements
	pool        *pool
	lockTimeout string // as lock_timeout takes it
	turn        int64  // the advisory lock by which writers to the feed take turns
	logger      *zap.Logger

	known  atomic.Bool // the epoch was there once: it is not made again
	closed atomic.Bool
	ended  chan struct{} // closed when the engine is
}

func newEngine(server, schema string, shared *pool, logger *zap.Logger) *engine {
	names := namesIn(schema)
	hash := sha256.Sum256([]byte("caddy-grant revocations " + server))
	return &engine{
		server: server, names: names, sql: names.statements(), pool: shared, logger: logger,
		lockTimeout: strconv.FormatInt(shared.timeout.Milliseconds(), 10),
		turn:        int64(binary.BigEndian.Uint64(hash[:])),
		ended:       make(chan struct{}),
	}
}

// Epoch makes the tables and the epoch if this engine has not seen them yet.
func (e *engine) Epoch(ctx context.Context) (string, error) {
	if e.closed.Load() {
		return "", errClosed
	}
	epoch, err := e.findEpoch(ctx)
	if err != nil {
		return "", e.explain(ctx, err)
	}
	e.known.Store(true)
	return epochText(epoch), nil
}

// Load reads in one statement, which has one snapshot.
func (e *engine) Load(ctx context.Context, id sessions.ID) (sessions.State, error) {
	parameters, err := e.session(id)
	if err != nil {
		return sessions.State{}, err
	}
	return e.state(ctx, e.sql.load, parameters)
}

// Swap is one statement, and so one transaction.
func (e *engine) Swap(ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
	parameters, err := e.session(id)
	if err != nil {
		return sessions.State{}, err
	}
	if raw, err := hex.DecodeString(answer); err != nil || len(raw) != 16 || hex.EncodeToString(raw) != answer || next == 0 {
		return sessions.State{}, errSwap
	}
	switch {
	case next == 1:
		return e.state(ctx, e.sql.first, append(parameters, answer))
	case next > math.MaxInt64: // no record is at the generation before
		return e.state(ctx, e.sql.load, parameters)
	}
	return e.state(ctx, e.sql.later, append(parameters, answer, int64(next)))
}

// Revoke writes marker and entry of the feed in one transaction. Where the marker is
// there, so is the entry.
func (e *engine) Revoke(ctx context.Context, id sessions.ID) error {
	parameters, err := e.session(id)
	if err != nil {
		return err
	}
	parameters = append(parameters, e.turn, channel)
	_, err = ask(ctx, e.pool, func(ctx context.Context, ask asker) (none struct{}, err error) {
		var standby, ours bool
		var woken int64
		err = ask.row(ctx, e.sql.revoke, parameters, &standby, &ours, &woken)
		return none, judge(err, standby, ours)
	})
	return err
}

// Revoked is a page of the feed.
func (e *engine) Revoked(ctx context.Context, after string) (ids []sessions.ID, next string, more bool, err error) {
	if e.closed.Load() {
		return nil, "", false, errClosed
	}
	from, ok := parseCursor(after)
	if !ok {
		return nil, "", false, sessions.ErrCursor
	}
	page, err := ask(ctx, e.pool, func(ctx context.Context, ask asker) (page, error) {
		return readPage(ctx, ask, e.sql.feed, e.server, from)
	})
	return page.ids, page.next.String(), page.more, err
}

// Sweep removes rows of sessions that are over, in its own transactions.
func (e *engine) Sweep(ctx context.Context) (more bool, err error) {
	if e.closed.Load() {
		return false, errClosed
	}
	return sweep(ctx, e.pool, e.sql, time.Now())
}

// Close gives the pool back.
func (e *engine) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	close(e.ended)
	return e.pool.leave()
}

// session returns the parameters that say which session it is.
func (e *engine) session(id sessions.ID) ([]any, error) {
	if e.closed.Load() {
		return nil, errClosed
	}
	if !id.IsValid() {
		return nil, errID
	}
	random, _ := hex.DecodeString(id.Random) // valid, see IsValid
	epoch, _ := strconv.ParseUint(id.Epoch, 16, 64)
	day := id.Day[:4] + "-" + id.Day[4:6] + "-" + id.Day[6:]
	return []any{e.server, int64(epoch), day, random, id.Over(), e.lockTimeout}, nil
}

// state asks a statement that returns a state.
func (e *engine) state(ctx context.Context, sql string, parameters []any) (sessions.State, error) {
	return ask(ctx, e.pool, func(ctx context.Context, ask asker) (sessions.State, error) {
		var standby, ours, over bool
		var now time.Time
		var r record
		err := ask.row(ctx, sql, parameters, &standby, &ours, &over, &now, &r.generation, &r.answer, &r.exchanged, &r.revoked)
		if err = judge(err, standby, ours); err != nil {
			return sessions.State{}, err
		}
		if over {
			return sessions.State{Over: true}, nil
		}
		return r.state(now)
	})
}

// judge tells what the first columns of a statement mean. No row is a missing epoch, not
// a missing record.
func judge(err error, standby, ours bool) error {
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errNoEpoch
	case err != nil:
		return err
	case standby:
		return errStandby
	case !ours:
		return sessions.ErrOtherEpoch
	}
	return nil
}

// record is a row of a session, or nothing.
type record struct {
	generation *int64
	answer     pgtype.UUID
	exchanged  pgtype.Timestamptz
	revoked    *bool
}

func (r record) state(now time.Time) (sessions.State, error) {
	switch {
	case r.generation == nil:
		return sessions.State{}, nil
	case *r.generation <= 0 || r.exchanged.InfinityModifier != pgtype.Finite:
		if *r.revoked {
			return sessions.State{Revoked: true}, nil
		}
		return sessions.State{}, sessions.ErrDamaged
	}
	return sessions.State{
		Generation: uint64(*r.generation),
		Answer:     hex.EncodeToString(r.answer.Bytes[:]),
		Age:        now.Sub(r.exchanged.Time).Abs(), // a clock that went back lengthens no grace
		Revoked:    *r.revoked,
	}, nil
}

func epochText(epoch int64) string { return fmt.Sprintf("%016x", uint64(epoch)) }

// Interface guard
var _ sessions.Engine = (*engine)(nil)
