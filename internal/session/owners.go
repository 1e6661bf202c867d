package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"time"
)

// Of returns the same sessions, for a session of which the claims are known: Rotate
// writes them into the record, and an object by which Sessions finds it.
func (s *Store) Of(c Claims) *Store {
	owned := *s
	owned.owner = c
	return &owned
}

// own writes the object by which Sessions finds a session, while the caller does
// something else. If that fails, Sessions lacks it, and nothing else. wait waits until it
// is there, but not long.
func (s *Store) own(ctx context.Context, id ID) (wait func()) {
	if s.owner.Subject == "" {
		return func() {}
	}
	select {
	case s.memory.owning <- struct{}{}:
	default: // the storage hangs
		return func() {}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readLimit)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer s.memory.owning.give()
		defer cancel()
		defer func() { _ = recover() }()
		_ = s.storage.Store(ctx, s.noteKey(id, s.owner.Subject), s.note(id))
	}()
	return func() {
		patience := time.NewTimer(ownPatience)
		defer patience.Stop()
		select {
		case <-done:
		case <-patience.C:
		}
	}
}

// sweepUnownedDays deletes the notes of days that no session has: of sessions that were
// never written, and of days that a node of an earlier version has swept. It needs no
// mark, since it ends no session.
func (s *Store) sweepUnownedDays(ctx context.Context, days []string, now time.Time, swept *Swept) error {
	noted, err := s.listTimes(ctx, path.Join(s.prefix, ownersName), dayLayout)
	if err != nil {
		return err
	}
	for _, day := range noted {
		if slices.Contains(days, day) || !isPast(day, now) {
			continue
		}
		if whole, err := s.sweepOwners(ctx, day, swept); err != nil || !whole {
			return err
		}
	}
	return nil
}

// sweepOwners deletes the objects of a day by which Sessions finds its sessions.
func (s *Store) sweepOwners(ctx context.Context, day string, swept *Swept) (whole bool, err error) {
	folder := path.Join(s.prefix, ownersName, day)
	tags, err := s.list(ctx, folder)
	if err != nil {
		return false, err
	}
	for _, tag := range tags {
		names, err := s.list(ctx, path.Join(folder, tag))
		if err != nil {
			return false, err
		}
		if whole, err := s.deleteAll(ctx, path.Join(folder, tag), names, swept); err != nil || !whole {
			return false, err
		}
		if !s.tellsErrors() {
			continue // no directories
		}
		if err := s.delete(ctx, path.Join(folder, tag)); err != nil {
			return false, err
		}
	}
	if len(tags) == 0 {
		return true, nil
	}
	return true, s.delete(ctx, folder)
}

// noteKey is the object by which Sessions finds a session of a subject.
func (s *Store) noteKey(id ID, subject string) string {
	return path.Join(s.ownerKey(id.day, subject), strings.TrimPrefix(id.String(), id.day+"-"))
}

// ownerKey is where the sessions of a subject that end on a day are noted. A subject is
// hashed, since keys may be used as file names.
func (s *Store) ownerKey(day, subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return path.Join(s.prefix, ownersName, day, hex.EncodeToString(sum[:16]))
}

const (
	ownersName = "owners"

	ownPatience = 500 * time.Millisecond
)
