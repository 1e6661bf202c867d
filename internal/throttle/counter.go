package throttle

import "time"

// counter is what is known of one key.
type counter struct {
	failures uint32
	inFlight uint32        // attempts that were reserved and have not ended: each may become a failure
	last     time.Duration // when the last failure was; while there is none, when the counter was made
	forgiven time.Duration // until when failures were forgiven one by one
	floor    uint64        // what table.total was without these failures: see Count
}

func newCounter(now time.Duration, floor uint64) counter {
	return counter{last: now, forgiven: now, floor: floor}
}

// look drops what is forgotten, and returns the rest together with what other nodes
// have counted.
func (c *counter) look(o others, b bound, now time.Duration) counter {
	if o.failures > 0 && now-o.last >= b.quiet {
		o = others{}
	}
	// each node forgives its own failures: all of them together as many as one would
	b.forgiveEach *= time.Duration(1 + o.nodes)
	c.forget(b, now)
	both := *c
	if o.failures > 0 && (c.failures == 0 || c.last < o.last) {
		both.last = o.last
	}
	both.failures += o.failures
	return both
}

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
		c.drop(c.failures)
	}
	if b.forgiveEach > 0 {
		n := (now - c.forgiven) / b.forgiveEach
		c.drop(uint32(min(n, time.Duration(c.failures))))
		c.forgiven += n * b.forgiveEach
	}
}

// drop forgives so many failures.
func (c *counter) drop(n uint32) {
	c.failures -= n
	c.floor += uint64(n)
}

// dropUpTo forgives the failures up to a total.
func (c *counter) dropUpTo(total uint64) {
	if total > c.floor {
		c.drop(uint32(min(total-c.floor, uint64(c.failures))))
	}
}

// idle says that nothing would be lost with the counter.
func (c *counter) idle() bool { return c.failures == 0 && c.inFlight == 0 }
