package session

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// view is the revoked sessions whose access tokens may still live, as this process knows them. It only grows, apart
// from hours that are over.
type view struct {
	mu      sync.RWMutex
	revoked map[ID]string   // to the hour of its feed entry, or in which this process learned of it, if that is later
	read    map[string]bool // hours that were read
	at      time.Time       // when the last complete reading began, by the wall clock; zero before the first
}

// InView tells whether a session is known to be revoked, without asking storage. known is false until the revocations
// were read completely for the first time.
func (m *Memory) InView(id ID) (revoked, known bool) {
	m.view.mu.RLock()
	defer m.view.mu.RUnlock()
	_, revoked = m.view.revoked[id]
	return revoked, !m.view.at.IsZero()
}

// ViewReadAt is when the revocations were last read completely, zero if never.
func (m *Memory) ViewReadAt() time.Time {
	m.view.mu.RLock()
	defer m.view.mu.RUnlock()
	return m.view.at
}

// Poll reads the revocations of other nodes: of the hours in which an access token can still be alive that was issued
// before. keep is the longest time that one lives. When it fails, what is known stays.
func (s *Store) Poll(ctx context.Context, keep time.Duration) error {
	_, err := call(ctx, s.memory, pollLimit, func(ctx context.Context) (struct{}, error) {
		if !s.memory.polling.TryLock() {
			return struct{}{}, unavailable("reading revocations", errors.New("an earlier reading has not ended"))
		}
		defer s.memory.polling.Unlock()
		return struct{}{}, s.poll(ctx, keep)
	})
	return err
}

// poll goes by the clocks of several nodes, any of which can be wrong. So the newest hours that there are count as
// well as those that are the newest by this node's clock, and an entry is never put into an hour before these. And what
// is in the view stays as if it had been revoked when it was found, should its hour be too early.
func (s *Store) poll(ctx context.Context, keep time.Duration) error {
	begun := s.now()
	hours, err := s.listTimesBesides(ctx, s.feedKey(""), hourLayout, s.memory.view.hours())
	if err != nil {
		return err
	}
	s.memory.view.hasOnly(hours)
	newest := hours[max(0, len(hours)-openHours):]
	open := hourOf(begun.Add(-time.Hour))
	oldest := hourOf(begun.Add(-keep - time.Hour))

	if len(newest) > 0 {
		oldest = min(oldest, newest[0])
	}
	for _, hour := range hours {
		if hour < oldest {
			continue
		}
		if s.memory.view.hasRead(hour) && hour < open && !slices.Contains(newest, hour) {
			continue // nobody adds to it any more
		}
		entries, err := s.list(ctx, s.feedKey(hour))
		if err != nil {
			return err
		}
		s.memory.view.addAll(hour, hourOf(begun), entries)
	}
	s.memory.view.completed(begun, oldest)
	return nil
}

func (v *view) has(id ID) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ok := v.revoked[id]
	return ok
}

func (v *view) add(hour string, id ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.revoked[id] = max(v.revoked[id], hour)
}

func (v *view) addAll(hour, found string, entries []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, entry := range entries {
		id, ok := ParseID(entry)
		if !ok {
			continue
		}
		if known := v.revoked[id]; known != "" {
			v.revoked[id] = max(known, hour)
		} else {
			v.revoked[id] = max(found, hour)
		}
	}
	v.read[hour] = true
}

func (v *view) hasRead(hour string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.read[hour]
}

// hours are those that were read.
func (v *view) hours() []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Collect(maps.Keys(v.read))
}

// hasOnly forgets that hours were read which are gone.
func (v *view) hasOnly(hours []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.read, func(hour string, _ bool) bool { return !slices.Contains(hours, hour) })
}

// completed ends a reading: what is before the oldest hour that matters is forgotten.
func (v *view) completed(at time.Time, oldest string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at = at
	maps.DeleteFunc(v.revoked, func(_ ID, hour string) bool { return hour < oldest })
	maps.DeleteFunc(v.read, func(hour string, _ bool) bool { return hour < oldest })
}

func hourOf(t time.Time) string { return t.UTC().Format(hourLayout) }

const (
	openHours = 3
	pollLimit = 30 * time.Second
)
