package browser

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// IsNavigation tells whether a tab shows the answer, which may then be a page or a
// redirect to a page. For anything else, such as a fetch, a frame, an image or a
// prefetch, it says no, and also where the headers are unclear.
func IsNavigation(r *http.Request) bool {
	if r.Method == http.MethodOptions || IsHandshake(r) || isPrefetch(r.Header) {
		return false
	}
	if hasFetchMetadata(r.Header) {
		return only(r.Header, "Sec-Fetch-Mode") == "navigate" && only(r.Header, "Sec-Fetch-Dest") == "document"
	}
	return isNavigationOfOld(r)
}

// IsHandshake tells whether a request asks for another protocol on its connection, as a
// WebSocket handshake does: by Upgrade with HTTP/1.1, later by CONNECT (RFC 8441).
func IsHandshake(r *http.Request) bool {
	return r.Method == http.MethodConnect || r.Header["Upgrade"] != nil || r.Header[":protocol"] != nil
}

// isPrefetch recognizes a request for a page that may never be shown: all browsers send
// the first header now, older ones sent one of the others.
func isPrefetch(h http.Header) bool {
	return h["Sec-Purpose"] != nil || h["Purpose"] != nil || h["X-Purpose"] != nil || h["X-Moz"] != nil
}

// hasFetchMetadata tells whether the browser sends Fetch Metadata: current browsers do,
// over TLS and to loopback hosts.
func hasFetchMetadata(h http.Header) bool {
	if h["Sec-Fetch-Mode"] != nil || h["Sec-Fetch-Dest"] != nil || h["Sec-Fetch-Site"] != nil {
		return true
	}
	for name := range h {
		if strings.HasPrefix(name, "Sec-Fetch-") {
			return true
		}
	}
	return false
}

// isNavigationOfOld goes by what browsers ask for where there is no Fetch Metadata.
// Links and forms have three methods.
func isNavigationOfOld(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		return false
	}
	// Android's WebView sends the name of its app here.
	if by := r.Header["X-Requested-With"]; len(by) > 1 || len(by) == 1 && strings.EqualFold(strings.TrimSpace(by[0]), "XMLHttpRequest") {
		return false
	}
	return prefersHTML(only(r.Header, "Accept"))
}

// prefersHTML tells whether HTML has the highest weight of an Accept header (RFC 9110
// §12.5.1). Of types with the same weight the first counts; a wildcard is not a wish
// for HTML, nor for anything else.
func prefersHTML(accept string) bool {
	best, html, wildcard := 0.0, false, 0.0
	for element := range strings.SplitSeq(accept, ",") {
		if element = strings.TrimSpace(element); element == "" {
			continue
		}
		mediaType, params, err := mime.ParseMediaType(element)
		weight, ok := weightOf(params)
		if err != nil || !ok || !strings.Contains(mediaType, "/") { // as Java's * is
			return false
		}
		switch {
		case strings.HasSuffix(mediaType, "/*"):
			wildcard = max(wildcard, weight)
		case weight > best:
			best, html = weight, mediaType == "text/html" || mediaType == "application/xhtml+xml"
		}
	}
	return html && best >= wildcard
}

func weightOf(params map[string]string) (weight float64, ok bool) {
	q, given := params["q"]
	if !given {
		return 1, true
	}
	weight, err := strconv.ParseFloat(q, 64)
	return weight, err == nil && weight >= 0 && weight <= 1
}

// only returns the value of a header that is there exactly once, or "".
func only(h http.Header, name string) string {
	if values := h[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}
