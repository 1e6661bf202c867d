package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/caddygrant/caddy-grant/sessions"
)

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

// readState is the call of a statement that returns a state.
func readState(sql string, parameters []any) call[sessions.State] {
	return func(ctx context.Context, ask asker) (sessions.State, error) {
		var r record
		err := ask.row(ctx, sql, parameters, r.columns()...)
		return r.state(err)
	}
}

// record is a row of a session, or nothing, and what makes it a state.
type record struct {
	standby, ours, over bool
	now                 time.Time
	generation          *int64
	answer              pgtype.UUID
	exchanged           pgtype.Timestamptz
	revoked             *bool
}

// columns are where a statement's row goes, in its order.
func (r *record) columns() []any {
	return []any{&r.standby, &r.ours, &r.over, &r.now, &r.generation, &r.answer, &r.exchanged, &r.revoked}
}

// state is what a record that was read, or that could not be, says of its session.
func (r *record) state(err error) (sessions.State, error) {
	if err = judge(err, r.standby, r.ours); err != nil {
		return sessions.State{}, err
	}
	switch {
	case r.over:
		return sessions.State{Over: true}, nil
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
		Age:        r.now.Sub(r.exchanged.Time).Abs(), // a clock that went back lengthens no grace
		Revoked:    *r.revoked,
	}, nil
}
