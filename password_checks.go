package caddygrant

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/governed"
	"github.com/caddygrant/caddy-grant/internal/password"
)

// PasswordChecks bounds how much of the machine password hashing may take. The bounds
// are those of the process: all servers share one budget, also across a reload.
type PasswordChecks struct {
	// How many passwords are hashed at the same time. Default: the number of cores less
	// one, at least 1.
	Concurrency int `json:"concurrency,omitempty"`

	// How many requests may wait for their turn, half of them from one address (of IPv6,
	// one /64) at most. Addresses take turns. When it is full, the address that has the
	// most places gives one to an address with fewer; else the next request is answered
	// 503 at once. Default: 64.
	Queue int `json:"queue,omitempty"`

	// How long a request waits for its turn before it is answered 503, at most 50 seconds.
	// Default: `5s`.
	Wait caddy.Duration `json:"wait,omitempty"`

	// How long a password or secret that was right is not hashed again, at most 1 hour;
	// `0` is off. What is kept are keyed digests in memory, of at most 10,000. A change of
	// the file counts all the same. Default: `5m`.
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

// mergedLimits are the bounds of a whole config, to which each server may add.
type mergedLimits struct {
	checkLimits
	setBy map[string]string // setting → name of the server that set it
}

func newMergedLimits() *mergedLimits {
	return &mergedLimits{checkLimits: defaultCheckLimits(), setBy: make(map[string]string)}
}

// merge takes over the bounds that one server sets; servers may not disagree.
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

// pooledVerifier is what compares passwords in this process, under the bounds of the
// config that governs it.
type pooledVerifier struct {
	*password.Verifier
	limits *governed.Setting[checkLimits]
}

func newPooledVerifier() *pooledVerifier {
	limits := defaultCheckLimits()
	gate := password.NewGate(limits.Limits)
	observeGate(gate.Load)
	v := &pooledVerifier{Verifier: password.NewVerifier(gate)}
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
	// failed one, see throttle.Reservation, to the hash itself.
	maxWait = 50 * time.Second

	defaultCache = 5 * time.Minute
	maxCache     = time.Hour
)
