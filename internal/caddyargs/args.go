// Package caddyargs reads the arguments of Caddyfile subdirectives, with errors that say
// what to write instead. What a value must be beyond its form, the caller checks.
package caddyargs

import (
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// One takes exactly one argument, which is not empty.
func One(d *caddyfile.Dispenser) (string, error) {
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

// Some takes one argument or more, without which there is no restriction.
func Some(d *caddyfile.Dispenser) ([]string, error) {
	return List(d, "no restriction of its own")
}

// List takes one argument or more. without says what it means to leave the line out.
func List(d *caddyfile.Dispenser, without string) ([]string, error) {
	setting := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 || slices.Contains(args, "") {
		return nil, d.Errf("%s takes one argument or more%s; leave the line out for %s", setting, ofNone(args), without)
	}
	return args, nil
}

// Scopes takes one scope or more.
func Scopes(d *caddyfile.Dispenser) ([]string, error) {
	setting := d.Val()
	scopes, err := Some(d)
	if err != nil {
		return nil, err
	}
	return scopes, Wrap(d, oauth.ValidateScopes(setting, scopes))
}

// Flag takes no argument, and is true.
func Flag(d *caddyfile.Dispenser) (bool, error) {
	setting := d.Val()
	if d.NextArg() {
		return false, d.Errf("%s takes no argument: it is on where it is written and off where it is not", setting)
	}
	return true, nil
}

// Count takes a whole number of at least 1.
func Count(d *caddyfile.Dispenser) (int, error) {
	setting := d.Val()
	arg, err := One(d)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 {
		return 0, d.Errf("%s %s: it must be a whole number of at least 1", setting, arg)
	}
	return n, nil
}

// Wrap adds the place in the Caddyfile to an error, if it is one.
func Wrap(d *caddyfile.Dispenser, err error) error {
	if err == nil {
		return nil
	}
	return d.WrapErr(err)
}
