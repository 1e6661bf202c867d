package oauth

import (
	"fmt"
	"slices"
	"strings"
)

// Intersect keeps what is in both lists, in the order of the first. It returns the
// first list itself if all of it is kept.
func Intersect(list, allowed []string) []string {
	missing := slices.IndexFunc(list, func(s string) bool { return !slices.Contains(allowed, s) })
	if missing < 0 {
		return list
	}
	out := slices.Clone(list[:missing])
	for _, s := range list[missing+1:] {
		if slices.Contains(allowed, s) {
			out = append(out, s)
		}
	}
	return out
}

// ParseScope splits a scope at runs of spaces and drops repetitions, in order. Other
// whitespace is not allowed.
func ParseScope(value string) ([]string, bool) {
	var scopes []string
	for scope := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ' ' }) {
		if !validScope(scope) || len(scopes) > maxScopes {
			return nil, false
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, len(scopes) <= maxScopes
}

// validScope enforces scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) of RFC 6749 §3.3.
func validScope(scope string) bool {
	if scope == "" || len(scope) > maxScopeLength {
		return false
	}
	for _, c := range []byte(scope) {
		if c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// ValidateScopes checks a list from the config or from a file.
func ValidateScopes(setting string, scopes []string) error {
	if len(scopes) > maxScopes {
		return fmt.Errorf("%s: there are %d, the maximum is %d", setting, len(scopes), maxScopes)
	}
	for i, scope := range scopes {
		if strings.Contains(scope, " ") {
			return fmt.Errorf("%s: %q contains a space: write each scope separately, without quotes around several", setting, scope)
		}
		if !validScope(scope) {
			return fmt.Errorf("%s: %q is not a scope: it must be 1 to %d printable ASCII characters other than space, \" and \\", setting, scope, maxScopeLength)
		}
		if slices.Contains(scopes[:i], scope) {
			return fmt.Errorf("%s: duplicate scope %q", setting, scope)
		}
	}
	return nil
}

const (
	maxScopes      = 64
	maxScopeLength = 128
)
