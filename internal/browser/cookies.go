package browser

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Cookie is a cookie as a request has it; the value is neither unquoted nor decoded.
type Cookie struct{ Name, Value string }

// TakeCookies takes the cookies of certain names out of a request, and returns them in
// their order. All others stay byte for byte.
//
// Apps read this header in their own ways: some split it at commas or spaces as well,
// some trim more than spaces. A cookie in which an app could find one of the names goes
// too, but is not returned: to a browser it is another cookie.
func TakeCookies(h http.Header, taken func(name string) bool) []Cookie {
	lines := h["Cookie"]
	if !slices.ContainsFunc(lines, func(line string) bool { return mentions(line, taken) }) {
		return nil
	}
	var cookies []Cookie
	left := make([]string, 0, len(lines))
	for _, line := range lines {
		if mentions(line, taken) {
			if line, cookies = takeFrom(line, taken, cookies); line == "" {
				continue
			}
		}
		left = append(left, line)
	}
	if len(left) == 0 {
		delete(h, "Cookie")
	} else {
		h["Cookie"] = left
	}
	return cookies
}

// mentions tells whether one of the names is in a line where an app could read it.
func mentions(line string, taken func(string) bool) bool {
	for part := range strings.SplitSeq(line, ";") {
		if name, _, _ := cutCookie(part); taken(name) || isHiddenIn(part, taken) {
			return true
		}
	}
	return false
}

// takeFrom takes the cookies out of one line, with the separators around them.
func takeFrom(line string, taken func(string) bool, cookies []Cookie) (left string, _ []Cookie) {
	var room [16]string // enough for most, without an allocation
	parts := room[:0]
	for part := range strings.SplitSeq(line, ";") {
		switch name, value, _ := cutCookie(part); {
		case taken(name):
			cookies = append(cookies, Cookie{Name: name, Value: value})
		case !isHiddenIn(part, taken):
			parts = append(parts, part)
		}
	}
	isBlank := func(part string) bool { return strings.Trim(part, blanks) == "" }
	for len(parts) > 0 && isBlank(parts[0]) {
		parts = parts[1:]
	}
	for len(parts) > 0 && isBlank(parts[len(parts)-1]) {
		parts = parts[:len(parts)-1]
	}
	return strings.TrimLeft(strings.Join(parts, ";"), blanks), cookies
}

// blanks are what parsers trim; a server lets only the first two through.
const blanks = " \t\r\n"

// cutCookie reads one cookie as browsers and RFC 6265 §5.2 do.
func cutCookie(part string) (name, value string, hasValue bool) {
	name, value, hasValue = strings.Cut(part, "=")
	return strings.Trim(name, blanks), strings.Trim(value, blanks), hasValue
}

// isHiddenIn tells whether one of the names stands before a = anywhere in a cookie, with
// nothing between them that could be part of a name.
func isHiddenIn(part string, taken func(string) bool) bool {
	start, end := 0, 0
	for i := range len(part) {
		switch {
		case httpguts.IsTokenRune(rune(part[i])):
			if end != i {
				start = i
			}
			end = i + 1
		case part[i] == '=' && end > start:
			if taken(part[start:end]) {
				return true
			}
			start = end // a name is looked up once, however many = follow
		}
	}
	return false
}
