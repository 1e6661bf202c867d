package session

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"sync"
	"time"
)

// Known is a session that was refreshed, as storage or its engine has it.
type Known struct {
	Claims     // without Client and Version if the session was revoked since
	Rotated    time.Time
	Generation uint64 // how many times it was refreshed; 0 if it was revoked since
	Revoked    bool
	Ended      bool // by a notice that this process knows
}

// Unread is a session that was refreshed, and of which nothing else is known now.
type Unread struct {
	Claims
	Engine string // where it lives
	Err    error  // why it could not be read, an ErrUnavailable
}

// Listed are sessions of a subject, those that end last first.
type Listed struct {
	Known  []Known
	Unread []Unread
	More   bool // there are others
}

// Sessions are the sessions of a subject that storage knows, as many as are asked for at
// most. They are those that were refreshed by a version of this program that notes the
// subject; that a session began is written nowhere. A session in an engine that does not
// answer, or that this node does not know, is Unread.
func (s *Store) Sessions(ctx context.Context, subject string, most int) (Listed, error) {
	return call(ctx, s.memory, sessionsLimit, func(ctx context.Context) (Listed, error) {
		return signed(ctx, s, func() (Listed, error) {
			l := listing{Store: s, subject: subject, most: most, failed: make(map[string]error)}
			err := l.list(ctx)
			return l.Listed, err
		})
	})
}

// listing makes a list of sessions.
type listing struct {
	*Store
	Listed
	subject string
	most    int
	failed  map[string]error // engines that are not asked again, by name
}

func (l *listing) list(ctx context.Context) error {
	days, err := l.listTimes(ctx, path.Join(l.prefix, ownersName), dayLayout)
	if err != nil {
		return err
	}
	today := l.now().UTC().Format(dayLayout)
	for _, day := range slices.Backward(days) {
		if day < today {
			break // over
		}
		names, err := l.listOnce(ctx, l.ownerKey(day, l.subject)) // on most days there is none
		if err != nil {
			return err
		}
		slices.Sort(names)
		var ids []ID
		for _, name := range names {
			if id, ok := ParseID(day + "-" + name); ok {
				ids = append(ids, id)
			}
		}
		for len(ids) > 0 {
			room := l.most - len(l.Known) - len(l.Unread)
			if room == 0 {
				l.More = true
				return nil
			}
			some := ids[:min(room, len(ids))]
			ids = ids[len(some):]
			if err := l.readAll(ctx, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// found is what was found of a session.
type found struct {
	known  *Known
	unread *Unread
}

// readAll reads sessions: those in the storage one after the other, and those in engines
// after that, from all engines at the same time.
func (l *listing) readAll(ctx context.Context, ids []ID) error {
	all, in := make([]found, len(ids)), make(map[string][]*noted)
	for i, id := range ids {
		if name := id.engineName(); name != "" {
			note, noted, err := l.noteOf(ctx, id, l.subject)
			if err != nil {
				return err
			}
			if noted {
				in[name] = append(in[name], note)
				note.into = &all[i]
			}
			continue
		}
		_, err := l.engineOf(id)
		if err != nil {
			all[i].unread = &Unread{Claims{ID: id, Subject: l.subject}, StorageEngine, err}
			continue
		}
		known, there, err := l.known(ctx, id, l.subject)
		if err != nil {
			return err
		}
		if there {
			all[i].known = &known
		}
	}
	l.readEngines(ctx, in)
	for _, f := range all {
		if f.known != nil {
			l.Known = append(l.Known, *f.known)
		}
		if f.unread != nil {
			l.Unread = append(l.Unread, *f.unread)
		}
	}
	return nil
}

// readEngines reads sessions in engines, by the engines' names.
func (l *listing) readEngines(ctx context.Context, in map[string][]*noted) {
	names := slices.Collect(maps.Keys(in))
	failed := make([]error, len(names))
	var reading sync.WaitGroup
	for i, name := range names {
		failed[i] = l.failed[name]
		reading.Go(func() {
			for _, note := range in[name] {
				failed[i] = l.readIn(ctx, note, failed[i])
			}
		})
	}
	reading.Wait()
	for i, name := range names {
		l.failed[name] = failed[i]
	}
}

// known reads a session of a subject in the storage.
func (s *Store) known(ctx context.Context, id ID, subject string) (Known, bool, error) {
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

// sessionsLimit leaves an operator time for the answer.
const sessionsLimit = 8 * time.Second
