package setting

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
)

// A secret is used as its file has it, so that any bytes can be a secret: Caddy removes
// one line end. What an editor or a shell leaves around it is then part of it, and
// missing where the secret is typed elsewhere.

// AroundSecret says what a secret, once its placeholders are replaced, has around it
// that is probably a mistake. It is nil for a secret in plain in the config, where it
// is visible.
func AroundSecret(setting, secret string) (found []string) {
	if !strings.Contains(setting, "{file.") && !strings.Contains(setting, "{env.") {
		return nil
	}
	text := []byte(secret)
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return []string{"it is UTF-16"}
	}
	text, marked := bytes.CutPrefix(text, []byte("\ufeff"))
	if marked {
		found = append(found, "a byte order mark before it")
	}
	left := bytes.TrimLeftFunc(text, blank)
	found = append(found, blanks(text[:len(text)-len(left)], "before it")...)
	inner := bytes.TrimRightFunc(left, blank)
	found = append(found, blanks(left[len(inner):], "after it")...)
	if bytes.ContainsAny(inner, "\r\n") {
		found = append(found, "more than one line")
	}
	if quoted.Match(inner) {
		found = append(found, "quotes around it")
	}
	return found
}

// blanks names what is in a run of blanks.
func blanks(run []byte, where string) (found []string) {
	if bytes.ContainsAny(run, "\r\n") {
		found = append(found, "a line end "+where)
	}
	if len(bytes.Trim(run, "\r\n")) > 0 {
		found = append(found, "blanks "+where)
	}
	return found
}

// quoted matches a value in shell quotes, or in the typographic quotes that an editor
// makes of them.
var quoted = regexp.MustCompile("(?s)^(\".*\"|'.*'|`.*`|[“”„].*[“”]|[‘’‚].*[‘’]|«.*»|».*«)$")

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
