package caddygrant

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func parsePasswordChecks(d *caddyfile.Dispenser) (*PasswordChecks, error) {
	if d.NextArg() {
		return nil, d.Err("password_checks takes no argument, only a block with concurrency, queue, wait or cache")
	}
	checks := new(PasswordChecks)
	settings := newBlock("password_checks")
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := settings.enter(d); err != nil {
			return nil, err
		}
		var err error
		switch d.Val() {
		case "concurrency":
			checks.Concurrency, err = countArg(d)
		case "queue":
			checks.Queue, err = countArg(d)
		case "wait":
			checks.Wait, err = durationArg(d)
		case "cache":
			checks.Cache, err = cacheArg(d)
		default:
			err = settings.unrecognized(d)
		}
		if err != nil {
			return nil, err
		}
	}
	if *checks == (PasswordChecks{}) {
		return nil, d.Err("password_checks needs a block with concurrency, queue, wait or cache")
	}
	return checks, wrap(d, checks.validate())
}

func parseThrottle(d *caddyfile.Dispenser) (*Throttle, error) {
	limits := new(Throttle)
	if args := d.RemainingArgs(); len(args) > 0 {
		if len(args) != 1 || args[0] != "off" {
			return nil, d.Err(throttleUsage)
		}
		limits.Off = true
	}
	settings := newBlock("throttle")
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := settings.enter(d); err != nil {
			return nil, err
		}
		var err error
		switch d.Val() {
		case "failures":
			limits.Failures, err = countArg(d)
		case "delay":
			limits.MinDelay, limits.MaxDelay, err = delayArgs(d)
		case "account_ceiling":
			limits.AccountCeiling, err = countArg(d)
		case "ipv4_prefix":
			limits.IPv4Prefix, err = countArg(d)
		case "ipv6_prefix":
			limits.IPv6Prefix, err = countArg(d)
		default:
			err = settings.unrecognized(d)
		}
		if err != nil {
			return nil, err
		}
	}
	if *limits == (Throttle{}) {
		return nil, d.Err(throttleUsage)
	}
	return limits, wrap(d, limits.validate())
}

func delayArgs(d *caddyfile.Dispenser) (shortest, longest caddy.Duration, err error) {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return 0, 0, d.Err("delay takes the first wait and the longest: \"delay 30s 1h\"")
	}
	for i, into := range []*caddy.Duration{&shortest, &longest} {
		duration, err := caddy.ParseDuration(args[i])
		if err != nil || duration <= 0 {
			return 0, 0, d.Errf("delay %s: it must be a duration with a unit, such as 30s or 1h", args[i])
		}
		*into = caddy.Duration(duration)
	}
	return shortest, longest, nil
}

// cacheArg takes a duration, or "off" for none at all.
func cacheArg(d *caddyfile.Dispenser) (*caddy.Duration, error) {
	setting := d.Val()
	arg, err := oneArg(d)
	if err != nil || arg == "off" {
		return new(caddy.Duration), err
	}
	duration, err := caddy.ParseDuration(arg)
	if err != nil || duration <= 0 {
		return nil, d.Errf("%s %s: it must be a duration such as 5m, or off", setting, arg)
	}
	cache := caddy.Duration(duration)
	return &cache, nil
}

const throttleUsage = "throttle is \"off\", or takes a block with failures, delay, account_ceiling, ipv4_prefix or ipv6_prefix; it is on without this line"
