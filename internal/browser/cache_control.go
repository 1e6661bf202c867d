package browser

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// makePrivate keeps an answer out of shared caches (RFC 9111 §5.2.2.7), and out of all
// caches if it is a document of which the app says nothing.
func makePrivate(h http.Header, document bool) {
	for name, values := range h {
		switch {
		case isForSharedCaches(name):
			delete(h, name)
		case name != "Cache-Control" && strings.EqualFold(name, "Cache-Control"):
			h["Cache-Control"] = append(h["Cache-Control"], values...)
			delete(h, name)
		}
	}
	directives, ok := splitDirectives(strings.Join(h["Cache-Control"], ", "))
	switch {
	case !ok:
		h["Cache-Control"] = []string{"no-store"} // caches differ in how they read it
	case len(directives) > 0:
		if private, changed := privateDirectives(directives); changed {
			h["Cache-Control"] = []string{strings.Join(private, ", ")}
		}
	case document:
		h["Cache-Control"] = []string{"no-store"}
	default:
		h["Cache-Control"] = []string{"private"}
	}
}

// isForSharedCaches recognizes the headers that tell a content delivery network or a
// proxy otherwise than Cache-Control does, such as CDN-Cache-Control (RFC 9213).
func isForSharedCaches(name string) bool {
	const suffix = "-Cache-Control"
	return strings.EqualFold(name, "Surrogate-Control") || strings.EqualFold(name, "Edge-Control") ||
		strings.EqualFold(name, "X-Accel-Expires") ||
		len(name) > len(suffix) && strings.EqualFold(name[len(name)-len(suffix):], suffix)
}

// privateDirectives drops what is for shared caches and sees to it that one directive
// keeps the answer out of them.
func privateDirectives(directives []string) (private []string, changed bool) {
	var isPrivate, noStore, mustUnderstand bool
	private = make([]string, 1, len(directives)+1)
	for _, directive := range directives {
		name, rest := cutToken(directive)
		plain := rest == ""
		switch {
		case strings.EqualFold(name, "public"), strings.EqualFold(name, "s-maxage"):
			changed = true
			continue
		case strings.EqualFold(name, "private"):
			if !plain { // for some fields only
				changed = true
				continue
			}
			isPrivate = true
		case strings.EqualFold(name, "no-store"):
			noStore = noStore || plain
		}
		// A cache that understands the status ignores no-store then.
		mustUnderstand = mustUnderstand || strings.Contains(strings.ToLower(directive), "must-understand")
		private = append(private, directive)
	}
	if isPrivate || noStore && !mustUnderstand {
		return private[1:], changed
	}
	private[0] = "private" // first, where even a careless parser sees it
	return private, true
}

func cutToken(directive string) (token, rest string) {
	for i := range len(directive) {
		if !httpguts.IsTokenRune(rune(directive[i])) {
			return directive[:i], directive[i:]
		}
	}
	return directive, ""
}

// splitDirectives splits at commas that are outside quotes. It is not ok if a quote does
// not end.
func splitDirectives(list string) (directives []string, ok bool) {
	start, quoted := 0, false
	add := func(end int) {
		if directive := strings.TrimSpace(list[start:end]); directive != "" {
			directives = append(directives, directive)
		}
		start = end + 1
	}
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			add(i)
		}
	}
	if quoted {
		return nil, false
	}
	add(len(list))
	return directives, true
}
