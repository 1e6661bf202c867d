package caddygrant

import (
	"context"
	"slices"
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

// endedAt tells when the sessions of a subject at a client were last revoked as a whole, zero
// if never. A session that was refreshed later began later, since a refresh asks storage.
// It is for operators to read: what tokens are checked against does not go by clocks.
func (x *serverSessions) endedAt(subject string) func(client string) time.Time {
	notices, _ := x.memory.Notices()
	notices = slices.DeleteFunc(notices, func(n session.Notice) bool {
		return n.Kind != session.EndServer && n.Kind != session.EndClient && (n.Kind != session.EndUser || n.Of != subject)
	})
	return func(client string) (at time.Time) {
		for _, n := range notices {
			if (n.Kind != session.EndClient || n.Of == client) && n.At.After(at) {
				at = n.At
			}
		}
		return at
	}
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
