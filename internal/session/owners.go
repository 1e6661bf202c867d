package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

// Known is a session that was refreshed, as storage has it.
type Known struct {
	Claims     // without Client and Version if the session was revoked since
	Rotated    time.Time
	Generation uint64 // how many times it was refreshed; 0 if it was revoked since
	Revoked    bool
	Ended      bool // by a notice that this process knows
}

// Sessions are the sessions of a subject that storage knows, those that end last first,
// as many as are asked for at most. They are those that were refreshed by a version of
// this program that notes the subject; that a session began is written nowhere. more
// tells that there are others.
func (s *Store) Sessions(ctx context.Context, subject string, most int) (known []Known, more bool, err error) {
	type result struct {
		known []Known
		more  bool
	}
	r, err := call(ctx, s.memory, sessionsLimit, func(ctx context.Context) (result, error) {
		return signed(ctx, s, func() (r result, err error) {
			r.known, r.more, err = s.sessions(ctx, subject, most)
			return r, err
		})
	})
	if err != nil {
		return nil, false, err
	}
	return r.known, r.more, nil
}

func (s *Store) sessions(ctx context.Context, subject string, most int) (known []Known, more bool, err error) {
	days, err := s.listTimes(ctx, path.Join(s.prefix, ownersName), dayLayout)
	if err != nil {
		return nil, false, err
	}
	today := s.now().UTC().Format(dayLayout)
	for _, day := range slices.Backward(days) {
		if day < today {
			break // over
		}
		names, err := s.listOnce(ctx, s.ownerKey(day, subject)) // on most days there is none
		if err != nil {
			return nil, false, err
		}
		slices.Sort(names)
		for _, name := range names {
			id, ok := ParseID(day + "-" + name)
			if !ok {
				continue
			}
			if len(known) == most {
				return known, true, nil
			}
			session, found, err := s.known(ctx, id, subject)
			if err != nil {
				return nil, false, err
			}
			if found {
				known = append(known, session)
			}
		}
	}
	return known, false, nil
}

// known reads a session of a subject.
func (s *Store) known(ctx context.Context, id ID, subject string) (Known, bool, error) {
	switch e, err := s.engineOf(id); {
	case err != nil:
		return Known{}, false, err
	case e != nil:
		return s.knownIn(ctx, e, id, subject)
	}
	st, err := s.readRecord(ctx, id)
	if err == nil && !st.revoked {
		err = s.readMarks(ctx, id, &st)
	}
	switch {
	case err != nil:
		return Known{}, false, err
	case errors.Is(st.unread, ErrDamaged), !st.found, st.swept:
		return Known{}, false, nil
	case st.unread != nil:
		return Known{}, false, st.unread
	case !st.buried() && st.Subject != subject: // an object that nobody but us should write says otherwise
		return Known{}, false, nil
	}
	known := Known{
		Claims:     Claims{ID: id, Subject: subject, Client: st.Client, Version: st.Session},
		Generation: st.Generation,
		Revoked:    st.revoked,
	}
	if !st.buried() {
		known.Ended, _ = s.memory.Ended(known.Claims)
	}
	if st.Rotated > 0 {
		known.Rotated = time.UnixMilli(st.Rotated)
	}
	return known, true, nil
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

	sessionsLimit = 8 * time.Second
	ownPatience   = 500 * time.Millisecond
)
