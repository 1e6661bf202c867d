package clock

import (
	"context"
	"time"
)

// Expired is ctx.Err by the clock. A context ends when the runtime gets to its timer,
// and in a process that was suspended anything else, such as a write, may run first.
// Some clocks stop with the process, and others do not.
func Expired(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok {
		if now := time.Now(); !now.Before(deadline) || !now.Round(0).Before(deadline.Round(0)) {
			return context.DeadlineExceeded
		}
	}
	return ctx.Err()
}
