package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// notices is what a process knows of the notices.
type notices struct {
	set     atomic.Pointer[noticeSet] // nil until they were read for the first time
	taking  sync.Mutex                // what was read
	partly  readPartly
	shared  sharedReading
	decoded atomic.Pointer[decodedLatest]

	mu    sync.Mutex
	heard func(Notice) // nil: none
}

// OnNotice has a function called with each notice that comes after those of the first
// reading, in place of the function that was set before.
func (m *Memory) OnNotice(heard func(Notice)) {
	m.notices.mu.Lock()
	defer m.notices.mu.Unlock()
	m.notices.heard = heard
}

// Notices are those known, newest first. read is false until they were read for the
// first time.
func (m *Memory) Notices() (all []Notice, read bool) {
	set := m.notices.set.Load()
	if set == nil {
		return nil, false
	}
	for _, n := range set.byName {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b Notice) int { return cmp.Compare(b.Number, a.Number) })
	return all, true
}

// Ended tells whether a notice that this process knows ends the session. known is false
// until the notices were read for the first time.
func (m *Memory) Ended(c Claims) (ended, known bool) {
	set := m.notices.set.Load()
	return set != nil && set.ended(c), set != nil
}

// KeyEnded tells whether an API key has ended in this process, or by a notice that the
// process knows. known is false until the notices were read for the first time.
func (m *Memory) KeyEnded(fingerprint string) (ended, known bool) {
	if m.isUntold(fingerprint) {
		return true, true
	}
	set := m.notices.set.Load()
	return set != nil && set.keyEnded(fingerprint), set != nil
}

// EndedNow tells whether a notice ends the session, by what storage has.
func (s *Store) EndedNow(ctx context.Context, c Claims) (bool, error) {
	if err := s.memory.notices.shared.do(ctx, s.ReadNotices); err != nil {
		return false, err
	}
	ended, known := s.memory.Ended(c)
	if !known {
		return false, unavailable("reading notices", errNothingYet)
	}
	return ended, nil
}

// Version is for the tokens of a session that begins now: the number of the last notice
// that this process knows. Storage is read only if that never happened yet.
func (s *Store) Version(ctx context.Context) (int64, error) {
	if s.memory.notices.set.Load() == nil {
		if err := s.memory.notices.shared.do(ctx, s.ReadNotices); err != nil {
			return 0, err
		}
	}
	set := s.memory.notices.set.Load()
	if set == nil {
		return 0, nil // there is nothing in storage yet, not even what signs tokens
	}
	return set.latest.Number, nil
}

// ReadNotices learns what operators have told since the last time. One small object is
// read, and the notices only if it has changed. What is known stays known, whatever
// storage says.
func (s *Store) ReadNotices(ctx context.Context) error {
	_, err := call(ctx, s.memory, readLimit, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.readNotices(ctx)
	})
	return err
}

func (s *Store) readNotices(ctx context.Context) error {
	known := s.memory.notices.set.Load()
	for range announceTries {
		latest, err := s.loadLatest(ctx, known)
		if err != nil || latest == nil {
			return err
		}
		if known != nil && known.latest.Change == latest.Change {
			return nil
		}
		all, whole, err := s.loadNotices(ctx, *latest, known)
		if err != nil {
			return err
		}
		if whole && known == nil { // else what is known makes up for it
			whole, err = s.isLatest(ctx, *latest)
		}
		if err != nil {
			return err
		}
		if whole {
			s.takeNotices(*latest, all)
			return nil
		}
	}
	return unavailable("reading notices", errors.New("they changed during every attempt"))
}

// isLatest tells whether nothing was told since. A folder is not listed in one moment:
// a list may lack a notice that is added meanwhile, and also the older one that is
// deleted for it.
func (s *Store) isLatest(ctx context.Context, latest latestNotice) (bool, error) {
	content, err := s.load(ctx, s.noticeKey(latestName))
	switch {
	case err != nil:
		return false, err
	case content == nil:
		return latest == (latestNotice{}), nil
	}
	return decodeLatest(content).Change == latest.Change, nil
}

// loadLatest reads the object that tells of news. It returns nil where the storage has
// nothing of this server yet, as before a first start. An object that is missing after
// it was seen is an error.
func (s *Store) loadLatest(ctx context.Context, known *noticeSet) (*latestNotice, error) {
	key := s.noticeKey(latestName)
	content, err := s.load(ctx, key)
	if err == nil && content == nil && known != nil && known.latest != (latestNotice{}) {
		return nil, unavailable("loading "+key, errors.New("it was there before"))
	}
	if err == nil && content == nil {
		if err := s.askWitness(ctx); err != nil {
			if s.memory.witnessed.Load() {
				return nil, err
			}
			return nil, nil
		}
		if known == nil && !s.tellsErrors() {
			if _, err := s.awaitSign(ctx); err != nil {
				return nil, err
			}
		}
		content, err = s.load(ctx, key)
	}
	if err == nil && content == nil && known == nil {
		content, err = s.latestAmongNotices(ctx)
	}
	switch {
	case err != nil:
		return nil, err
	case content == nil:
		return new(latestNotice), nil
	}
	return s.memory.notices.decode(content), nil
}

