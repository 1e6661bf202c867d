package caddygrant

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddygrant/caddy-grant/internal/caddyargs"
)

// parsePasswordChecks parses the bounds on hashing.
func parsePasswordChecks(d *caddyfile.Dispenser) (*PasswordChecks, error) {
	if d.NextArg() {
		return nil, d.Err("password_checks takes no argument, only a block with concurrency, queue, wait or cache")
	}
	checks := new(PasswordChecks)
	settings := caddyargs.NewBlock("password_checks")
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := settings.Enter(d); err != nil {
			return nil, err
		}
		var err error
		switch d.Val() {
		case "concurrency":
			checks.Concurrency, err = caddyargs.Count(d)
		case "queue":
			checks.Queue, err = caddyargs.Count(d)
		case "wait":
			checks.Wait, err = caddyargs.Positive.Arg(d, nil)
		case "cache":
			checks.Cache, err = cacheArg(d)
		default:
			err = settings.Unrecognized(d)
		}
		if err != nil {
			return nil, err
		}
	}
	if *checks == (PasswordChecks{}) {
		return nil, d.Err("password_checks needs a block with concurrency, queue, wait or cache")
	}
	return checks, caddyargs.Wrap(d, checks.validate())
}

// parseThrottle parses the bounds on failed logins.
func parseThrottle(d *caddyfile.Dispenser) (*Throttle, error) {
	limits := new(Throttle)
	if args := d.RemainingArgs(); len(args) > 0 {
		if len(args) != 1 || args[0] != "off" {
			return nil, d.Err(throttleUsage)
		}
		limits.Off = true
	}
	settings := caddyargs.NewBlock("throttle")
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := settings.Enter(d); err != nil {
			return nil, err
		}
		var err error
		switch d.Val() {
		case "failures":
			limits.Failures, err = caddyargs.Count(d)
		case "delay":
			limits.MinDelay, limits.MaxDelay, err = delays.Two(d, "delay takes the first wait and the longest: \"delay 30s 1h\"")
		case "account_ceiling":
			limits.AccountCeiling, err = caddyargs.Count(d)
		case "ipv4_prefix":
			limits.IPv4Prefix, err = caddyargs.Count(d)
		case "ipv6_prefix":
			limits.IPv6Prefix, err = caddyargs.Count(d)
		default:
			err = settings.Unrecognized(d)
		}
		if err != nil {
			return nil, err
		}
	}
	if *limits == (Throttle{}) {
		return nil, d.Err(throttleUsage)
	}
	return limits, caddyargs.Wrap(d, limits.validate())
}

// cacheArg takes a duration, or "off" for none at all.
func cacheArg(d *caddyfile.Dispenser) (*caddy.Duration, error) {
	cache, err := caddyargs.Duration{Like: "such as 5m, or off", Positive: true, Off: true}.Arg(d, nil)
	return &cache, err
}

var delays = caddyargs.Duration{Like: "with a unit, such as 30s or 1h", Positive: true}

const throttleUsage = "throttle is \"off\", or takes a block with failures, delay, account_ceiling, ipv4_prefix or ipv6_prefix; it is on without this line"
