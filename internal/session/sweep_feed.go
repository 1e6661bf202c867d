package session

import (
	"context"
	"maps"
	"slices"
	"time"
)

// sweepFeed deletes the entries of sessions that ended more than a week ago. The newest
// hour stays, or entries would be put into hours that are no longer read. If that hour
// is past as well, everything stays, as with days.
//
// An hour is looked through when half of its entries are past, going by the last look:
// so sessions that last long, and forged ones that pretend to, keep themselves and
// nothing else.
func (s *Store) sweepFeed(ctx context.Context, hours []string, now, latest time.Time, swept *Swept) error {
	if s.memory.sweepDue == nil {
		s.memory.sweepDue = make(map[string]string)
	}
	maps.DeleteFunc(s.memory.sweepDue, func(hour, _ string) bool { return !isIn(hours, hour) })
	var newest string
	if len(hours) > 0 {
		newest = hours[len(hours)-1]
	}
	for _, hour := range slices.Backward(hours) {
		day, soonest := hour[:len(dayLayout)], hour[:len(dayLayout)] // a session that is over is usually not revoked
		if hour > hourOf(latest.Add(24*time.Hour)) {
			soonest = "" // many pages were turned, or a clock was wrong
			if hour == newest {
				continue
			}
		}
		if !isPast(max(soonest, s.memory.sweepDue[hour]), now) {
			continue
		}
		names, err := s.listKnown(ctx, s.feedKey(hour)) // what is in it and not listed would be deleted with it
		if err != nil {
			return err
		}
		entries := feedEntries(names, day, latest)
		s.memory.sweepDue[hour] = halfPast(entries)
		if !isPast(max(soonest, s.memory.sweepDue[hour]), now) {
			continue
		}
		if hour == newest {
			return nil
		}
		past := slices.DeleteFunc(names, func(name string) bool {
			day, ours := entries[name]
			return !ours || !isPast(day, now)
		})
		if whole, err := s.deleteAll(ctx, s.feedKey(hour), past, swept); err != nil || !whole {
			return err
		}
		if len(past) < len(entries) {
			maps.DeleteFunc(entries, func(_, day string) bool { return isPast(day, now) })
			s.memory.sweepDue[hour] = halfPast(entries)
			continue
		}
		switch left, err := s.listKnown(ctx, s.feedKey(hour)); { // a list may have lacked some
		case err != nil:
			return err
		case len(feedEntries(left, day, latest)) > 0:
			continue
		}
		if err := s.delete(ctx, s.feedKey(hour)); err != nil { // an empty directory, or what a crash left behind
			return err
		}
		swept.Hours++
	}
	return nil
}

// feedEntries maps the objects of an hour that are ours to the day after which they are
// worthless. A session that ends later than possible is forged, and counts as over:
// hour and clock would both have to be wrong by years.
func feedEntries(names []string, hour string, latest time.Time) map[string]string {
	possible := latest
	if start, _ := time.Parse(dayLayout, hour); start.After(latest) {
		possible = start
	}
	longest := possible.Add(longestSession).UTC().Format(dayLayout)
	entries := make(map[string]string, len(names))
	for _, name := range names {
		switch id, ok := ParseID(name); {
		case ok && id.day <= longest:
			entries[name] = id.day
		case ok:
			entries[name] = hour
		case name == pageName:
			entries[name] = "" // another hour is the newest
		}
	}
	return entries
}

// halfPast is the day after which half of the entries are worthless, empty without
// entries.
func halfPast(entries map[string]string) string {
	days := slices.Sorted(maps.Values(entries))
	if len(days) == 0 {
		return ""
	}
	return days[len(days)/2]
}

// longestSession is longer than a config allows a session to be.
const longestSession = (10*365 + 31) * 24 * time.Hour
