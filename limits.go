package caddygrant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/allowance"
	"github.com/caddygrant/caddy-grant/internal/governed"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/seldomlog"
	"github.com/caddygrant/caddy-grant/internal/sharedfailures"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// PasswordChecks bounds how much of the machine password hashing may use. The bounds
// are those of the process: all servers share one budget, also across a reload.
type PasswordChecks struct {
	// How many passwords are hashed at the same time. Default: the number of cores
	// minus one, at least 1.
	Concurrency int `json:"concurrency,omitempty"`

	// How many requests may wait for their turn, half of them from one address (of
	// IPv6, one /64) at most. Addresses take turns. When it is full, the address that
	// has the most places gives one to an address with fewer; else the next request is
	// answered 503 at once. Default: 64.
	Queue int `json:"queue,omitempty"`

	// How long a request waits for its turn before it is answered 503, at most 50
	// seconds. Default: `5s`.
	Wait caddy.Duration `json:"wait,omitempty"`

	// How long a correct password or secret is not hashed again, at most 1 hour; `0` is
	// off. Only keyed digests are kept, in memory, at most 10,000. A change of the file
	// still counts. Default: `5m`.
	Cache *caddy.Duration `json:"cache,omitempty"`
}

func (c *PasswordChecks) validate() error {
	switch {
	case c.Concurrency < 0 || c.Concurrency > maxConcurrency:
		return fmt.Errorf("password_checks: concurrency %d: it must be 1 to %d", c.Concurrency, maxConcurrency)
	case c.Queue < 0 || c.Queue > maxQueue:
		return fmt.Errorf("password_checks: queue %d: it must be 1 to %d", c.Queue, maxQueue)
	case c.Wait < 0 || time.Duration(c.Wait) > maxWait:
		return errors.New("password_checks: wait: it must be more than zero and at most 50s; where logins wait longer, raise concurrency or use a cheaper hash")
	case c.Cache != nil && (*c.Cache < 0 || time.Duration(*c.Cache) > maxCache):
		return errors.New("password_checks: cache: it must be at most 1h, or off")
	}
	return nil
}

// checkLimits are the bounds of a whole config.
type checkLimits struct {
	password.Limits
	cache time.Duration
}

func defaultCheckLimits() checkLimits {
	return checkLimits{Limits: password.DefaultLimits(), cache: defaultCache}
}

// mergedLimits are the bounds of a whole config, of which each server may set some.
type mergedLimits struct {
	checkLimits
	setBy map[string]string // setting → name of the server that set it
}

func newMergedLimits() *mergedLimits {
	return &mergedLimits{checkLimits: defaultCheckLimits(), setBy: make(map[string]string)}
}

// merge adds the bounds that one server sets; servers must not disagree.
func (m *mergedLimits) merge(server string, checks *PasswordChecks) error {
	if checks == nil {
		return nil
	}
	if err := checks.validate(); err != nil {
		return err
	}
	if checks.Concurrency != 0 {
		if err := mergeLimit(m, server, "concurrency", &m.Concurrency, checks.Concurrency); err != nil {
			return err
		}
	}
	if checks.Queue != 0 {
		if err := mergeLimit(m, server, "queue", &m.Queue, checks.Queue); err != nil {
			return err
		}
	}
	if checks.Wait != 0 {
		if err := mergeLimit(m, server, "wait", &m.Wait, time.Duration(checks.Wait)); err != nil {
			return err
		}
	}
	if checks.Cache != nil {
		return mergeLimit(m, server, "cache", &m.cache, time.Duration(*checks.Cache))
	}
	return nil
}

func mergeLimit[T comparable](m *mergedLimits, server, setting string, into *T, value T) error {
	if other, set := m.setBy[setting]; set && *into != value {
		return fmt.Errorf("password_checks: %s of server %q differs from that of server %q, but all servers share one budget: set it in one of them", setting, server, other)
	}
	m.setBy[setting] = server
	*into = value
	return nil
}

// pooledVerifier compares the passwords of this process, under the bounds of the config
// that governs it.
type pooledVerifier struct {
	*password.Verifier
	gate   *password.Gate
	limits *governed.Setting[checkLimits]
}

