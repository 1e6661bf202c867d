package caddygrant

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// A page can have the browser of whoever looks at it send requests from there. It could use
// up the owner's tries at the owner's own address, if browsers did not say that another
// site's page sends them (W3C Fetch Metadata). No page can change what they say. Programs
// can, and gain nothing: what has no such header is counted as it always was.

// page is who sent a request, as far as that is a page of another site.
type page int

const (
	sameSite       page = iota // or no page, or a browser that says nothing
	crossSiteCORS              // by CORS: the page reads the answer if the site lets it
	crossSiteBlind             // a form, a link, a beacon: the page never reads the answer
)

// pageOf reads the headers of a browser. What is unclear is another site's: a browser sends
// one value of a few, and a later browser may know more.
func pageOf(header http.Header) page {
	site, there := fetchMetadata(header["Sec-Fetch-Site"])
	if !there || slices.Contains(ownSites, site) {
		return sameSite
	}
	if mode, _ := fetchMetadata(header["Sec-Fetch-Mode"]); mode == "cors" {
		return crossSiteCORS
	}
	return crossSiteBlind
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

// source is that of an attempt on a password or secret, apart for pages of other sites.
func (req *tokenRequest) source(s throttle.Source) throttle.Source {
	if req.page == sameSite {
		return s
	}
	return s.CrossSite()
}

// bearsSecret tells whether a request authenticates by more than a client_id. A public
// client, which does not, may log out by a beacon when its page is closed.
func (req *tokenRequest) bearsSecret() bool {
	return req.params.Get("client_secret") != "" ||
		slices.ContainsFunc(req.header["Authorization"], func(v string) bool { return strings.TrimSpace(v) != "" })
}
