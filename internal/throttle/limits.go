package throttle

import "time"

// Limits say how many failures are allowed, and how long the wait is after that. A
// field that is zero or negative, or a prefix longer than an address, counts as its
// default. A MaxDelay below MinDelay counts as MinDelay, a delay above 7 days as 7
// days, and a number of failures above 10,000 as 10,000.
type Limits struct {
	// Failures of an account from one source before each further attempt has to wait.
	// An address may have 10 times as many over all accounts, since many people may
	// share it, and an IPv6 /48 100 times as many.
	Failures int

	// MinDelay is the first wait. It doubles with each further failure up to MaxDelay.
	MinDelay, MaxDelay time.Duration

	// AccountCeiling is how many failures an account may have in a row over all sources
	// without a success so far. After that, all of them together have one attempt per
	// MaxDelay.
	AccountCeiling int

	// IPv4Prefix and IPv6Prefix are the bits of an address that tell one source from
	// another.
	IPv4Prefix, IPv6Prefix int
}

// DefaultLimits returns 5 failures, waits of 30 seconds to an hour, a ceiling of 100
// (NIST SP 800-63B-4 §3.2.2), and prefixes of 32 and 64 bits.
func DefaultLimits() Limits {
	return Limits{
		Failures: 5, MinDelay: 30 * time.Second, MaxDelay: time.Hour,
		AccountCeiling: 100,
		IPv4Prefix:     32, IPv6Prefix: 64,
	}
}

const (
	// addressFactor and networkFactor are how many times Limits.Failures an address and
	// an IPv6 network may have.
	addressFactor, networkFactor = 10, 100

	// quietTime is how long, at least, a key must have had no failure for its failures
	// to be forgotten.
	quietTime = 24 * time.Hour

	// inFlightDelay is the wait for attempts that have not ended yet.
	inFlightDelay = time.Second

	// longestDelay and mostFailures keep products and doublings from overflowing.
	longestDelay = 7 * 24 * time.Hour
	mostFailures = 10_000
)

// complete returns limits with all fields in range.
func (l Limits) complete() Limits {
	d := DefaultLimits()
	if l.Failures <= 0 {
		l.Failures = d.Failures
	}
	if l.MinDelay <= 0 {
		l.MinDelay = d.MinDelay
	}
	if l.MaxDelay <= 0 {
		l.MaxDelay = d.MaxDelay
	}
	if l.AccountCeiling <= 0 {
		l.AccountCeiling = d.AccountCeiling
	}
	if l.IPv4Prefix <= 0 || l.IPv4Prefix > 32 {
		l.IPv4Prefix = d.IPv4Prefix
	}
	if l.IPv6Prefix <= 0 || l.IPv6Prefix > 128 {
		l.IPv6Prefix = d.IPv6Prefix
	}
	l.Failures = min(l.Failures, mostFailures)
	l.AccountCeiling = min(l.AccountCeiling, mostFailures)
	l.MinDelay = min(l.MinDelay, longestDelay)
	l.MaxDelay = min(max(l.MinDelay, l.MaxDelay), longestDelay)
	return l
}

// bound is how many failures a key may have, and the waits after that. The failures are
// forgotten after a quiet time without a failure, and where forgiveEach is positive one
// of them in each such interval.
type bound struct {
	failures        int
	min, max, quiet time.Duration
	forgiveEach     time.Duration
}

func (l Limits) pair() bound    { return l.bound(1, 0) }
func (l Limits) address() bound { return l.bound(addressFactor, l.MaxDelay) }
func (l Limits) network() bound { return l.bound(networkFactor, l.MaxDelay) }

// of is the bound of a kind.
func (l *Limits) of(kind Kind, network bool) bound {
	switch {
	case kind == Accounts:
		return l.account()
	case kind == Pairs:
		return l.pair()
	case network:
		return l.network()
	}
	return l.address()
}

// bound forgives an address shared by many people, one of whom mistypes every day. One
// failure per MaxDelay gives nothing to an attacker, who has one attempt per MaxDelay
// anyway.
func (l Limits) bound(factor int, forgiveEach time.Duration) bound {
	// longer than MaxDelay, or a client that waited as told would start again with no
	// failures
	return bound{factor * l.Failures, l.MinDelay, l.MaxDelay, max(quietTime, 2*l.MaxDelay), forgiveEach}
}

// account has a quiet time in which one attempt per MaxDelay is as many as the ceiling
// (100 hours by default): otherwise an attacker with many addresses would gain by
// staying just below the ceiling and waiting for the quiet time.
func (l Limits) account() bound {
	quiet := max(l.pair().quiet, time.Duration(l.AccountCeiling)*l.MaxDelay)
	return bound{l.AccountCeiling, l.MaxDelay, l.MaxDelay, quiet, 0}
}

// delay is the wait after that many failures, counted from the last of them.
func (b bound) delay(failures int) time.Duration {
	if failures < b.failures {
		return 0
	}
	d := b.min
	for n := failures - b.failures; n > 0 && d < b.max; n-- {
		d *= 2
	}
	return min(d, b.max)
}
