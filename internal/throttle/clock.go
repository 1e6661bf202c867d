package throttle

import "time"

// clock counts the time that has passed since it was made, and never counts backwards:
// a system clock that is set back neither ends a wait nor makes it longer than the
// moment it takes to set the clock. It is not safe for concurrent use.
type clock struct {
	now    func() time.Time
	seen   time.Time
	passed time.Duration
}

func newClock(now func() time.Time) clock { return clock{now: now, seen: now()} }

// read returns the time passed.
func (c *clock) read() time.Duration {
	now := c.now()
	c.passed += max(0, now.Sub(c.seen))
	c.seen = now
	return c.passed
}
