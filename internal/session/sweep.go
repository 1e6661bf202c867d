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
	More        bool // some are left for the next time
	AllPast     bool // every day that there is seems to be past: nothing was deleted
}

// Sweep deletes the records of sessions that ended more than a week ago, and the hours of the feed for which no access
// token lives any more: keep is the longest time that one lives. What is past has to be past by the clock of this node
// and by that of the storage, which a fresh object tells. Where everything is past, the clock is more likely to be
// wrong than all sessions to be over, and nothing is deleted. Several nodes may sweep at once.
//
// A clock that is wrong all the same ends sessions and revives none: a day's mark is written before its first record is
// deleted, stays, and ends every session of that day.
func (s *Store) Sweep(ctx context.Context, keep time.Duration) (Swept, error) {
	return call(ctx, s.memory, sweepLimit, func(ctx context.Context) (Swept, error) {
		if !s.memory.sweeping.TryLock() {
			return Swept{}, unavailable("sweeping", errors.New("an earlier sweep has not ended"))
		}
		defer s.memory.sweeping.Unlock()
		return s.sweep(ctx, keep)
	})
}

func (s *Store) sweep(ctx context.Context, keep time.Duration) (Swept, error) {
	days, err := s.listTimes(ctx, path.Join(s.prefix, "sessions"), dayLayout)
	if err != nil {
		return Swept{}, err
	}
	hours, err := s.listTimes(ctx, s.feedKey(""), hourLayout)
	if err != nil || len(days)+len(hours) == 0 {
		return Swept{}, err
	}
	now, err := s.earliestNow(ctx)
	if err != nil {
		return Swept{}, err
	}
	pastDays := slices.DeleteFunc(slices.Clone(days), func(day string) bool {
		start, _ := time.Parse(dayLayout, day)
		return now.Before(start.AddDate(0, 0, 1).Add(sweepDelay))
	})
	if len(days) > 0 && len(pastDays) == len(days) {
		return Swept{AllPast: true}, nil
	}
	pastHours := slices.DeleteFunc(slices.Clone(hours), func(hour string) bool {
		start, _ := time.Parse(hourLayout, hour)
		return now.Before(start.Add(time.Hour + keep + sweepDelay))
	})
	if len(pastHours) == len(hours) {
		pastHours = nil // as with days
	}

	var swept Swept
	for _, day := range pastDays {
		if err := s.ensure(ctx, s.sweptKey(day), revocation(s.now())); err != nil {
			return swept, err
		}
		whole, err := s.deleteFolder(ctx, path.Join(s.prefix, "sessions", day), isSessionObject, &swept)
		if err != nil || !whole {
			return swept, err
		}
		swept.Days++
	}
	for _, hour := range pastHours {
		whole, err := s.deleteFolder(ctx, s.feedKey(hour), isFeedEntry, &swept)
		if err != nil || !whole {
			return swept, err
		}
		swept.Hours++
	}
	return swept, nil
}

// deleteFolder deletes our objects in a folder and then the folder, as far as one sweep may. It returns whether it is gone.
func (s *Store) deleteFolder(ctx context.Context, folder string, ours func(string) bool, swept *Swept) (bool, error) {
	names, err := s.list(ctx, folder)
	if err != nil {
		return false, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !ours(name) })
	// markers last, for people who look: the day's mark makes a record without its marker worth nothing
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
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
	// what is left is an empty directory, or what a crash left behind
	return true, s.delete(ctx, folder)
}

func (s *Store) delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return unavailable("deleting "+key, err)
	}
	if err := s.storage.Delete(ctx, key); err != nil && !s.missing(ctx, key) {
		return unavailable("deleting "+key, err) // else another node was quicker, which some storages call an error
	}
	return nil
}

// earliestNow is the time by the clock of this node or by that of the storage, whichever is behind.
func (s *Store) earliestNow(ctx context.Context) (time.Time, error) {
	probe := path.Join(s.prefix, "probe", newAnswer())
	if err := s.storage.Store(ctx, probe, revocation(s.now())); err != nil {
		return time.Time{}, unavailable("storing "+probe, err)
	}
	info, err := s.storage.Stat(ctx, probe)
	deleted := s.delete(ctx, probe)
	switch {
	case err != nil:
		return time.Time{}, unavailable("asking for the time of "+probe, err)
	case deleted != nil:
		return time.Time{}, deleted
	}
	now := s.now()
	if info.Modified.Before(now) { // a storage that does not tell says the year 1, and then nothing is past
		now = info.Modified
	}
	return now, nil
}

func isSessionObject(name string) bool { return isRandom(strings.TrimSuffix(name, markerSuffix)) }

func isFeedEntry(name string) bool {
	_, ok := ParseID(name)
	return ok
}

const (
	sweepDelay   = 7 * 24 * time.Hour
	sweepObjects = 20_000
	sweepLimit   = 2 * time.Minute
)
