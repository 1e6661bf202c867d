package session

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"
)

// Swept says what Sweep did.
type Swept struct {
	Days, Hours int  // that were removed as a whole
	Objects     int  // that were deleted
	More        bool // some are left for the next sweep
	AllPast     bool // every existing day seems to be past: nothing was deleted
}

// Sweep deletes the records of sessions that ended more than a week ago, and their
// entries of the feed. What is past has to be past by the clock of this node and by
// that of the storage, which a fresh object shows. Where everything is past, a wrong
// clock is more likely than that all sessions are over, and nothing is deleted. Several
// nodes may sweep at once.
//
// A clock that is wrong anyway ends sessions and revives none: a day's mark is written
// before its first record is deleted, stays, and ends every session of that day.
func (s *Store) Sweep(ctx context.Context) (Swept, error) {
	return call(ctx, s.memory, sweepLimit, func(ctx context.Context) (Swept, error) {
		if !s.memory.sweeping.TryLock() {
			return Swept{}, unavailable("sweeping", errors.New("an earlier sweep has not ended"))
		}
		defer s.memory.sweeping.Unlock()
		return s.sweep(ctx)
	})
}

func (s *Store) sweep(ctx context.Context) (Swept, error) {
	days, err := s.listTimes(ctx, path.Join(s.prefix, "sessions"), dayLayout)
	if err != nil {
		return Swept{}, err
	}
	hours, err := s.listTimes(ctx, s.feedKey(""), hourLayout)
	if err != nil || len(days)+len(hours) == 0 {
		return Swept{}, err
	}
	now, latest, err := s.clocks(ctx)
	if err != nil {
		return Swept{}, err
	}
	pastDays := slices.DeleteFunc(slices.Clone(days), func(day string) bool { return !isPast(day, now) })
	if len(days) > 0 && len(pastDays) == len(days) {
		return Swept{AllPast: true}, nil
	}

	var swept Swept
	for _, day := range pastDays {
		if err := s.ensure(ctx, s.sweptKey(day), revocation(s.now())); err != nil {
			return swept, err
		}
		if whole, err := s.sweepOwners(ctx, day, &swept); err != nil || !whole {
			return swept, err
		}
		folder := path.Join(s.prefix, "sessions", day)
		names, err := s.list(ctx, folder)
		if err != nil {
			return swept, err
		}
		names = slices.DeleteFunc(names, func(name string) bool { return !isSessionObject(name) })
		// markers last, for operators: the day's mark already refuses a record without
		// its marker
		slices.SortFunc(names, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
		if whole, err := s.deleteAll(ctx, folder, names, &swept); err != nil || !whole {
			return swept, err
		}
		if err := s.delete(ctx, folder); err != nil { // an empty directory, or what a crash left behind
			return swept, err
		}
		swept.Days++
	}
	if err := s.sweepUnownedDays(ctx, days, now, &swept); err != nil || swept.More {
		return swept, err
	}
	err = s.sweepFeed(ctx, hours, now, latest, &swept)
	return swept, err
}

// isPast tells whether a day ended more than a week ago.
func isPast(day string, now time.Time) bool {
	start, _ := time.Parse(dayLayout, day)
	return !now.Before(start.AddDate(0, 0, 1).Add(sweepDelay))
}

// deleteAll deletes objects in a folder, as many as one sweep may. It returns whether
// those were all.
func (s *Store) deleteAll(ctx context.Context, folder string, names []string, swept *Swept) (bool, error) {
	for _, name := range names {
		if swept.Objects == sweepObjects {
			swept.More = true
			return false, nil
		}
		if err := s.delete(ctx, path.Join(folder, name)); err != nil {
			return false, err
		}
		swept.Objects++
	}
	return true, nil
}

func (s *Store) delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return unavailable("deleting "+key, err)
	}
	if err := s.storage.Delete(ctx, key); err != nil && !s.missing(ctx, key) {
		return unavailable("deleting "+key, err) // otherwise another node was quicker, which some storages report as an error
	}
	return nil
}

// clocks is the time by the clock of this node and by that of the storage: first the
// one that is behind.
func (s *Store) clocks(ctx context.Context) (earliest, latest time.Time, err error) {
	probe := path.Join(s.prefix, "probe", newAnswer())
	if err := s.storage.Store(ctx, probe, revocation(s.now())); err != nil {
		return earliest, latest, unavailable("storing "+probe, err)
	}
	info, err := s.storage.Stat(ctx, probe)
	deleted := s.delete(ctx, probe)
	switch {
	case err != nil:
		return earliest, latest, unavailable("asking for the time of "+probe, err)
	case deleted != nil:
		return earliest, latest, deleted
	}
	earliest, latest = s.now(), info.Modified
	if latest.Before(earliest) { // a storage without times says the year 1, and then nothing is past
		earliest, latest = latest, earliest
	}
	return earliest, latest, nil
}

func isSessionObject(name string) bool { return isRandom(strings.TrimSuffix(name, markerSuffix)) }

const (
	sweepDelay   = 7 * 24 * time.Hour
	sweepObjects = 20_000
	sweepLimit   = 2 * time.Minute
)