// decode is decodeLatest, which is seldom called on anything else than the last time.
func (m *notices) decode(content []byte) *latestNotice {
	if last := m.decoded.Load(); last != nil && last.content == string(content) {
		return &last.latest
	}
	now := &decodedLatest{string(content), decodeLatest(content)}
	m.decoded.Store(now)
	return &now.latest
}

// decodedLatest is the object that tells of news, and what it says. It is never changed.
type decodedLatest struct {
	content string
	latest  latestNotice
}

// latestAmongNotices is the object that tells of news, where a look found none. If there
// are notices it must be there, and may have been made since that look.
func (s *Store) latestAmongNotices(ctx context.Context) (content []byte, err error) {
	names, err := s.list(ctx, s.noticeKey(""))
	if err != nil || !slices.ContainsFunc(names, func(name string) bool { return name == latestName || noticeName.MatchString(name) }) {
		return nil, err
	}
	key := s.noticeKey(latestName)
	if content, err = s.load(ctx, key); err == nil && content == nil {
		err = unavailable("loading "+key, errors.New("there are notices without it"))
	}
	return content, err
}

// loadNotices reads the notices that are not known yet. The one of the latest number has
// to be among them: it is in storage first. They are not whole if one was deleted
// meanwhile, for which there is a newer one then.
func (s *Store) loadNotices(ctx context.Context, latest latestNotice, known *noticeSet) (all map[string]Notice, whole bool, err error) {
	all = make(map[string]Notice)
	if latest == (latestNotice{}) {
		return all, true, nil
	}
	names, err := signed(ctx, s, func() ([]string, error) { return s.listKnown(ctx, s.noticeKey("")) })
	if err != nil {
		return nil, false, err
	}
	newest := latest.Number <= 0
	var unknown [][]string
	for _, name := range names {
		parts := noticeName.FindStringSubmatch(name)
		if parts == nil {
			continue
		}
		n, has := s.knownNotice(known, name)
		if !has {
			unknown = append(unknown, parts)
			n.Number = numberOf(parts)
		}
		all[name] = n
		newest = newest || n.Number >= latest.Number
	}
	if !newest {
		return nil, false, unavailable("listing "+s.noticeKey(""), fmt.Errorf("the latest notice is missing; if it is lost, delete %s, restart all nodes, and revoke again", s.noticeKey(latestName)))
	}
	whole, err = s.loadEach(ctx, unknown, all)
	return all, whole, err
}

// takeNotices takes in what was read, and tells of what is new.
func (s *Store) takeNotices(latest latestNotice, read map[string]Notice) {
	m := &s.memory.notices
	m.taking.Lock()
	defer m.taking.Unlock()
	known := m.set.Load()
	latest.Number = newNoticeSet(latest, read).number()
	m.partly.forget()
	if known == nil {
		m.set.Store(newNoticeSet(latest, read))
		return
	}
	if latest.Number < known.latest.Number { // an older reading, or an older storage
		latest.Number = known.latest.Number
	}
	all := make(map[string]Notice, len(read))
	var news []Notice
	for name, n := range read {
		all[name] = n
		if _, before := known.byName[name]; !before {
			news = append(news, n)
		}
	}
	for name, n := range known.byName {
		if _, still := read[name]; still || !n.isForgotten(s.now()) {
			all[name] = n
		}
	}
	set := newNoticeSet(latest, all)
	for _, name := range set.superseded(time.Time{}) {
		delete(all, name)
	}
	m.set.Store(newNoticeSet(latest, all))
	slices.SortFunc(news, func(a, b Notice) int { return cmp.Compare(a.Number, b.Number) })
	m.mu.Lock()
	heard := m.heard
	m.mu.Unlock()
	for _, n := range news {
		if heard != nil && !n.IsDamaged() {
			heard(n)
		}
	}
}

// errNothingYet is for the time before a first start, when the storage does not even
// have what signs tokens.
var errNothingYet = errors.New("the storage has nothing of this server yet")

func (s *Store) noticeKey(name string) string { return path.Join(s.prefix, "notices", name) }

const latestName = "latest"
