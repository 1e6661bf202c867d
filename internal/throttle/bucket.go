package throttle

import (
	"sync"
	"time"
)

// Bucket allows each account a number of events at once, and after that one in each
// interval, whether they fail or not. When too many accounts have had events lately,
// those with the fewest are forgotten first. Its methods are safe for concurrent use.
type Bucket struct {
	digester digester
	limit    Limit
	bound    bound // its failures are the size, and one comes back in each forgiveEach

	mu    sync.Mutex
	clock clock
	taken *table // failures are events that have not come back yet
}

// NewBucket returns a bucket of that size for each account, into which one event comes
// back in each interval. A size below 1 counts as 1. The limit is what its refusals
// name.
func NewBucket(limit Limit, size int, interval time.Duration) *Bucket {
	return newBucket(limit, size, interval, time.Now)
}

func newBucket(limit Limit, size int, interval time.Duration, now func() time.Time) *Bucket {
	size = max(1, size)
	return &Bucket{
		digester: newDigester(),
		limit:    limit,
		bound:    bound{failures: size, quiet: time.Duration(size) * interval, forgiveEach: interval},
		clock:    newClock(now),
		taken:    newTable(maxRates),
	}
}

// Take counts an event. The error is a *RefusedError: the event must not happen, and
// was not counted.
func (b *Bucket) Take(account string) error {
	key := b.digester.digest(ofBucket, account)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.read()
	e := b.taken.find(key)
	if e != nil {
		e.forget(b.bound, now)
		if e.failures == 0 { // the next interval begins with the event that is counted now
			b.taken.remove(key)
			e = nil
		}
	}
	if e == nil {
		e = b.taken.obtain(key, now, b.bound.quiet) // there is always a place, since nothing is in flight
	}
	if int(e.failures) >= b.bound.failures {
		return refused(b.limit, e.forgiven+b.bound.forgiveEach-now)
	}
	e.failures++
	b.taken.touch(key, now)
	return nil
}

// Return takes back an event that was counted and did not happen.
func (b *Bucket) Return(account string) {
	key := b.digester.digest(ofBucket, account)
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.taken.find(key); e != nil {
		e.failures-- // an entry without any is removed
		b.taken.tidy(e)
	}
}
