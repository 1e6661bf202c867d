package caddygrant

import (
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// block keeps watch over the subdirectives of a block: which were there, and which was last.
type block struct {
	of   string // the directive or subdirective that the block belongs to
	seen map[string]bool
	last string
}

func newBlock(of string) *block { return &block{of: of, seen: make(map[string]bool)} }

// enter takes the next subdirective. One may be there twice only if it is repeatable.
func (b *block) enter(d *caddyfile.Dispenser, repeatable ...string) error {
	name := d.Val()
	if name == "{" {
		return d.Errf("%s takes no block", b.last)
	}
	if b.seen[name] && !slices.Contains(repeatable, name) {
		return d.Errf("%s is there twice", name)
	}
	b.seen[name], b.last = true, name
	return nil
}

// unrecognized is the error for a subdirective that the block does not have.
func (b *block) unrecognized(d *caddyfile.Dispenser) error {
	if meant := suggestion(d.Val(), subdirectives[b.of]); meant != "" {
		return d.Errf("unrecognized subdirective %s of %s: did you mean %s?", d.Val(), b.of, meant)
	}
	return d.Errf("unrecognized subdirective %s of %s", d.Val(), b.of)
}

func oneArg(d *caddyfile.Dispenser) (string, error) {
	setting := d.Val()
	args := d.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] == "":
		return "", d.Errf("%s is empty: give it a value or leave the line out", setting)
	case len(args) != 1:
		return "", d.Errf("%s takes one argument%s", setting, ofNone(args))
	}
	return args[0], nil
}

// ofNone says where an argument may have gone that was written.
func ofNone(args []string) string {
	if len(args) > 0 {
		return ""
	}
	return " (a {$VARIABLE} that is not set is none)"
}

func someArgs(d *caddyfile.Dispenser) ([]string, error) {
	return listArgs(d, "no restriction of its own")
}

// listArgs takes one argument or more. without says what it means to leave the line out.
func listArgs(d *caddyfile.Dispenser, without string) ([]string, error) {
	setting := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 || slices.Contains(args, "") {
		return nil, d.Errf("%s takes one argument or more%s; leave the line out for %s", setting, ofNone(args), without)
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
		return false, d.Errf("%s takes no argument: it is on where it is written and off where it is not", setting)
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
		return 0, d.Errf("%s %s: it must be a duration with a unit, more than zero, such as 5s, 15m, 1h or 14d", setting, arg)
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

// graceArg takes a duration that may be zero.
func graceArg(d *caddyfile.Dispenser) (caddy.Duration, error) {
	setting := d.Val()
	arg, err := oneArg(d)
	if err != nil {
		return 0, err
	}
	grace, err := caddy.ParseDuration(arg)
	if err != nil {
		return 0, d.Errf("%s %s: it must be a duration such as 10s, or 0s", setting, arg)
	}
	return caddy.Duration(grace), wrap(d, validateGrace(caddy.Duration(grace)))
}

func pollArg(d *caddyfile.Dispenser) (caddy.Duration, error) {
	setting := d.Val()
	arg, err := oneArg(d)
	if err != nil {
		return 0, err
	}
	poll, err := caddy.ParseDuration(arg)
	if err != nil {
		return 0, d.Errf("%s %s: it must be a duration such as 2s", setting, arg)
	}
	return caddy.Duration(poll), wrap(d, validateRevocationPoll(caddy.Duration(poll)))
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
