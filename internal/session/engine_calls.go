package session

import (
	"context"
	"errors"

	"github.com/caddygrant/caddy-grant/sessions"
)

// EngineCalls are the calls of an engine, as [Engines].Failed names them.
var EngineCalls = []string{callEpoch, callLoad, callSwap, callRevoke, callRevoked, callSweep}

const (
	callEpoch   = "epoch"
	callLoad    = "load"
	callSwap    = "swap"
	callRevoke  = "revoke"
	callRevoked = "revoked"
	callSweep   = "sweep"
)

func (e *engine) Epoch(ctx context.Context) (string, error) {
	epoch, err := e.Engine.Epoch(ctx)
	e.observe(ctx, callEpoch, err)
	return epoch, err
}

func (e *engine) Load(ctx context.Context, id sessions.ID) (sessions.State, error) {
	st, err := e.Engine.Load(ctx, id)
	e.observe(ctx, callLoad, err)
	return st, err
}

func (e *engine) Swap(ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
	st, err := e.Engine.Swap(ctx, id, next, answer)
	e.observe(ctx, callSwap, err)
	return st, err
}

func (e *engine) Revoke(ctx context.Context, id sessions.ID) error {
	err := e.Engine.Revoke(ctx, id)
	e.observe(ctx, callRevoke, err)
	return err
}

func (e *engine) Revoked(ctx context.Context, after string) ([]sessions.ID, string, bool, error) {
	ids, next, more, err := e.Engine.Revoked(ctx, after)
	e.observe(ctx, callRevoked, err)
	return ids, next, more, err
}

func (e *engine) Sweep(ctx context.Context) (bool, error) {
	more, err := e.Engine.Sweep(ctx)
	e.observe(ctx, callSweep, err)
	return more, err
}

// observe tells of a call that failed. What an engine can say for certain is not a failure,
// and neither is a caller who has left.
func (e *engine) observe(ctx context.Context, call string, err error) {
	switch {
	case err == nil || e.failed == nil || errors.Is(ctx.Err(), context.Canceled):
	case errors.Is(err, sessions.ErrOtherEpoch), errors.Is(err, sessions.ErrDamaged), errors.Is(err, sessions.ErrCursor):
	default:
		e.failed(e.name, call)
	}
}
