package wire

import (
	"net/http"
	"slices"
	"strings"
)

// A page can have the browser of whoever looks at it send requests from there. It could use
// up the owner's tries at the owner's own address, if browsers did not say that another
// site's page sends them (W3C Fetch Metadata). No page can change what they say. Programs
// can, and gain nothing: what has no such header is counted as it always was.

// Page is who sent a request, as far as that is a page of another site.
type Page int

const (
	SameSite       Page = iota // or no page, or a browser that says nothing
	crossSiteCORS              // by CORS: the page reads the answer if the site lets it
	CrossSiteBlind             // a form, a link, a beacon: the page never reads the answer
)

// PageOf reads the headers of a browser. What is unclear is another site's: a browser sends
// one value of a few, and a later browser may know more.
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

// fetchMetadata is the one value of a header in lower case. An empty one is none.
func fetchMetadata(values []string) (value string, there bool) {
	if len(values) > 1 {
		return "", true
	}
	for _, v := range values {
		value = strings.ToLower(strings.TrimSpace(v))
	}
	return value, value != ""
}

// ownSites are what Sec-Fetch-Site says if no other site is involved; "none" is the user.
var ownSites = []string{"same-origin", "same-site", "none"}
