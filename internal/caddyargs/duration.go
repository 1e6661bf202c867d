package caddyargs

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// Duration is the form of an argument that is a duration.
type Duration struct {
	Like     string // examples, for the error: "such as 10s, or 0s"
	Positive bool   // zero and less are refused
	Off      bool   // the word off stands for zero
}

// Positive are durations of more than zero.
var Positive = Duration{Like: "with a unit, more than zero, such as 5s, 15m, 1h or 14d", Positive: true}

// Lifetime takes that of a token or session.
func Lifetime(d *caddyfile.Dispenser) (caddy.Duration, error) {
	setting := d.Val()
	return Positive.Arg(d, func(lifetime caddy.Duration) error {
		return oauth.ValidateLifetime(setting, time.Duration(lifetime))
	})
}

// Arg takes the one argument and has it checked, unless check is nil or the argument is off.
func (f Duration) Arg(d *caddyfile.Dispenser, check func(caddy.Duration) error) (caddy.Duration, error) {
	setting := d.Val()
	arg, err := One(d)
	if err != nil || f.Off && arg == "off" {
		return 0, err
	}
	duration, err := f.parse(d, setting, arg)
	if err != nil || check == nil {
		return duration, err
	}
	return duration, Wrap(d, check(duration))
}

// Two takes two arguments. usage is the error where there are fewer or more.
func (f Duration) Two(d *caddyfile.Dispenser, usage string) (first, second caddy.Duration, err error) {
	setting := d.Val()
	args := d.RemainingArgs()
	if len(args) != 2 {
		return 0, 0, d.Err(usage)
	}
	if first, err = f.parse(d, setting, args[0]); err != nil {
		return 0, 0, err
	}
	second, err = f.parse(d, setting, args[1])
	return first, second, err
}

func (f Duration) parse(d *caddyfile.Dispenser, setting, arg string) (caddy.Duration, error) {
	duration, err := caddy.ParseDuration(arg)
	if err != nil || f.Positive && duration <= 0 {
		return 0, d.Errf("%s %s: it must be a duration %s", setting, arg, f.Like)
	}
	return caddy.Duration(duration), nil
}
