package session

import (
	"maps"
	"strings"
	"sync"
	"time"
)

// view is the revoked sessions as this process knows them, and how far it has read the
// feed.
//
// No token outlives its session, and an ID says on which day that ends: so a revocation
// is kept until that day is over, whatever lifetimes the config gives to tokens. When a
// clock goes back, what was forgotten matters again: the view then does not claim to
// know such a session, and reads the feed anew.
type view struct {
	mu       sync.RWMutex
	revoked  map[string]map[random]struct{} // by day
	swept    map[string]struct{}            // days that this process still keeps, although their sessions are over
	keepFrom string                         // the first day whose revocations are kept when read
	knowFrom string                         // the first day of which nothing that was read was dropped
	complete bool                           // whether all of the feed was read once

	hours     map[string]*feedHour // that exist
	pages     pageLimits
	reading   int       // which reading anew it is
	lostSince time.Time // since when the newest hour is gone, by the monotonic clock

	at   time.Time // when the last complete reading of what may have changed began, by the wall clock; zero before the first
	atBy time.Time // the same by the monotonic one
}

// random is the random bits of an ID: a million of them take some 30 MB, and three
// times as much as strings.
type random [idBytes]byte

func (id ID) bits() (bits random) {
	for i := range bits {
		bits[i] = digit(id.random[2*i])<<4 | digit(id.random[2*i+1])
	}
	return bits
}

// digit is the value of 0 to 9 or a to f, without a branch: every check of a token runs
// it.
func digit(c byte) byte { return c&0x0f + c>>6*9 }

func newView() view {
	return view{
		revoked: make(map[string]map[random]struct{}),
		swept:   make(map[string]struct{}),
		hours:   make(map[string]*feedHour),
		pages:   usualPages,
	}
}

// InView tells whether a session is known to be revoked, without asking storage. known
// is false where the view cannot tell: for a session in an engine, until the revocations
// were read completely for the first time, and for a session that was already over by an earlier time of this
// node's clock.
func (m *Memory) InView(id ID) (revoked, known bool) {
	m.view.mu.RLock()
	defer m.view.mu.RUnlock()
	return m.view.holds(id) || m.later.has(id), id.engine == "" && m.view.complete && id.day >= m.view.knowFrom
}

// HasRevocation tells whether the revocation of a session is in the feed, or waits to be
// put there. The end of a day that is swept is none: other nodes need not know of that.
func (m *Memory) HasRevocation(id ID) bool {
	return m.view.has(id) || m.later.has(id)
}

// ViewReadAt is when the revocations in the storage were last read completely, zero if
// never.
func (m *Memory) ViewReadAt() time.Time {
	m.view.mu.RLock()
	defer m.view.mu.RUnlock()
	return m.view.at
}

// ViewSize is how many revoked sessions are known.
func (m *Memory) ViewSize() (sessions int) {
	m.view.mu.RLock()
	defer m.view.mu.RUnlock()
	for _, day := range m.view.revoked {
		sessions += len(day)
	}
	return sessions
}

// isComplete tells whether all of the feed was read once.
func (v *view) isComplete() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.complete
}

// sweep takes in which days are swept.
func (v *view) sweep(days []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.swept)
	for _, day := range days {
		if day >= v.keepFrom {
			v.swept[day] = struct{}{}
		}
	}
}

// holds tells whether a session counts as revoked: by a revocation, or as its day is swept.
func (v *view) holds(id ID) bool {
	if id.engine == "" && len(v.swept) > 0 { // an engine says itself what is over, by its own clock
		if _, swept := v.swept[id.day]; swept {
			return true
		}
	}
	return v.hasRevocation(id)
}

func (v *view) hasRevocation(id ID) bool {
	day := v.revoked[id.day]
	if day == nil {
		return false // so most checks decode nothing
	}
	_, held := day[id.bits()]
	return held
}

// has tells whether the revocation of a session is known, see HasRevocation.
func (v *view) has(id ID) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.hasRevocation(id)
}

func (v *view) add(id ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hold(id)
}

func (v *view) hold(id ID) {
	day := v.revoked[id.day]
	if day == nil {
		day = make(map[random]struct{})
		v.revoked[strings.Clone(id.day)] = day // id.day is a part of something longer
	}
	day[id.bits()] = struct{}{}
}

// addAll takes in the entries of an hour, and returns how many there are. A caller that
// asks meanwhile waits for a few of them only.
func (v *view) addAll(names []string) (entries int) {
	const atOnce = 1000
	ids := make([]ID, 0, min(len(names), atOnce))
	for len(names) > 0 {
		some := names[:min(len(names), atOnce)]
		names, ids = names[len(some):], ids[:0]
		for _, name := range some {
			if id, ok := ParseID(name); ok {
				ids = append(ids, id)
			}
		}
		entries += len(ids)
		v.mu.Lock()
		for _, id := range ids {
			if id.day >= v.keepFrom {
				v.hold(id)
			}
		}
		v.mu.Unlock()
	}
	return entries
}

// forget drops the sessions that are over by this time: none of their tokens is valid,
// even with the largest leeway. It tells whether it drops any. kept is told of the first
// day that stays, before a caller can ask again.
func (v *view) forget(now time.Time, kept func(from string)) (dropped bool) {
	from := now.Add(-keepLonger).UTC().Format(dayLayout)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case from < v.keepFrom:
		v.readAnew()
	case from > v.keepFrom:
		before := len(v.revoked) + len(v.swept)
		maps.DeleteFunc(v.revoked, func(day string, _ map[random]struct{}) bool { return day < from })
		maps.DeleteFunc(v.swept, func(day string, _ struct{}) bool { return day < from })
		dropped = len(v.revoked)+len(v.swept) < before
	}
	v.keepFrom = from
	v.knowFrom = max(v.knowFrom, from)
	kept(from)
	return dropped
}

// keepLonger is how long after its day a session is remembered: longer than the largest
// leeway of a config.
const keepLonger = 25 * time.Hour
