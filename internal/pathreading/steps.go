package pathreading

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// steps are what apps do to a path, apart from decoding it. Each is applied to every
// Reading that the others give, so that their order does not matter.
var steps = []func(path string) string{
	rooted, withoutAuthority, cutParameters, cutAtParameter, cutAtQuery, cutAtFragment, cutAtNUL, withoutControls, withoutInvalid,
	backslashesAsSlashes, mergedSlashes, trimmedBlanks, trimmedDots, overlongAsASCII,
}

// rooted is for what is left of a path by a handler before, and for an empty one.
func rooted(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}

// withoutAuthority is what a parser of URLs leaves of a path that begins with two
// slashes, which may be so only once it is decoded.
func withoutAuthority(path string) string {
	if !strings.HasPrefix(path, "//") {
		return path
	}
	path = strings.TrimLeft(path, "/")
	if end := strings.IndexByte(path, '/'); end >= 0 {
		return path[end:]
	}
	return "/"
}

// cutParameters cuts the path parameters of each segment (RFC 3986 §3.3), as Java's
// servers do.
func cutParameters(path string) string {
	if !strings.Contains(path, ";") {
		return path
	}
	return ofSegments(path, func(segment string) string {
		before, _, _ := strings.Cut(segment, ";")
		return before
	})
}

func cutAtParameter(path string) string { return cutAt(path, ";") }
func cutAtQuery(path string) string     { return cutAt(path, "?") }
func cutAtFragment(path string) string  { return cutAt(path, "#") }
func cutAtNUL(path string) string       { return cutAt(path, "\x00") }

func cutAt(path, end string) string {
	before, _, _ := strings.Cut(path, end)
	return before
}

// withoutControls is for apps that drop invisible characters, even in the middle of a
// name.
func withoutControls(path string) string {
	isHidden := func(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) }
	if !strings.ContainsFunc(path, isHidden) {
		return path
	}
	out := make([]byte, 0, len(path))
	for len(path) > 0 {
		c, size := utf8.DecodeRuneInString(path)
		if !isHidden(c) {
			out = append(out, path[:size]...) // as it is, if it is not UTF-8
		}
		path = path[size:]
	}
	return string(out)
}

// withoutInvalid is for decoders that drop what is not UTF-8.
func withoutInvalid(path string) string { return strings.ToValidUTF8(path, "") }

func backslashesAsSlashes(path string) string { return strings.ReplaceAll(path, `\`, "/") }

func mergedSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

func trimmedBlanks(path string) string {
	return ofSegments(path, func(segment string) string { return strings.TrimFunc(segment, isBlank) })
}

// trimmedDots is what Windows makes of a path.
func trimmedDots(path string) string {
	return ofSegments(path, func(segment string) string { return strings.TrimRightFunc(segment, isDotOrBlank) })
}

// overlongAsASCII decodes ASCII that was encoded in two or more bytes of UTF-8, which
// is not allowed, but which some decoders accept.
func overlongAsASCII(path string) string {
	var out []byte
	for i := 0; i < len(path); i++ {
		c, size := overlong(path[i:])
		if size > 0 && out == nil {
			out = append(make([]byte, 0, len(path)), path[:i]...)
		}
		switch {
		case size > 0:
			out = append(out, c)
			i += size - 1
		case out != nil:
			out = append(out, path[i])
		}
	}
	if out == nil {
		return path
	}
	return string(out)
}

// overlong is the ASCII character that a text begins with, if that has more than one
// byte.
func overlong(text string) (c byte, size int) {
	for _, prefix := range []string{"\xf0\x80", "\xe0", ""} {
		rest, ok := strings.CutPrefix(text, prefix)
		if !ok || len(rest) < 2 || rest[1]&0xc0 != 0x80 {
			continue
		}
		lead := rest[0]
		if prefix != "" { // a continuation, of which the two low bits count
			lead |= 0x40
		}
		if lead == 0xc0 || lead == 0xc1 {
			return lead<<6 | rest[1]&0x3f, len(prefix) + 2
		}
	}
	return 0, 0
}

// ofSegments changes each segment of a path.
func ofSegments(path string, change func(string) string) string {
	segments := strings.Split(path, "/")
	changed := false
	for i, segment := range segments {
		segments[i] = change(segment)
		changed = changed || len(segments[i]) != len(segment)
	}
	if !changed {
		return path
	}
	return strings.Join(segments, "/")
}
