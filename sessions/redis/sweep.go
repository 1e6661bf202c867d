package redis

import (
	"context"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// sweepDay is a day whose sessions are over: 20060102, and the time since which they are,
// in milliseconds.
type sweepDay struct {
	day  string
	over int64
}

// sweepPlace is how far a node has come in a round through all buckets.
type sweepPlace struct {
	begun time.Time
	next  int // the next bucket
}

const (
	// sweepLength is how many buckets one call sweeps.
	sweepLength = 128

	// sweepAgain is how long after a round began the next one does.
	sweepAgain = time.Hour
)

// Sweep implements [sessions.Engine]. Redis removes records by itself. What is left is
// that a bucket knows of days that are over, which it says of itself before it forgets
// them, and the feed. A day is over if it is by the clock of this node and by that of
// Redis.
func (e *engine) Sweep(ctx context.Context) (more bool, err error) {
	return waiting(ctx, e, max(e.timeout, epochTimeout), func(ctx context.Context) (bool, error) {
		select {
		case e.sweeping <- struct{}{}:
			defer func() { <-e.sweeping }()
		case <-ctx.Done():
			return false, ctx.Err()
		}
		over := lastOver(time.Now())
		if e.swept.next == buckets && time.Since(e.swept.begun) >= e.sweepAgain {
			e.swept = sweepPlace{begun: time.Now()}
		}
		for range min(sweepLength, buckets-e.swept.next) {
			if _, err := e.run(ctx, scriptSweep, []string{e.keys.buckets[e.swept.next]}, over.day, over.over); err != nil {
				return false, err
			}
			e.swept.next++
		}
		trimmed, err := e.trimFeed(ctx, over)
		return trimmed || e.swept.next < buckets, err
	})
}

// lastOver is the last day whose sessions are over at a time.
func lastOver(now time.Time) sweepDay {
	id := sessions.ID{Day: now.UTC().Add(-sessions.KeepOver - 24*time.Hour).Format("20060102")}
	return sweepDay{id.Day, id.Over().UnixMilli()}
}
