package session

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// feedHour is what this process knows about an hour of the feed. Its times are by the
// monotonic clock.
//
// A revocation is written into the newest existing hour, or a newer one, and once the
// entry is there its hour is checked again to be the newest. So what was acknowledged
// in an hour was in it before there was a newer hour, and a reading that begins after a
// newer hour was seen has it. Programs before this one did not look again, but were
// done within ten seconds: what a reading two minutes later finds is complete, and the
// hour is final.
type feedHour struct {
	seen    time.Time     // when the hour was first seen
	passed  time.Time     // when a newer hour was first seen; zero if none was
	read    time.Time     // when the last completed reading began; zero if none was
	ended   time.Time     // when that reading ended
	took    time.Duration // how long the last reading took, even if it failed
	failed  int           // failed readings since the last completed one
	entries int
	again   int // entries that were read before and read again while the hour was the newest
	final   bool
}

// isRead tells whether everything acknowledged in the hour before that time is known.
func (h *feedHour) isRead(since time.Time) bool {
	return h.final || !h.read.IsZero() && (!h.read.Before(since) || !h.passed.IsZero() && !h.read.Before(h.passed))
}

// isClosing tells whether only the reading that makes the hour final is left.
func (h *feedHour) isClosing(now time.Time) bool {
	return !h.final && !h.passed.IsZero() && !h.read.Before(h.passed) && now.Sub(h.passed) >= closingAfter
}

// isDue tells whether to read the hour now. An hour with much in it is read rarely
// enough to leave time for other work.
func (h *feedHour) isDue(now time.Time, recent bool) bool {
	switch {
	case h.final:
		return false
	case h.read.IsZero() || !h.passed.IsZero() && h.read.Before(h.passed):
		return true
	case h.entries > usualPages.full && now.Sub(h.ended) < restFor*h.took:
		return false
	case h.passed.IsZero() || now.Sub(h.passed) >= closingAfter:
		return true
	}
	return recent && now.Sub(h.passed) < lateFor && h.entries <= recentEntries
}

// readAnew forgets how far the feed was read, but nothing that was in it.
func (v *view) readAnew() {
	clear(v.hours)
	v.lostSince = time.Time{}
	v.reading++
}

// known returns the hours about which something is known.
func (v *view) known() []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Collect(maps.Keys(v.hours))
}

// saw takes in which hours exist, in order. The newest hour is never removed, so a
// storage that has only older hours is not believed for a minute; after that an
// operator may have removed it by hand.
func (v *view) saw(hours []string, now time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var lost error
	newest := ""
	if len(hours) > 0 {
		newest = hours[len(hours)-1]
	}
	if known := slices.Collect(maps.Keys(v.hours)); len(known) > 0 && newest < slices.Max(known) {
		if v.lostSince.IsZero() {
			v.lostSince = now
		}
		if now.Sub(v.lostSince) < disbeliefFor {
			lost = unavailable("reading revocations", errors.New("the newest hour is gone: does the storage list all that it has?"))
		} else {
			v.readAnew()
		}
	} else {
		v.lostSince = time.Time{}
	}
	for i, name := range hours {
		h := v.hours[name]
		if h == nil {
			h = &feedHour{seen: now}
			v.hours[name] = h
		}
		if i < len(hours)-1 && h.passed.IsZero() {
			h.passed = now
		}
	}
	if lost == nil {
		maps.DeleteFunc(v.hours, func(name string, _ *feedHour) bool { return !isIn(hours, name) })
	}
	return lost
}

func isIn(sorted []string, name string) bool {
	_, found := slices.BinarySearch(sorted, name)
	return found
}

// due says which hours to read: the hours that a poll waits for, and the hours that can
// take long or are not urgent. urgent are those of both without which recent
// revocations may not be known.
func (v *view) due(hours []string, now time.Time) (quick, slow, urgent []string) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for i, name := range slices.Backward(hours) {
		h := v.hours[name]
		if !h.isDue(now, i >= len(hours)-recentHours) {
			continue
		}
		closing := h.isClosing(now)
		if !closing {
			urgent = append(urgent, name)
		}
		if closing || h.read.IsZero() && !v.complete || h.took > slowly {
			slow = append(slow, name)
		} else {
			quick = append(quick, name)
		}
	}
	// what fails must not keep others from being read
	slices.SortStableFunc(slow, func(a, b string) int { return v.hours[a].failed - v.hours[b].failed })
	return quick, slow, urgent
}

// isReadBefore tells whether an hour was read.
func (v *view) isReadBefore(name string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	h := v.hours[name]
	return h != nil && !h.read.IsZero()
}

// begun returns which reading anew this one belongs to, and how often the hour failed.
func (v *view) begun(name string) (reading, failed int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if h := v.hours[name]; h != nil {
		failed = h.failed
	}
	return v.reading, failed
}

// ended takes in whether an hour was read.
func (v *view) ended(name string, reading int, began time.Time, entries int, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	h := v.hours[name]
	if h == nil || reading != v.reading {
		return
	}
	h.ended = time.Now()
	h.took = h.ended.Sub(began)
	if err != nil {
		h.failed++
		return
	}
	if h.passed.IsZero() {
		h.again += min(h.entries, entries)
	}
	h.read, h.entries, h.failed = began, entries, 0
	h.final = !h.passed.IsZero() && began.Sub(h.passed) >= closingAfter
}

// catchesUp tells whether settle is about to say that the view now knows about every
// session, after a time when it did not.
func (v *view) catchesUp(reading int, witnessed bool) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return reading == v.reading && witnessed && (!v.complete || v.knowFrom > v.keepFrom) && v.allRead()
}

func (v *view) allRead() bool {
	for _, h := range v.hours {
		if h.read.IsZero() {
			return false
		}
	}
	return true
}

// settle takes in how far a poll that began at that time, by both clocks, got. From a
// storage that has not yet shown that it is the one with the sessions, what was read
// counts, but it does not count as complete.
func (v *view) settle(reading int, at, began time.Time, witnessed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if reading != v.reading || !witnessed || !v.allRead() {
		return
	}
	current := true
	for _, h := range v.hours {
		current = current && h.isRead(began)
	}
	v.complete, v.knowFrom = true, v.keepFrom
	if current && v.atBy.Before(began) {
		v.at, v.atBy = at, began
	}
}

// areRead tells whether all hours were read that a poll begun at that time had to read.
func (v *view) areRead(names []string, began time.Time) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return !slices.ContainsFunc(names, func(name string) bool {
		h := v.hours[name]
		return h != nil && !h.isRead(began)
	})
}

const (
	// recentHours are read at every poll for lateFor after there is a newer hour, unless
	// they have many entries: earlier versions may still write.
	recentHours   = 3
	recentEntries = 100
	lateFor       = 15 * time.Second

	closingAfter = 2 * time.Minute
	disbeliefFor = time.Minute

	// slowly is how long an hour takes for no poll to wait for it.
	slowly = time.Second

	// restFor is how many times as long as it took an hour with many entries is left
	// alone.
	restFor = 20
)
