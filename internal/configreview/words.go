package configreview

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// duration is a length of time as it is written in a Caddyfile, where a day is d.
func duration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// shown is the field of a warning as a text.
func shown(value any) string {
	switch value := value.(type) {
	case time.Duration:
		return duration(value)
	case caddy.Duration:
		return duration(time.Duration(value))
	}
	return strings.Trim(fmt.Sprint(value), "[]")
}

// list are words with commas and "and".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// texts is the field of a warning that is a list of texts.
func (e entry) texts(field string) (texts []string) {
	values, _ := e.fields[field].([]any)
	for _, value := range values {
		texts = append(texts, fmt.Sprint(value))
	}
	return texts
}

// newHash is how to replace the hash of a user or a client of a file. The name may be
// empty.
func newHash(what, name, path string) string {
	if !isWord.MatchString(name) {
		name = "NAME"
	}
	if !isWord.MatchString(path) {
		path = "FILE"
	}
	if what == "clients" {
		return fmt.Sprintf("\"caddy grant client rotate-secret %s --file %s\" makes a new secret", name, path)
	}
	return fmt.Sprintf("\"caddy grant user passwd %s --file %s\" sets a new password; \"caddy hash-password --algorithm argon2id\" or \"htpasswd -B -C 12\" make a hash without it", name, path)
}

// isWord is what a shell takes as it is.
var isWord = regexp.MustCompile(`^[A-Za-z0-9_./][A-Za-z0-9._/@+,:=%-]*$`)
