package caddygrant

import (
	"fmt"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/internal/password"
)

type gatePoolKey struct{}

var gateKey gatePoolKey

// pooledGate is the hashing gate as a value of the pool, with the config that governs it.
type pooledGate struct {
	*password.Gate

	mu     sync.Mutex
	limits governed
	before governed // what yield gives back
}

type governed struct {
	by     uint64 // the number of the config, 0 before any
	limits password.Limits
}

// govern puts the bounds of a config into force.
func (g *pooledGate) govern(by uint64, limits password.Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.before, g.limits = g.limits, governed{by, limits}
	g.SetLimits(limits)
}

// yield puts the bounds into force that were before those of a config, if they still are.
func (g *pooledGate) yield(by uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limits.by == by {
		g.limits = g.before
		g.SetLimits(g.limits.limits)
	}
}

// Destruct has nothing to end.
func (*pooledGate) Destruct() error { return nil }

// mergeLimits takes over the bounds that one server sets; servers may not disagree.
func (a *App) mergeLimits(name string, checks *PasswordChecks) error {
	if checks == nil {
		return nil
	}
	if err := checks.validate(); err != nil {
		return err
	}
	merge := func(setting string, differs bool) error {
		if other, set := a.gateSetBy[setting]; set && differs {
			return fmt.Errorf("password_checks: %s of server %q differs from that of server %q, but all servers share one budget: set it in one of them", setting, name, other)
		}
		a.gateSetBy[setting] = name
		return nil
	}
	if n := checks.Concurrency; n != 0 {
		if err := merge("concurrency", a.gateLimits.Concurrency != n); err != nil {
			return err
		}
		a.gateLimits.Concurrency = n
	}
	if n := checks.Queue; n != 0 {
		if err := merge("queue", a.gateLimits.Queue != n); err != nil {
			return err
		}
		a.gateLimits.Queue = n
	}
	if d := time.Duration(checks.Wait); d != 0 {
		if err := merge("wait", a.gateLimits.Wait != d); err != nil {
			return err
		}
		a.gateLimits.Wait = d
	}
	return nil
}