func newPooledVerifier() *pooledVerifier {
	limits := defaultCheckLimits()
	gate := password.NewGate(limits.Limits)
	observeGate(gate.Load)
	v := &pooledVerifier{Verifier: password.NewVerifier(gate), gate: gate}
	v.limits = governed.New(limits, func(l checkLimits) {
		gate.SetLimits(l.Limits)
		v.SetCacheTTL(l.cache)
	})
	v.SetCacheTTL(limits.cache)
	return v
}

// Destruct has nothing to end.
func (*pooledVerifier) Destruct() error { return nil }

const (
	maxConcurrency = 1024
	maxQueue       = 1 << 16

	// maxWait leaves some of the minute after which the throttle takes an attempt for a
	// failed one, see throttle.Reservation, for the hash itself.
	maxWait = 50 * time.Second

	defaultCache = 5 * time.Minute
	maxCache     = time.Hour
)

// Throttle bounds failed logins (RFC 6749 §4.3.2). Failures are counted for each
// account and source together, for each source alone, and for each account alone. A
// source is the client's address, or an authenticated client, whose users may all have
// one address. A user who has logged in from a source before is counted there for that
// account and source alone, so that an attacker elsewhere cannot lock the owner out.
// The same wrong password again within minutes does not count as another failure. The
// counts are kept in memory, and nodes with the same storage tell each other within 5
// seconds what each has counted.
type Throttle struct {
	// Count no failures. The bounds on writes to storage stay. Default: `false`.
	Off bool `json:"off,omitempty"`

	// How many times in a row a login to an account may fail from one source before it
	// has to wait. An address alone may have 10 times as many, an IPv6 /48 100 times.
	// Default: `5`.
	Failures int `json:"failures,omitempty"`

	// The first wait. It doubles with every further failure. Default: `30s`.
	MinDelay caddy.Duration `json:"min_delay,omitempty"`

	// The longest wait. Default: `1h`.
	MaxDelay caddy.Duration `json:"max_delay,omitempty"`

	// How many times in a row logins to an account may fail from all sources together
	// from which the account has never been logged in to. After that these sources have
	// one attempt per `max_delay` (NIST SP 800-63B-4 §3.2.2). Default: `100`.
	AccountCeiling int `json:"account_ceiling,omitempty"`

	// How many bits of an IPv4 address make a source, 8 to 32. Default: `32`.
	IPv4Prefix int `json:"ipv4_prefix,omitempty"`

	// How many bits of an IPv6 address make a source, 32 to 128. Default: `64`.
	IPv6Prefix int `json:"ipv6_prefix,omitempty"`
}

func (t *Throttle) validate() error {
	defaults := throttle.DefaultLimits()
	shortest := cmp.Or(time.Duration(t.MinDelay), defaults.MinDelay)
	longest := cmp.Or(time.Duration(t.MaxDelay), defaults.MaxDelay)
	switch {
	case t.Off && *t != Throttle{Off: true}:
		return errors.New("throttle: it is off and has limits: take out \"off\", or the limits")
	case t.Failures < 0 || t.Failures > maxThrottleFailures:
		return fmt.Errorf("throttle: failures %d: it must be 1 to %d", t.Failures, maxThrottleFailures)
	case !validDelay(t.MinDelay) || !validDelay(t.MaxDelay):
		return errors.New("throttle: delay: both must be 1s to 24h")
	case shortest > longest:
		return fmt.Errorf("throttle: delay: the first wait is %v, but the longest %v: set both, the shorter one first", shortest, longest)
	case t.AccountCeiling < 0 || t.AccountCeiling > maxThrottleFailures:
		return fmt.Errorf("throttle: account_ceiling %d: it must be 1 to %d", t.AccountCeiling, maxThrottleFailures)
	case t.IPv4Prefix != 0 && (t.IPv4Prefix < 8 || t.IPv4Prefix > 32):
		return fmt.Errorf("throttle: ipv4_prefix %d: it must be 8 to 32", t.IPv4Prefix)
	case t.IPv6Prefix != 0 && (t.IPv6Prefix < 32 || t.IPv6Prefix > 128):
		return fmt.Errorf("throttle: ipv6_prefix %d: it must be 32 to 128", t.IPv6Prefix)
	}
	return nil
}

