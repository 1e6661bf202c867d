package throttle

import (
	"sync"
	"time"
)

// maxRates is how many accounts a Rate remembers at most. Each takes about 115 bytes.
const maxRates = 1 << 16

// Rate allows each account a number of events per minute, whether they fail or not. The
// minute starts with the first of them. When too many accounts have one at the same
// time, those with the fewest are forgotten first. Its methods are safe for concurrent
// use.
type Rate struct {
	digester digester
	limit    int

	mu     sync.Mutex
	clock  clock
	counts *table // failures are events here, and the last failure is the start of the minute
}

// NewRate returns a rate of so many events per account and minute; below 1 counts as 1.
func NewRate(perMinute int) *Rate { return newRate(perMinute, time.Now) }

func newRate(perMinute int, now func() time.Time) *Rate {
	return &Rate{digester: newDigester(), clock: newClock(now), limit: max(1, perMinute), counts: newTable(maxRates)}
}

// Allow counts an event. The error is a *RefusedError: the event must not happen, and
// was not counted.
func (r *Rate) Allow(account string) error {
	key := r.digester.digest(ofRate, account)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.read()
	e := r.counts.find(key)
	if e != nil && now-e.last >= time.Minute {
		r.counts.remove(key)
		e = nil
	}
	if e == nil {
		e = r.counts.obtain(key, now, time.Minute) // there is always a place, since nothing is in flight
	}
	if int(e.failures) >= r.limit {
		return refused(LimitRate, e.last+time.Minute-now)
	}
	e.failures++
	return nil
}
