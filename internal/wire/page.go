package wire

import (
	"net/http"
	"slices"
	"strings"
)

// A page can make the browser of its viewer send requests. It could use up the viewer's
// login attempts from the viewer's own address, if browsers did not say that a page of
// another site sends them (W3C Fetch Metadata). A page cannot change what they say.
// Programs can, and gain nothing: a request without such a header is counted as usual.

// Page tells whether a page of another site sent a request, and how.
type Page uint8

const (
	SameSite       Page = iota // or not a page, or a browser that does not say
	crossSiteCORS              // with CORS: the page reads the answer if the site lets it
	CrossSiteBlind             // a form, a link, a beacon: the page never reads the answer
)

// PageOf reads the headers of a browser. What is unclear counts as another site: a
// browser sends one of a few values, and a later browser may know more.
func PageOf(header http.Header) Page {
	site, there := fetchMetadata(header["Sec-Fetch-Site"])
	if !there || slices.Contains(ownSites, site) {
		return SameSite
	}
	if mode, _ := fetchMetadata(header["Sec-Fetch-Mode"]); mode == "cors" {
		return crossSiteCORS
	}
	return CrossSiteBlind
}

// fetchMetadata is the one value of a header in lower case. An empty value counts as
// absent.
func fetchMetadata(values []string) (value string, there bool) {
	if len(values) > 1 {
		return "", true
	}
	for _, v := range values {
		value = strings.ToLower(strings.TrimSpace(v))
	}
	return value, value != ""
}

// ownSites are what Sec-Fetch-Site says if no other site is involved; "none" is the
// user.
var ownSites = []string{"same-origin", "same-site", "none"}
