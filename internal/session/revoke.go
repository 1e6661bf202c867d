package session

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"time"
)

// Revoke ends a session for good: its marker is written, and an entry of the feed, from which other nodes learn of it.
// When it returns nil, no generation of the session is worth anything, and View of this process knows. After
// ErrUnavailable the session may or may not be revoked; calling again is safe. After a NotYetError it is not. The context ends the waiting only.
func (s *Store) Revoke(ctx context.Context, id ID) error {
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeLimit)
	done := make(chan error, 1)
	go func() {
		defer cancel()
		_, err := call(detached, s.memory, revokeLimit, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, s.revoke(ctx, id)
		})
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return unavailable("revoking a session", ctx.Err())
	}
}

func (s *Store) revoke(ctx context.Context, id ID) error {
	over, err := s.isOver(ctx, id)
	if err != nil {
		return err
	}
	if over && s.memory.view.has(id) {
		return nil // the view comes from the feed
	}
	if err := s.take(); err != nil {
		return err
	}
	note := revocation(s.now())
	if !over {
		if err := s.askWitness(ctx); err != nil {
			s.giveBack()
			return err
		}
		if err := s.ensure(ctx, s.markerKey(id), note); err != nil {
			return err
		}
	}
	hour, err := s.feedHour(ctx)
	if err != nil {
		return err
	}
	if err := s.ensure(ctx, path.Join(s.feedKey(hour), id.String()), note); err != nil {
		return err
	}
	s.memory.view.add(hour, id)
	return nil
}

// isOver tells whether the session has its marker, or is swept and needs none. Whatever its record is, if it has one.
func (s *Store) isOver(ctx context.Context, id ID) (bool, error) {
	for _, key := range []string{s.markerKey(id), s.sweptKey(id.day)} {
		if found, err := s.load(ctx, key); found != nil || err != nil {
			return found != nil, err
		}
	}
	return false, nil
}

// feedHour is the hour under which to put a new entry: not before the newest one that there is, since nodes read the
// newest ones only, and this one's clock may be behind.
func (s *Store) feedHour(ctx context.Context) (string, error) {
	hours, err := s.listTimes(ctx, s.feedKey(""), hourLayout)
	if err != nil {
		return "", err
	}
	hour := hourOf(s.now())
	if len(hours) > 0 {
		hour = max(hour, hours[len(hours)-1])
	}
	return hour, nil
}

// ensure writes an object whose being there is all that counts. One that is there after a failure is good enough.
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

// revocation is the content of markers and of feed entries, for people who look.
func revocation(at time.Time) []byte {
	encoded, _ := json.Marshal(struct {
		Version int       `json:"version"`
		Revoked time.Time `json:"revoked"`
	}{recordVersion, at.UTC().Truncate(time.Second)}) // cannot fail
	return append(encoded, '\n')
}

const revokeLimit = 10 * time.Second
