package caddygrant

import (
	"context"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// This file asks two things of a session: whether it was revoked itself, and whether an
// operator has revoked all sessions of its user, its client or its server.

// SessionRevoked tells whether a session is revoked, for a check of its token: by what
// is in memory, or by storage if that has not been read yet.
func (x *serverSessions) SessionRevoked(ctx context.Context, c session.Claims) (bool, error) {
	ended, known := x.memory.Ended(c)
	if !known {
		if _, err := x.Version(ctx); err != nil {
			return false, err
		}
		if ended, known = x.memory.Ended(c); !known {
			return false, session.ErrUnavailable
		}
	}
	if ended {
		return true, nil
	}
	return x.IsRevoked(ctx, c.ID, x.poll)
}

// Revoked is that of the store, by what storage has.
func (x *serverSessions) Revoked(ctx context.Context, c session.Claims) (bool, error) {
	if ended, err := x.EndedNow(ctx, c); ended || err != nil {
		return ended, err
	}
	return x.Store.Revoked(ctx, c.ID)
}

// Check is that of the store, with session.ErrEnded.
func (x *serverSessions) Check(ctx context.Context, c session.Claims, generation uint64, grace time.Duration) (current bool, err error) {
	return x.unlessEnded(ctx, c, func() (bool, error) { return x.Store.Check(ctx, c.ID, generation, grace) })
}

// Glance is that of the store, with session.ErrEnded.
func (x *serverSessions) Glance(ctx context.Context, c session.Claims, generation uint64, grace time.Duration) (current bool, err error) {
	return x.unlessEnded(ctx, c, func() (bool, error) { return x.Store.Glance(ctx, c.ID, generation, grace) })
}

func (x *serverSessions) unlessEnded(ctx context.Context, c session.Claims, look func() (bool, error)) (bool, error) {
	switch ended, err := x.EndedNow(ctx, c); {
	case err != nil:
		return false, err
	case ended:
		return false, session.ErrEnded
	}
	return look()
}
