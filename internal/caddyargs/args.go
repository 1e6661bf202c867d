// Package caddyargs reads the arguments of Caddyfile subdirectives, with errors that
// say what to write instead. The caller checks what a value must be beyond its form.
package caddyargs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// One takes exactly one argument, which must not be empty.
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

// ofNone says why a written argument may be missing.
func ofNone(args []string) string {
	if len(args) > 0 {
		return ""
	}
	return " (an unset {$VARIABLE} counts as none)"
}

// AtMostOne takes an argument, which must not be empty, or none, for which it returns
// the empty string.
func AtMostOne(d *caddyfile.Dispenser) (string, error) {
	setting := d.Val()
	switch args := d.RemainingArgs(); {
	case len(args) > 1:
		return "", d.Errf("%s takes one argument at most", setting)
	case len(args) == 1 && args[0] == "":
		return "", d.Errf("%s: the argument is empty: give it a value or leave it out", setting)
	case len(args) == 1:
		return args[0], nil
	}
	return "", nil
}

// List takes one argument or more. without says what leaving the line out means.
func List(d *caddyfile.Dispenser, without string) ([]string, error) {
	setting := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 || slices.Contains(args, "") {
		return nil, d.Errf("%s takes one argument or more%s; leave the line out for %s", setting, ofNone(args), without)
	}
	return args, nil
}

// Scopes takes one scope or more. without says what leaving the line out means.
func Scopes(d *caddyfile.Dispenser, without string) ([]string, error) {
	setting := d.Val()
	scopes, err := List(d, without)
	if err != nil {
		return nil, err
	}
	return scopes, Wrap(d, oauth.ValidateScopes(setting, scopes))
}

// Grants takes one grant type or more, with an error for those that are not offered
// here. without says what leaving the line out means.
func Grants(d *caddyfile.Dispenser, without string) ([]string, error) {
	grants, err := List(d, without)
	if err != nil {
		return nil, err
	}
	for _, grantType := range grants {
		if strings.Contains(grantType, ",") {
			return nil, d.Errf("grants %s: separate grant types by spaces: \"grants %s\"", grantType,
				strings.Join(strings.FieldsFunc(strings.Join(grants, " "), isSeparator), " "))
		}
		if says := inTables(grantType, GrantTypes); says != "" {
			return nil, d.Errf("grants %s: %s", grantType, says)
		}
	}
	return grants, nil
}

func isSeparator(r rune) bool { return r == ',' || r == ' ' }

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
