package session

import (
	"context"
	"errors"

	"github.com/caddygrant/caddy-grant/sessions"
)

// revokeIn is Revoke, and RevokeLost, for a session in an engine: an engine tells apart
// what it has lost and what it cannot reach.
func (s *Store) revokeIn(ctx context.Context, e *engine, id ID) error {
	return s.revokeDetached(ctx, id, e.place(), func(ctx context.Context) error {
		if s.memory.view.has(id) {
			// It was complete once. A fail-over may have taken it back since, and repeating
			// it is safe.
			_ = e.Revoke(ctx, id.inEngine())
			return nil
		}
		if _, err := s.takeFor(id); err != nil {
			return err
		}
		switch err := e.Revoke(ctx, id.inEngine()); {
		case errors.Is(err, sessions.ErrOtherEpoch): // over
			s.memory.paid.giveBack(id)
			return nil
		case err != nil:
			return e.unavailable("revoking a session", err)
		}
		s.memory.view.add(id)
		s.memory.paid.settle(id)
		return nil
	}, e.known.revocations, e.known.slots)
}
