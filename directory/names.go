package directory

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// validateName enforces what every name of a user or client must be, since it will be
// in logs, tokens and headers.
func validateName(what, name string) error {
	switch {
	case name == "" || len(name) > MaxNameLength:
		return fmt.Errorf("%s: it must have 1 to %d bytes", what, MaxNameLength)
	case !utf8.ValidString(name):
		return fmt.Errorf("%s: it must be UTF-8", what)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%s: it must be without control characters", what)
	}
	return nil
}

// ValidateName enforces on the name of something else, which what says, what a username
// must be: it will be in logs, tokens and headers as well.
func ValidateName(what, name string) error { return validateEntryName(what, name) }

// possible tells whether a user or client can have that subject or id.
func possible(key string) bool { return validateName("", key) == nil }

// validateEntryName is validateName for what a user or client is found by. It also
// refuses what is clearly a mistake, since no client would send it.
func validateEntryName(what, name string) error {
	if err := validateName(what, name); err != nil {
		return err
	}
	if err := userfile.OddName(name); err != nil {
		return fmt.Errorf("%s %s: %w", what, Shown(name), err)
	}
	return nil
}

// Shown quotes a name for an error message, unless it may be a hash in the wrong place.
func Shown(name string) string {
	if looksLikeHash.MatchString(name) || hashWithin.MatchString(name) {
		return "(a hash)"
	}
	if len(name) > 32 {
		return userfile.Quote(string([]rune(name)[:min(32, utf8.RuneCountInString(name))])) + "..."
	}
	return userfile.Quote(name)
}

var (
	// looksLikeHash begins as a hash does.
	looksLikeHash = regexp.MustCompile(`^(\$+[A-Za-z0-9-]+\$|\{[A-Za-z0-9@._-]+\}.)`)

	// hashWithin has something before the hash, such as a quote.
	hashWithin = regexp.MustCompile(`\$[A-Za-z0-9-]+\$|^[^A-Za-z0-9]*\{[A-Za-z0-9@._-]+\}.`)
)

// MaxNameLength is how many bytes a username, subject, client id or audience may have.
const MaxNameLength = 255