func validDelay(d caddy.Duration) bool {
	return d == 0 || time.Duration(d) >= time.Second && time.Duration(d) <= maxThrottleDelay
}

// limits are the settings, with zeros for the defaults of the package.
func (t *Throttle) limits() throttle.Limits {
	return throttle.Limits{
		Failures:       t.Failures,
		MinDelay:       time.Duration(t.MinDelay),
		MaxDelay:       time.Duration(t.MaxDelay),
		AccountCeiling: t.AccountCeiling,
		IPv4Prefix:     t.IPv4Prefix,
		IPv6Prefix:     t.IPv6Prefix,
	}
}

// pooledThrottle is what the process has counted for the servers of one name.
type pooledThrottle struct {
	*throttle.Throttle
	revocations *throttle.Rate // of users
	bounds      *allowance.Bounds
	seldom      seldomlog.Log // of refusals that a client can cause at will
	limits      *governed.Setting[throttle.Limits]

	mu       sync.Mutex
	node     *sharedfailures.Node // of this process among the nodes of the server; nil until it has the server's secret
	failures [32]byte             // the key of what it tells them
}

// Destruct drops what would be logged later.
func (p *pooledThrottle) Destruct() error {
	p.seldom.End()
	return nil
}

// serverThrottle is a server's share of a pooledThrottle.
type serverThrottle struct {
	*pooledThrottle
	pooled share[*pooledThrottle]
	off    bool
	own    throttle.Limits
}

func newServerThrottle(name string, settings *Throttle) (*serverThrottle, error) {
	if settings == nil {
		settings = new(Throttle)
	}
	if err := settings.validate(); err != nil {
		return nil, err
	}
	pooled := join(throttleKey{name}, func() *pooledThrottle {
		p := &pooledThrottle{
			Throttle:    throttle.New(settings.limits()),
			revocations: throttle.NewRate(maxRevocationsPerMinute),
			bounds:      allowance.NewBounds(),
		}
		p.limits = governed.New(settings.limits(), p.SetLimits)
		return p
	})
	return &serverThrottle{pooledThrottle: pooled.value, pooled: pooled, off: settings.Off, own: settings.limits()}, nil
}

// share has all nodes of the server count together, until ctx ends. Without the keys of
// the server no password is compared, so there is nothing to count before.
func (t *serverThrottle) share(ctx context.Context, keys *serverKeys, storage certmagic.Storage, prefix string, logger *zap.Logger) {
	set := keys.current(ctx)
	for ; set == nil; set = keys.current(ctx) {
		if !sleep(ctx, time.Second) {
			return
		}
	}
	failing := false
	t.nodeOf(set.Failures()).Follow(ctx, storage, prefix, func(err error) {
		switch {
		case err != nil && !failing:
			logger.Error("sharing failed logins by the storage; until that works again, this node counts its own and what it has read before", storagecheck.Failure(err)...)
		case err == nil && failing:
			logger.Info("failed logins are shared by the storage again")
		}
		failing = err != nil
	})
}

// nodeOf is this process as a node of the server with that key. Another key is that of
// another server, whose counts are its own.
func (p *pooledThrottle) nodeOf(key [32]byte) *sharedfailures.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.node == nil || p.failures != key {
		if p.node != nil {
			p.node.Retire()
		}
		p.UseKey(key)
		p.node, p.failures = sharedfailures.NewNode(p.Throttle), key
	}
	return p.node
}

// release gives back the reference to the counts.
func (t *serverThrottle) release() {
	_, _ = t.pooled.leave() // Destruct does not fail
}

// allowRevocation bounds how often the clients of a user can log out in a minute.
// Revocations by tokens that an app may have made up are counted apart, see
// [allowance.Owner].
func (t *serverThrottle) allowRevocation(of allowance.Owner) error {
	if t.off {
		return nil
	}
	account := of.Party()
	if of.Forgeable {
		account = throttle.Join(account, "forgeable")
	}
	if refused, ok := errors.AsType[*throttle.RefusedError](t.revocations.Allow(account)); ok {
		return oauth.TooManyRevocations(string(refused.Limit), refused.RetryAfter)
	}
	return nil
}

const (
	maxThrottleFailures     = 10_000
	maxThrottleDelay        = 24 * time.Hour
	maxRevocationsPerMinute = 60
)
