// Package setting reads what a config says: placeholders are replaced, and secrets that
// were meant to be read from elsewhere are refused.
package setting

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// Resolve replaces the placeholders of a setting. An unknown or empty placeholder is an
// error: the operator meant something to be there.
func Resolve(repl *caddy.Replacer, setting, value string) (string, error) {
	if value == "" {
		return "", nil
	}
	out, err := repl.ReplaceOrErr(value, true, true)
	switch {
	case err == nil:
	case strings.HasPrefix(value, "{file."):
		return "", fmt.Errorf("%s: the file of %s is missing, empty or not readable by Caddy", setting, value)
	case strings.HasPrefix(value, pathShorthand):
		name := strings.TrimSuffix(strings.TrimPrefix(value, pathShorthand), "}")
		return "", fmt.Errorf("%s: in a Caddyfile {file.%s} means a part of the request's path: write {file./path/to/%s}, or {file../%s} for a file where Caddy is started", setting, name, name, name)
	case strings.HasPrefix(value, "{env."):
		return "", fmt.Errorf("%s: the environment variable of %s is not set, or empty", setting, value)
	default:
		return "", fmt.Errorf("%s: %w", setting, err)
	}
	if out == "" {
		return "", fmt.Errorf("%s: it is empty", setting)
	}
	return out, nil
}

// ResolveSecret is Resolve for a secret: its errors name a placeholder only where the
// whole value is one, since anything else may be a piece of the secret.
func ResolveSecret(repl *caddy.Replacer, setting, value string) (string, error) {
	if err := CheckLiteralSecret(setting, value); err != nil {
		return "", err
	}
	out, err := Resolve(repl, setting, value)
	switch {
	case err != nil && !wholePlaceholder.MatchString(value):
		for _, found := range knownPlaceholder.FindAllStringSubmatch(value, -1) {
			if _, err := Resolve(repl, setting, found[0]); err != nil && mayBeShown(found[1], found[2]) {
				return "", err
			}
		}
		return "", fmt.Errorf("%s: it holds a placeholder that is unknown or empty; a literal { is written \\{", setting)
	case err != nil:
		return "", err
	}
	return out, checkReplacedSecret(setting, value, out)
}

// ResolveList is Resolve for each value of a list.
func ResolveList(repl *caddy.Replacer, setting string, values []string) ([]string, error) {
	if values == nil {
		return nil, nil
	}
	out := make([]string, len(values))
	for i, value := range values {
		var err error
		if out[i], err = Resolve(repl, setting, value); err != nil {
			return nil, err
		}
		if out[i] == "" {
			return nil, fmt.Errorf("%s: a value is empty", setting)
		}
	}
	return out, nil
}

// wholePlaceholder is a value that is only a placeholder.
var wholePlaceholder = regexp.MustCompile(`^\{[a-z_]+\.[^{}]*\}$`)

// knownPlaceholder is of a variable or a file. Other words in braces may be a piece of a
// secret.
var knownPlaceholder = regexp.MustCompile(`\{(env|file)\.([^{}]+)\}`)

// pathShorthand is how a Caddyfile is read where a file is named without a slash.
const pathShorthand = "{http.request.uri.path.file."
