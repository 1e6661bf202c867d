package caddygrant

import (
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// once knows the subdirectives of a block that were there already.
type once map[string]bool

func (o once) first(d *caddyfile.Dispenser) error {
	if o[d.Val()] {
		return d.Errf("%s is there twice", d.Val())
	}
	o[d.Val()] = true
	return nil
}

func oneArg(d *caddyfile.Dispenser) (string, error) {
	setting := d.Val()
	args := d.RemainingArgs()
	if len(args) != 1 || args[0] == "" {
		return "", d.Errf("%s takes one argument", setting)
	}
	return args[0], nil
}

func someArgs(d *caddyfile.Dispenser) ([]string, error) {
	setting := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 || slices.Contains(args, "") {
		return nil, d.Errf("%s takes one argument or more", setting)
	}
	return args, nil
}

func scopeArgs(d *caddyfile.Dispenser) ([]string, error) {
	setting := d.Val()
	scopes, err := someArgs(d)
	if err != nil {
		return nil, err
	}
	return scopes, wrap(d, validateScopes(setting, scopes))
}

func flagArg(d *caddyfile.Dispenser) (bool, error) {
	setting := d.Val()
	if d.NextArg() {
		return false, d.Errf("%s takes no argument", setting)
	}
	return true, nil
}

func countArg(d *caddyfile.Dispenser) (int, error) {
	setting := d.Val()
	arg, err := oneArg(d)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 {
		return 0, d.Errf("%s %s: it must be a whole number of at least 1", setting, arg)
	}
	return n, nil
}

func durationArg(d *caddyfile.Dispenser) (caddy.Duration, error) {
	setting := d.Val()
	arg, err := oneArg(d)
	if err != nil {
		return 0, err
	}
	duration, err := caddy.ParseDuration(arg)
	if err != nil || duration <= 0 {
		return 0, d.Errf("%s %s: it must be a duration such as 15m, 1h or 14d", setting, arg)
	}
	return caddy.Duration(duration), nil
}

func ttlArg(d *caddyfile.Dispenser) (caddy.Duration, error) {
	setting := d.Val()
	ttl, err := durationArg(d)
	if err != nil {
		return 0, err
	}
	return ttl, wrap(d, validateTTL(setting, ttl))
}

func leewayArg(d *caddyfile.Dispenser) (*caddy.Duration, error) {
	arg, err := oneArg(d)
	if err != nil {
		return nil, err
	}
	duration, err := caddy.ParseDuration(arg)
	if err != nil {
		return nil, d.Errf("leeway %s: it must be a duration such as 30s", arg)
	}
	leeway := caddy.Duration(duration)
	return &leeway, wrap(d, validateLeeway(leeway))
}

func rotationArg(d *caddyfile.Dispenser) (caddy.Duration, error) {
	setting := d.Val()
	arg, err := oneArg(d)
	if err != nil || arg == "off" {
		return 0, err
	}
	every, err := caddy.ParseDuration(arg)
	if err != nil {
		return 0, d.Errf("%s %s: it must be a duration such as 30d, or off", setting, arg)
	}
	return caddy.Duration(every), wrap(d, validateRotation(caddy.Duration(every)))
}

// wrap adds the place in the Caddyfile to an error, if it is one.
func wrap(d *caddyfile.Dispenser, err error) error {
	if err == nil {
		return nil
	}
	return d.WrapErr(err)
}
