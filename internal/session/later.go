package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// later holds the revocations that have to wait for their allowance. Their sessions are
// over in this process at once, and in all other processes once they are written. What
// still waits when the process ends is lost.
type later struct {
	count atomic.Int64 // of those that wait, so that no caller waits for the mutex where there are none

	mu      sync.Mutex
	waiting map[ID]bool
	lines   map[lineOf]*line
	stores  []*Store             // of the running configs; the newest is used for writing
	paused  map[string]time.Time // until when nothing is written to an engine, since it failed; monotonic
	running bool
	closed  bool
	wake    chan struct{} // holds one token when something changed
}

// lineOf is what the revocations of a line have in common. An engine that is down, or
// that the running config does not have, holds up those that live in it.
type lineOf struct {
	allowance Allowance
	engine    string // its name; empty: the storage
}

// line holds revocations in their order.
type line struct {
	ids []ID
	due time.Time // monotonic
}

func newLater() later {
	return later{waiting: make(map[ID]bool), lines: make(map[lineOf]*line), paused: make(map[string]time.Time), wake: make(chan struct{}, 1)}
}

// has tells whether the revocation of a session waits.
func (l *later) has(id ID) bool {
	if l.count.Load() == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting[id]
}

// Serve has a store write what waits, as long as it runs and no newer store does; Leave
// ends that.
func (m *Memory) Serve(s *Store) {
	m.later.mu.Lock()
	defer m.later.mu.Unlock()
	m.later.stores = append(m.later.stores, s)
	m.later.stir()
}

// Leave ends what Serve began. It does nothing for a store that does not serve.
func (m *Memory) Leave(s *Store) {
	m.later.mu.Lock()
	defer m.later.mu.Unlock()
	m.later.stores = slices.DeleteFunc(m.later.stores, func(other *Store) bool { return other == s })
}

// Close ends the writing; what still waits is lost.
func (m *Memory) Close() {
	m.later.mu.Lock()
	defer m.later.mu.Unlock()
	m.later.closed = true
	m.later.stir()
}

// RevokeLater revokes a session for which there is no allowance yet: at once for this
// process, and in storage as soon as the allowance is there. It returns false if too
// many wait already. A session that waits is not taken in again.
func (s *Store) RevokeLater(id ID, after time.Duration) bool {
	l := &s.memory.later
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.waiting[id]:
		return true
	case len(l.waiting) >= maxWaiting || l.closed:
		return false
	}
	place := lineOf{s.allowance, id.engineName()}
	of := l.lines[place]
	if of == nil {
		of = &line{due: time.Now().Add(after)}
		l.lines[place] = of
	}
	of.ids = append(of.ids, id)
	l.waiting[id] = true
	l.count.Store(int64(len(l.waiting)))
	if !l.running {
		l.running = true
		go s.memory.writeLater()
	}
	l.stir()
	return true
}

// stir has the writer look again.
func (l *later) stir() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// writeLater writes what waits, until nothing does.
func (m *Memory) writeLater() {
	for {
		d, wait, ok := m.later.next()
		switch {
		case !ok:
			return
		case wait > 0:
			m.later.sleep(wait)
			continue
		}
		err := d.store.Within(d.line.allowance).Revoke(context.Background(), d.id)
		notYet, bounded := errors.AsType[*NotYetError](err)
		switch {
		case err == nil:
			m.later.written(d)
		case bounded:
			m.later.putOff(d, notYet.After)
		default:
			m.later.pause(d.line.engine) // it failed, and would fail for the others that live there
		}
	}
}

// dueRevocation is a revocation whose time has come.
type dueRevocation struct {
	store *Store
	line  lineOf
	id    ID
}

// next returns what is due, or how long to wait for that. It is not ok when the writer
// has to end.
func (l *later) next() (d dueRevocation, wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.lines) == 0 {
		l.running = false
		return d, 0, false
	}
	var due time.Time
	for place, of := range l.lines {
		at := of.due
		if paused := l.paused[place.engine]; at.Before(paused) {
			at = paused
		}
		if due.IsZero() || at.Before(due) {
			due, d.line, d.id = at, place, of.ids[0]
		}
	}
	if len(l.stores) == 0 {
		return d, laterPause, true // or until a store serves
	}
	d.store = l.stores[len(l.stores)-1]
	return d, time.Until(due), true
}

func (l *later) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.wake:
	}
}

// written removes the first of a line.
func (l *later) written(d dueRevocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.lines[d.line]
	if of.ids = of.ids[1:]; len(of.ids) == 0 {
		delete(l.lines, d.line)
	}
	delete(l.waiting, d.id)
	l.count.Store(int64(len(l.waiting)))
}

func (l *later) putOff(d dueRevocation, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[d.line].due = time.Now().Add(after)
}

func (l *later) pause(engine string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused[engine] = time.Now().Add(laterPause)
}

const (
	maxWaiting = 10_000
	laterPause = 10 * time.Second
)
