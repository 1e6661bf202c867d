// Package seldomlog keeps lines that a client can cause at will from filling the log.
package seldomlog

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// Log writes lines of one kind at most once a minute. A client that runs into a bound
// can do so as often as it sends requests, and the log must not grow where storage does
// not. The zero value is ready, and safe for concurrent use.
type Log struct {
	mu    sync.Mutex
	kinds map[string]*minute
}

// minute is the minute after a line.
type minute struct {
	timer *time.Timer
	next  func(...zap.Field) // the line at its end, nil as long as there is none
	more  int                // further lines, which were left out
}

// Write writes a line at once, if there was none of its kind in the last minute. Else
// it is written when that is over, unless there is one before it, which then says how
// many were left out. line is called when that is known, if at all.
func (l *Log) Write(kind string, line func() func(...zap.Field)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.kinds[kind]
	switch {
	case m == nil:
		if l.kinds == nil {
			l.kinds = make(map[string]*minute)
		}
		m = new(minute)
		m.timer = time.AfterFunc(time.Minute, func() { l.over(kind) })
		l.kinds[kind] = m
		line()()
	case m.next == nil:
		m.next = line()
	default:
		m.more++
	}
}

// over ends a minute: with the line that waits, which begins another one.
func (l *Log) over(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.kinds[kind]
	if m == nil {
		return
	}
	if m.next == nil {
		delete(l.kinds, kind)
		return
	}
	m.next(zap.Int("suppressed", m.more))
	m.next, m.more = nil, 0
	m.timer.Reset(time.Minute)
}

// End drops the lines that wait.
func (l *Log) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.kinds {
		m.timer.Stop()
	}
	l.kinds = nil
}
