package pathreading

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// openPath is a path that needs no token, or such a path and all below it.
type openPath struct {
	path  string
	below bool // the path and what is below it
}

func (o openPath) matches(path string) bool {
	rest, ok := strings.CutPrefix(path, o.path)
	return ok && (rest == "" || o.below && rest[0] == '/')
}

// OpenPaths are the open paths of a bearer_auth. Unlike a matcher, they do not open a
// path that can be read in more ways than one, unless it is open in every reading.
type OpenPaths []openPath

// ParseOpen reads the setting `open`.
func ParseOpen(paths []string) (OpenPaths, error) {
	parsed := make(OpenPaths, 0, len(paths))
	for _, path := range paths {
		if err := checkOpen(path); err != nil {
			return nil, err
		}
		var open openPath
		open.path, open.below = strings.CutSuffix(path, "/*")
		for _, other := range parsed {
			if open == other {
				return nil, fmt.Errorf("open %s: duplicate path", path)
			}
		}
		parsed = append(parsed, open)
	}
	return parsed, nil
}

// checkOpen refuses what could not be open, or is not meant to be.
func checkOpen(path string) error {
	bare, _ := strings.CutSuffix(path, "/*")
	problem := ""
	switch {
	case path == "*" || path == "/*":
		problem = "it would leave nothing to check: remove the bearer_auth if that is intended, or name what is open"
	case strings.HasPrefix(path, "@"):
		problem = "it takes paths, not a matcher: a matcher comes right after bearer_auth, and says what to check"
	case strings.Contains(bare, "*"):
		problem = "a * can only be all of the last segment: write /path/* for a path and all below it"
	case !strings.HasPrefix(path, "/"):
		problem = "a path begins with a slash: write /" + path
	case strings.ContainsAny(bare, "{}"):
		problem = "placeholders are not replaced here; in a Caddyfile {$NAME} is, while it is read"
	case strings.Contains(bare, "%"):
		problem = "write letters as they are; what else is percent-encoded is never open, since apps read it in several ways"
	case strings.ContainsAny(bare, "?#"):
		problem = "it takes only a path: leave out the query and the fragment"
	case strings.Contains(bare, ";"):
		problem = "some apps cut a path at a semicolon: write the path without it"
	case strings.Contains(bare, "//") || path != bare && strings.HasSuffix(bare, "/"):
		problem = "some apps read two slashes as one: write one"
	case endsSegmentWithDot(bare):
		problem = "a segment must not end with a dot: some apps resolve it or cut it off"
	case !utf8.ValidString(bare) || strings.ContainsFunc(bare, neverOpen):
		problem = "it has a character that is percent-encoded in requests, which is never open: only letters, digits and -._~!$&'()+,:=@[] are"
	}
	if problem != "" {
		return fmt.Errorf("open %s: %s", path, problem)
	}
	return nil
}

// neverOpen matches characters that a path cannot have unescaped, except letters and
// combining marks.
func neverOpen(c rune) bool {
	if c < utf8.RuneSelf {
		return !escapedPathBytes[c]
	}
	return c == utf8.RuneError || !unicode.In(c, unicode.L, unicode.M)
}

func endsSegmentWithDot(path string) bool {
	return strings.HasSuffix(path, ".") || strings.Contains(path, "./")
}

// Have tells whether a URL is open. It uses the escaped path, which is what a proxy
// sends on.
func (o OpenPaths) Have(u *url.URL) bool {
	if len(o) == 0 {
		return false
	}
	if IsPlain(u) { // then the escaped path is the same
		return o.rule(u.Path) >= 0
	}
	return o.haveUnplain(u)
}

// haveUnplain is Have for a path that may have more than one reading.
func (o OpenPaths) haveUnplain(u *url.URL) bool {
	escaped := u.EscapedPath()
	for i := range len(escaped) {
		if c, ok := escapedByte(escaped[i:]); ok && c < utf8.RuneSelf {
			return false
		}
	}
	path, err := url.PathUnescape(escaped)
	if err != nil || u.Opaque != "" || !isClear(path) {
		return false
	}
	rule := o.rule(path)
	if rule < 0 || !strings.Contains(path, ";") {
		return rule >= 0
	}
	for segment := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(segment, ";") { // nothing would be left of it
			return false
		}
	}
	cut, cutAll := cutParameters(path), cutAtParameter(path)
	return isClear(cut) && isClear(cutAll) && o.rule(cut) == rule && o.rule(cutAll) == rule
}

// isClear tells whether a decoded path has only one reading, apart from its parameters.
func isClear(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.Contains(path, "//") && !endsSegmentWithDot(path) &&
		utf8.ValidString(path) && !strings.ContainsFunc(path, neverOpen)
}

// rule is the index of the path that matches, or -1.
func (o OpenPaths) rule(path string) int {
	for i, open := range o {
		if open.matches(path) {
			return i
		}
	}
	return -1
}
