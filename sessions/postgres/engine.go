package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/batch"
)

// engine is the sessions of an authorization server in a PostgreSQL.
type engine struct {
	server      string
	names       names
	sql         statements
	pool        *pool
	swaps       *batch.Queue[swap, swapped]
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
	e := &engine{
		server: server, names: names, sql: names.statements(), pool: shared, logger: logger,
		lockTimeout: strconv.FormatInt(shared.timeout.Milliseconds(), 10),
		turn:        int64(binary.BigEndian.Uint64(hash[:])),
		ended:       make(chan struct{}),
	}
	e.swaps = batch.New(maxSwaps, shared.timeout, e.sendSwaps)
	return e
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
	of, err := e.session(id)
	if err != nil {
		return sessions.State{}, err
	}
	return e.state(ctx, e.sql.load, of.parameters(e.lockTimeout))
}

// Swap is one statement, and so one transaction, which others may share.
func (e *engine) Swap(ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
	of, err := e.session(id)
	if err != nil {
		return sessions.State{}, err
	}
	if raw, err := hex.DecodeString(answer); err != nil || len(raw) != 16 || hex.EncodeToString(raw) != answer || next == 0 {
		return sessions.State{}, errSwap
	}
	switch {
	case next == 1:
		return e.state(ctx, e.sql.first, append(of.parameters(e.lockTimeout), answer))
	case next > math.MaxInt64: // no record is at the generation before
		return e.state(ctx, e.sql.load, of.parameters(e.lockTimeout))
	}
	return e.swap(ctx, swap{of, answer, int64(next)})
}

// Revoke writes marker and entry of the feed in one transaction. Where the marker is
// there, so is the entry.
func (e *engine) Revoke(ctx context.Context, id sessions.ID) error {
	of, err := e.session(id)
	if err != nil {
		return err
	}
	parameters := append(of.parameters(e.lockTimeout), e.turn, channel)
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

// session is which one a statement is about.
func (e *engine) session(id sessions.ID) (session, error) {
	switch {
	case e.closed.Load():
		return session{}, errClosed
	case !id.IsValid():
		return session{}, errID
	}
	return sessionOf(e.server, id), nil
}

// state asks a statement that returns a state.
func (e *engine) state(ctx context.Context, sql string, parameters []any) (sessions.State, error) {
	return ask(ctx, e.pool, readState(sql, parameters))
}

func epochText(epoch int64) string { return fmt.Sprintf("%016x", uint64(epoch)) }

// Interface guard
var _ sessions.Engine = (*engine)(nil)
