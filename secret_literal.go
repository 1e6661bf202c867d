package caddygrant

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// errLikePlaceholder says what to write in place of a secret that is no secret. It is for
// what names a file or a variable; anything else may be a secret, and is not repeated.
func errLikePlaceholder(setting, placeholder string) error {
	return fmt.Errorf("%s: this looks like a path or a placeholder without its braces, and would be taken literally: write {%s}", setting, placeholder)
}

// checkLiteralSecret refuses a secret, as the config has it, that somebody meant to be
// read from elsewhere: who knows the config's layout would know the secret.
func checkLiteralSecret(setting, value string) error {
	switch {
	case strings.HasPrefix(value, "file."), strings.HasPrefix(value, "env."):
		return errLikePlaceholder(setting, strings.TrimSuffix(value, "}"))
	case strings.HasPrefix(value, "/"), strings.HasPrefix(value, "./"):
		if info, err := os.Stat(value); err == nil && info.Mode().IsRegular() {
			return errLikePlaceholder(setting, "file."+value)
		}
	case unclosedPlaceholder.MatchString(value):
		return errUnclosedPlaceholder(setting)
	}
	return nil
}

// checkReplacedSecret refuses a secret in which a placeholder is left after replacement,
// unless that was asked for by a backslash.
func checkReplacedSecret(setting, before, value string) error {
	if !strings.Contains(before, `\{`) && (strings.Contains(value, "{file.") || strings.Contains(value, "{env.")) {
		return errUnclosedPlaceholder(setting)
	}
	return nil
}

func errUnclosedPlaceholder(setting string) error {
	return fmt.Errorf("%s: it holds a placeholder that is not replaced, and would be taken literally: write {file./path/to/secret} or {env.NAME}, with both braces", setting)
}

// unclosedPlaceholder is one of which the closing brace is missing.
var unclosedPlaceholder = regexp.MustCompile(`(^|[^\\])\{(file\.|env\.|\$)[^}]*$`)
