package caddygrant

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// seldomLogged writes lines of one kind once a minute at most. Whoever runs into a bound can
// do that as often as there are requests, and the log must not grow where storage does not.
type seldomLogged struct {
	mu    sync.Mutex
	kinds map[string]*loggedMinute
}

// loggedMinute is the minute after a line.
type loggedMinute struct {
	timer *time.Timer
	next  func(...zap.Field) // the line at its end, nil as long as there is none
	more  int                // lines that were left out besides
}

// write writes a line at once, if there was none of its kind in the last minute. Else it is
// written when that is over, unless there is one before it, which then says how many were
// left out. line is called when that is known, if at all.
func (l *seldomLogged) write(kind string, line func() func(...zap.Field)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	minute := l.kinds[kind]
	switch {
	case minute == nil:
		if l.kinds == nil {
			l.kinds = make(map[string]*loggedMinute)
		}
		minute = new(loggedMinute)
		minute.timer = time.AfterFunc(time.Minute, func() { l.over(kind) })
		l.kinds[kind] = minute
		line()()
	case minute.next == nil:
		minute.next = line()
	default:
		minute.more++
	}
}

// over ends a minute: with the line that waits, which begins another one.
func (l *seldomLogged) over(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	minute := l.kinds[kind]
	if minute == nil {
		return
	}
	if minute.next == nil {
		delete(l.kinds, kind)
		return
	}
	minute.next(zap.Int("suppressed", minute.more))
	minute.next, minute.more = nil, 0
	minute.timer.Reset(time.Minute)
}

// end gives up what waits.
func (l *seldomLogged) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, minute := range l.kinds {
		minute.timer.Stop()
	}
	l.kinds = nil
}
