package browser

import (
	"net/url"
	"strings"
)

// maxReturnPath keeps the address of the page well within what servers and proxies read.
const maxReturnPath = 2048

// ReturnPath is the place to send a browser back to: target, if that is a path of this
// host, with or without a query, and "/" if a browser, or a server that decodes a path
// before it redirects, could take it for anything else. isPage tells of a decoded path
// whether it is the page itself, from which there would be no way on.
func ReturnPath(target string, isPage func(path string) bool) string {
	if path, ok := localPath(target); !ok || isPage != nil && isPage(path) {
		return "/"
	}
	return target
}

// localPath returns the decoded path of a target that can only be meant for this host.
//
// A URL parser of a browser (url.spec.whatwg.org) drops tabs and line breaks, trims
// control characters and spaces, and reads \ as /. Two slashes at the beginning are
// followed by a host. Dot segments are gone from the paths that browsers send; if they
// were resolved here, slashes could move to the beginning.
func localPath(target string) (path string, ok bool) {
	if len(target) > maxReturnPath || !strings.HasPrefix(target, "/") || !isVisible(target) || strings.ContainsAny(target, `\#`) {
		return "", false
	}
	raw, query, _ := strings.Cut(target, "?")
	if _, err := url.PathUnescape(query); err != nil {
		return "", false
	}
	path, err := url.PathUnescape(raw)
	if err != nil || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, isUnsafe) || hasDotSegment(path) {
		return "", false
	}
	return path, true
}

// isVisible tells whether s is of ASCII characters without spaces and controls.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func isUnsafe(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }

func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
