package oauth

import (
	"slices"
	"strings"
	"testing"
)

// An accepted scope is a set with one spelling: joined and parsed again it is the same,
// and every name keeps to the characters of RFC 6749 §3.3.
func FuzzParseScope(f *testing.F) {
	for _, scope := range []string{
		"", " ", "read", "read write", "read  write", " read", "read ", "read read write read",
		"READ read", "a\tb", "a\"b", `a\b`, "naïve", "read\x00", "read\nwrite", "!#[]^~",
		strings.Repeat("x", maxScopeLength), strings.Repeat("x", maxScopeLength+1),
		strings.Repeat("x ", maxScopes) + "y",
	} {
		f.Add(scope)
	}
	f.Fuzz(func(t *testing.T, value string) {
		scopes, ok := ParseScope(value)
		if !ok {
			return
		}
		if len(scopes) > maxScopes || (len(scopes) == 0) != (strings.Trim(value, " ") == "") {
			t.Fatalf("%q gives %d scopes", value, len(scopes))
		}
		for i, scope := range scopes {
			if scope == "" || len(scope) > maxScopeLength || slices.Contains(scopes[:i], scope) {
				t.Fatalf("%q gives %q", value, scopes)
			}
			if strings.ContainsFunc(scope, func(r rune) bool { return r <= 0x20 || r >= 0x7f || r == '"' || r == '\\' }) {
				t.Fatalf("%q gives the scope %q", value, scope)
			}
		}
		// nothing requested is lost, and nothing is added
		for _, word := range strings.Split(value, " ") {
			if word != "" && !slices.Contains(scopes, word) {
				t.Fatalf("%q lost %q: %q", value, word, scopes)
			}
		}
		normal := strings.Join(scopes, " ")
		again, ok := ParseScope(normal)
		if !ok || !slices.Equal(scopes, again) || len(normal) > len(value) {
			t.Fatalf("%q gives %q, which gives %q, %v", value, scopes, again, ok)
		}
	})
}
