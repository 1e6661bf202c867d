package throttle

import "time"

// counter is what is known of one key.
type counter struct {
	failures uint32
	inFlight uint32        // attempts that were reserved and have not ended: each may become a failure
	last     time.Duration // when the last failure was; while there is none, when the counter was made
	forgiven time.Duration // until when failures were forgiven one by one
}

func newCounter(now time.Duration) counter { return counter{last: now, forgiven: now} }

// wait returns how long an attempt has to wait, 0 if it may be made now. Attempts in
// flight count as failures as far as the number of attempts is concerned, but they
// start no delay: it is not known yet how they end.
func (c *counter) wait(b bound, now time.Duration) time.Duration {
	failures, inFlight := int(c.failures), int(c.inFlight)
	if rest := c.last + b.delay(failures) - now; failures >= b.failures && rest > 0 {
		return rest
	}
	// below the limit there is room up to it, above it for one
	if inFlight >= max(1, b.failures-failures) {
		return inFlightDelay
	}
	return 0
}

// fail ends an attempt in flight as a failure.
func (c *counter) fail(at time.Duration) {
	c.inFlight--
	c.failures++
	c.last = max(c.last, at)
}

// forget drops all failures if the last of them is long ago, otherwise those whose time
// has come.
func (c *counter) forget(b bound, now time.Duration) {
	if now-c.last >= b.quiet {
		c.failures = 0
	}
	if b.forgiveEach > 0 {
		n := (now - c.forgiven) / b.forgiveEach
		c.failures -= uint32(min(n, time.Duration(c.failures)))
		c.forgiven += n * b.forgiveEach
	}
}

// idle says that nothing would be lost with the counter.
func (c *counter) idle() bool { return c.failures == 0 && c.inFlight == 0 }
