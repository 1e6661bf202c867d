package sessions

import "context"

// Waker is implemented by engines that can tell when the feed is worth reading, so that
// a revocation need not wait for the next poll. It is optional, and replaces no poll.
type Waker interface {
	// Wake returns a channel that receives a value soon after a session of the server
	// was revoked at any node, and when that may have been missed. Values may be late,
	// missing or for nothing; one stands for any number of revocations. It is never
	// closed. What runs for it ends with the context, or with Close.
	Wake(ctx context.Context) <-chan struct{}
}
