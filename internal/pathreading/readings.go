// Package pathreading knows in which ways an app may read the path of a request, so
// that a matcher that is asked about one of them is asked about all.
package pathreading

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Caddy's matchers compare the decoded path, the proxy sends the escaped one, and apps
// read that in their own ways: Java cuts path parameters, Windows reads backslashes as
// slashes, C ends a string at a NUL, and some decode twice. What a matcher leaves
// unchecked must be left unchecked in each of these readings.

// Reading is a path as an app may read it. Raw is its escaped form, as in url.URL, if
// that is not the usual one.
type Reading struct{ Path, Raw string }

// Readings are those of a path, each once.
type Readings struct {
	List  []Reading
	Doubt Doubt // if there is any, more readings may exist
	bytes int
}

// Of finds all ways in which an app may read the path of a URL, in any order of steps.
// The first is the path as it is.
func Of(u *url.URL) *Readings {
	s := &Readings{List: make([]Reading, 0, 8)}
	if u.Opaque != "" { // the proxy would send that in place of the path
		s.List = append(s.List, Reading{u.Path, u.RawPath})
		s.Doubt = Ambiguous
		return s
	}
	s.add(Reading{u.Path, u.RawPath})
	s.add(Reading{Path: withReserved(u.EscapedPath())})
	for i := 0; i < len(s.List) && s.Doubt == NoDoubt; i++ {
		path := s.List[i].Path
		for _, step := range steps {
			s.add(Reading{Path: step(path)})
		}
		if strings.Contains(path, "%") {
			s.add(Reading{decodedAgain(path), escapedAgain(path)})
		}
	}
	return s
}

func (s *Readings) add(r Reading) {
	if s.Doubt != NoDoubt {
		return
	}
	if r.Raw != "" && r.Raw == (&url.URL{Path: r.Path}).EscapedPath() {
		r.Raw = ""
	}
	if slices.Contains(s.List, r) {
		return
	}
	s.bytes += len(r.Path)
	switch {
	case hasDotSegment(r.Path):
		s.Doubt = DotSegment
	case len(s.List) == maxReadings || s.bytes > maxReadingBytes:
		s.Doubt = Ambiguous
	}
	if s.Doubt == NoDoubt || len(s.List) == 0 {
		s.List = append(s.List, r)
	}
	if r.Raw == "" && strings.ContainsAny(r.Path, `!'()*`) {
		s.add(Reading{r.Path, unescapedMarks.Replace((&url.URL{Path: r.Path}).EscapedPath())})
	}
}

// unescapedMarks is for what Go escapes in a path and other programs do not: a matcher
// that compares the escaped path may have either.
var unescapedMarks = strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

// IsPlain tells whether a URL has only one reading. That is true of nearly all
// requests, and allocates no memory.
func IsPlain(u *url.URL) bool {
	if u.RawPath != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") {
		return false
	}
	before := byte(0)
	for i := range len(u.Path) {
		c := u.Path[i]
		if !plainPathBytes[c] || c == '/' && (before == '/' || before == '.') {
			return false
		}
		before = c
	}
	return before != '.'
}

// plainPathBytes are bytes that no app reads as something else, apart from slashes and
// dots in some places, and that Go's URLs have unescaped, whatever the request had.
var plainPathBytes = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~$&+,/:=@")

// escapedPathBytes may stand in an escaped path as they are (RFC 3986 §3.3, and
// brackets).
var escapedPathBytes = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~$&+,/:=@!'()*;[]")

func byteSet(members string) (set [256]bool) {
	for _, c := range []byte(members) {
		set[c] = true
	}
	return set
}

// hasDotSegment tells whether a segment has only dots and blanks. Caddy's matchers
// resolve it before they compare, so they cannot be asked about the path as it is.
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if strings.Contains(segment, ".") && strings.TrimFunc(segment, isDotOrBlank) == "" {
			return true
		}
	}
	return false
}

// isBlank is for all that some app trims: spaces and controls of any kind, invisible
// characters, and bytes that are not UTF-8.
func isBlank(c rune) bool {
	return unicode.IsSpace(c) || unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || c == utf8.RuneError
}

func isDotOrBlank(c rune) bool { return c == '.' || isBlank(c) }

// withReserved decodes a path like an app that routes by the escaped path: what would
// divide it stays escaped.
func withReserved(escaped string) string {
	if !strings.Contains(escaped, "%") {
		return escaped
	}
	out := make([]byte, 0, len(escaped))
	for i := 0; i < len(escaped); i++ {
		c, ok := escapedByte(escaped[i:])
		switch {
		case !ok:
			out = append(out, escaped[i])
			continue
		case strings.IndexByte(`/\;?#%`, c) >= 0:
			out = append(out, escaped[i:i+3]...)
		default:
			out = append(out, c)
		}
		i += 2
	}
	return string(out)
}

// escapedByte is the byte of the escape that a text begins with.
func escapedByte(text string) (byte, bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	high, low := hexDigit(text[1]), hexDigit(text[2])
	if high < 0 || low < 0 {
		return 0, false
	}
	return byte(high<<4 | low), true
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// decodedAgain is the path in an app that decodes once more. What is not an escape
// stays; %u002f is one in some apps on Windows.
func decodedAgain(path string) string {
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if c, ok := escapedByte(path[i:]); ok {
			out = append(out, c)
			i += 2
			continue
		}
		if len(path) >= i+6 && path[i] == '%' && (path[i+1] == 'u' || path[i+1] == 'U') {
			high, okHigh := escapedByte("%" + path[i+2:i+4])
			low, okLow := escapedByte("%" + path[i+4:i+6])
			if okHigh && okLow {
				out = utf8.AppendRune(out, rune(high)<<8|rune(low))
				i += 5
				continue
			}
		}
		out = append(out, path[i])
	}
	return string(out)
}

// escapedAgain is the escaped path of that app, for matchers that compare it.
func escapedAgain(path string) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(path))
	for i := range len(path) {
		c := path[i]
		if _, ok := escapedByte(path[i:]); ok || escapedPathBytes[c] {
			out = append(out, c)
		} else {
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(out)
}

// Bounds on the work that one request can cause. Real paths have a handful of readings.
const (
	maxReadings     = 64
	maxReadingBytes = 64 << 10
)

// Doubt is why it is unclear what an app would read.
type Doubt int

const (
	NoDoubt Doubt = iota
	DotSegment
	Ambiguous
)
