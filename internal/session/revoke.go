package session

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"time"

	"github.com/caddygrant/caddy-grant/internal/clock"
)

// Revoke ends a session for good: its marker is written, its record is replaced by one
// that says so too, and an entry is put into the feed, from which other nodes learn of
// it. When it returns nil, every generation of the session is refused, and the view of
// this process knows. After ErrUnavailable the session may or may not be revoked;
// calling again is safe. After a NotYetError it is not revoked. The context ends only
// the waiting.
func (s *Store) Revoke(ctx context.Context, id ID) error {
	switch e, err := s.engineOf(id); {
	case err != nil:
		return err
	case e != nil:
		return s.revokeIn(ctx, e, id)
	}
	return s.revokeDetached(ctx, id, theStorage, func(ctx context.Context) error { return s.revoke(ctx, id, nil) }, s.memory.revocations, s.memory.slots)
}

// RevokeLost is Revoke after ErrAhead or ErrDamaged of a generation. It looks again,
// and first writes where the record has to be: until that succeeds, nothing is revoked,
// since a storage that is partly down can look as if it had lost something.
func (s *Store) RevokeLost(ctx context.Context, id ID, generation uint64) error {
	switch e, err := s.engineOf(id); {
	case err != nil:
		return err
	case e != nil:
		return s.revokeIn(ctx, e, id)
	}
	return s.revokeDetached(ctx, id, theStorage, func(ctx context.Context) error {
		return s.revoke(ctx, id, func(ctx context.Context) error {
			_, _, err := s.look(ctx, id, generation, 0)
			switch {
			case isLost(err), errors.Is(err, ErrRevoked): // revoked meanwhile, or later, when its record may say so
				return nil
			case err == nil || errors.Is(err, ErrReused):
				return unavailable("ending a session", errors.New("storage has the record that it seemed to have lost"))
			}
			return err
		})
	}, s.memory.revocations, s.memory.slots)
}

// revokeDetached is revoke, after other revocations of the same session here: a session
// that is revoked already costs nothing. Revocations wait for exchanges, which wait for
// a slot; so revocations always leave one slot free.
func (s *Store) revokeDetached(ctx context.Context, id ID, at string, revoke func(context.Context) error, each ...slots) error {
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeLimit)
	done := make(chan error, 1)
	go func() {
		defer cancel()
		unlock, waited, err := s.memory.revoking.lock(detached, id)
		if err != nil {
			done <- unavailable("waiting for another revocation of the session", err)
			return
		}
		defer unlock()
		if waited && s.memory.view.has(id) {
			done <- nil
			return
		}
		_, err = callAt(detached, at, revokeLimit, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, revoke(ctx)
		}, each...)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return unavailable("revoking a session", ctx.Err())
	}
}

// revoke is Revoke, or with a function RevokeLost.
func (s *Store) revoke(ctx context.Context, id ID, lost func(context.Context) error) error {
	over, marked, err := s.isOver(ctx, id)
	if err != nil {
		return err
	}
	if over && s.memory.view.has(id) {
		return nil // what the view has is in the feed
	}
	undo, err := s.takeFor(id)
	if err != nil {
		return err
	}
	note := revocation(s.now())
	if !over {
		if err := s.askWitness(ctx); err != nil {
			undo()
			return err
		}
		if marked { // a storage does not invent a marker
			lost = nil
		}
		if lost != nil {
			if err := s.bury(ctx, id, lost); err != nil {
				return err
			}
		}
		if !marked {
			if err := s.ensure(ctx, s.markerKey(id), note); err != nil {
				return err
			}
		}
		if lost == nil {
			if err := s.bury(ctx, id, nil); err != nil {
				return err
			}
		}
	}
	if err := s.announce(ctx, id, note); err != nil {
		return err
	}
	s.memory.view.add(id)
	s.memory.paid.settle(id)
	return nil
}

// announce writes the entry of the feed. An hour is no longer read some time after
// there is a newer one, see feedHour: so when the entry is there, its hour still has to
// be the newest, in a storage that answers wherever it is asked. An entry that took so
// long that its caller has left is still checked, or some nodes would find it and
// others would not.
func (s *Store) announce(ctx context.Context, id ID, note []byte) error {
	newest, err := s.newestHour(ctx)
	if err != nil {
		return err
	}
	for range announceTries {
		hour := max(newest, hourOf(s.now())) // this node's clock may be behind
		if err := s.ensure(ctx, path.Join(s.feedKey(hour), id.String()), note); err != nil {
			return err
		}
		if clock.Expired(ctx) != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), revokeLimit)
			defer cancel()
		}
		if !s.tellsErrors() { // the newest may be ahead of all clocks, so none makes up for a list without it
			if _, err := s.awaitSign(ctx); err != nil {
				return err
			}
		}
		if newest, err = s.newestHour(ctx); err != nil || newest <= hour {
			return err
		}
	}
	return unavailable("revoking a session", errors.New("a newer hour appeared at every attempt"))
}

// newestHour is the newest hour of the feed, empty if there is none.
func (s *Store) newestHour(ctx context.Context) (string, error) {
	hours, err := s.listTimes(ctx, s.feedKey(""), hourLayout)
	if err != nil || len(hours) == 0 {
		return "", err
	}
	return hours[len(hours)-1], nil
}

// isOver tells whether the session has its marker and a record that says the same, or
// is swept and needs neither.
func (s *Store) isOver(ctx context.Context, id ID) (over, marked bool, err error) {
	marker, err := s.load(ctx, s.markerKey(id))
	if err != nil {
		return false, false, err
	}
	if marked = marker != nil; marked {
		st, err := s.readRecord(ctx, id)
		if st.buried() || err != nil {
			return st.buried(), marked, err
		}
	}
	swept, err := s.load(ctx, s.sweptKey(id.day))
	return swept != nil, marked, err
}

// ensure writes an object of which only the existence matters. If it is there after a
// failure, that is good enough.
func (s *Store) ensure(ctx context.Context, key string, content []byte) error {
	stored := s.storage.Store(ctx, key, content)
	found, err := s.load(ctx, key)
	switch {
	case found != nil:
		return nil
	case stored != nil:
		return unavailable("storing "+key, stored)
	case err != nil:
		return err
	}
	return unavailable("storing "+key, errors.New("storage does not have what was stored in it"))
}

// revocation is the content of markers and of feed entries, for operators to read.
func revocation(at time.Time) []byte {
	encoded, _ := json.Marshal(struct {
		Version int       `json:"version"`
		Revoked time.Time `json:"revoked"`
	}{recordVersion, at.UTC().Truncate(time.Second)}) // cannot fail
	return append(encoded, '\n')
}

const (
	revokeLimit = 10 * time.Second

	// announceTries is more than the hours that a flood can add while an entry is written:
	// see pageLimits.
	announceTries = 5
)
