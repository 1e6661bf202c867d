package browser

import (
	"net/http"
	"strings"
)

// makePrivate keeps an answer out of shared caches (RFC 9111 §5.2.2.7), and out of all
// caches if it is a document of which the app says nothing.
func makePrivate(h http.Header, document bool) {
	for name := range h {
		if isForSharedCaches(name) {
			delete(h, name)
		}
	}
	lines := h["Cache-Control"]
	directives, ok := splitDirectives(strings.Join(lines, ", "))
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
	switch name {
	case "Surrogate-Control", "Edge-Control", "X-Accel-Expires":
		return true
	}
	return strings.HasSuffix(name, "-Cache-Control")
}

// privateDirectives drops what is for shared caches and has one directive that keeps
// the answer out of them.
func privateDirectives(directives []string) (private []string, changed bool) {
	var isPrivate, noStore, mustUnderstand bool
	private = make([]string, 1, len(directives)+1)
	for _, directive := range directives {
		name, _, hasValue := strings.Cut(directive, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "public", "s-maxage":
			changed = true
			continue
		case "private":
			if hasValue { // for some fields only
				changed = true
				continue
			}
			isPrivate = true
		case "no-store":
			noStore = true
		case "must-understand": // a cache that does so ignores no-store
			mustUnderstand = true
		}
		private = append(private, directive)
	}
	if isPrivate || noStore && !mustUnderstand {
		return private[1:], changed
	}
	private[0] = "private"
	return private, true
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
