package browser

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// What current browsers send for a page over https.
var page = http.Header{
	"Accept":                    {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"},
	"Sec-Fetch-Mode":            {"navigate"},
	"Sec-Fetch-Dest":            {"document"},
	"Sec-Fetch-Site":            {"none"},
	"Sec-Fetch-User":            {"?1"},
	"Upgrade-Insecure-Requests": {"1"},
}

// What the same browsers send over http to a host that is not loopback.
var pageWithoutMetadata = http.Header{
	"Accept":                    page["Accept"],
	"Upgrade-Insecure-Requests": {"1"},
}

// with returns a copy of h in which headers are added; no values remove a header.
func with(h http.Header, name string, values ...string) http.Header {
	h = h.Clone()
	h[name] = values
	if values == nil {
		delete(h, name)
	}
	return h
}

func TestATabShowsTheAnswerToANavigationOnly(t *testing.T) {
	accept := func(values ...string) http.Header { return http.Header{"Accept": values} }
	for _, tt := range []struct {
		name   string
		method string
		h      http.Header
		want   bool
	}{
		{"a page is a navigation", "GET", page, true},
		{"so is HEAD", "HEAD", page, true},
		{"a form that is posted is one", "POST", page, true},
		{"a link on another site is one", "GET", with(page, "Sec-Fetch-Site", "cross-site"), true},
		{"with Fetch Metadata Accept is not asked", "GET", with(page, "Accept", "*/*"), true},
		{"nor is the app of a WebView", "GET", with(page, "X-Requested-With", "com.example.app"), true},
		{"a preflight is not a navigation", "OPTIONS", page, false},
		{"CONNECT is not", "CONNECT", page, false},
		{"a frame is not", "GET", with(page, "Sec-Fetch-Dest", "iframe"), false},
		{"an old frame is not", "GET", with(page, "Sec-Fetch-Dest", "frame"), false},
		{"an embed is not", "GET", with(page, "Sec-Fetch-Dest", "embed"), false},
		{"an object is not", "GET", with(page, "Sec-Fetch-Dest", "object"), false},
		{"an image is not", "GET", with(with(page, "Sec-Fetch-Mode", "no-cors"), "Sec-Fetch-Dest", "image"), false},
		{"a fetch is not, whatever it accepts", "GET", with(with(page, "Sec-Fetch-Mode", "cors"), "Sec-Fetch-Dest", "empty"), false},
		{"a fetch of the same origin is not", "GET", with(with(page, "Sec-Fetch-Mode", "same-origin"), "Sec-Fetch-Dest", "empty"), false},
		{"the handshake of a WebSocket is not", "GET", with(with(page, "Sec-Fetch-Mode", "websocket"), "Sec-Fetch-Dest", "websocket"), false},
		{"document in another mode is not", "GET", with(page, "Sec-Fetch-Mode", "cors"), false},
		{"navigate without a destination is not", "GET", with(page, "Sec-Fetch-Dest"), false},
		{"a destination without a mode is not", "GET", with(page, "Sec-Fetch-Mode"), false},
		{"nor is any other rest of Fetch Metadata", "GET", with(pageWithoutMetadata, "Sec-Fetch-User", "?1"), false},
		{"nor is Fetch Metadata that came later", "GET", with(pageWithoutMetadata, "Sec-Fetch-Storage-Access", "none"), false},
		{"a mode in capitals is not", "GET", with(page, "Sec-Fetch-Mode", "Navigate"), false},
		{"a mode that is there twice is not", "GET", with(page, "Sec-Fetch-Mode", "navigate", "navigate"), false},
		{"a list of modes is not", "GET", with(page, "Sec-Fetch-Mode", "navigate, cors"), false},
		{"a destination that is there twice is not", "GET", with(page, "Sec-Fetch-Dest", "document", "empty"), false},
		{"an empty mode is not", "GET", with(page, "Sec-Fetch-Mode", ""), false},
		{"a prefetch is not", "GET", with(page, "Sec-Purpose", "prefetch"), false},
		{"a prerendered page is not", "GET", with(page, "Sec-Purpose", "prefetch;prerender"), false},
		{"a prefetch of older Chromium is not", "GET", with(page, "Purpose", "prefetch"), false},
		{"Safari's preview is not", "GET", with(page, "X-Purpose", "preview"), false},
		{"a prefetch of Firefox is not", "GET", with(pageWithoutMetadata, "X-Moz", "prefetch"), false},
		{"an upgrade is not", "GET", with(page, "Upgrade", "websocket"), false},
		{"nor is one without Fetch Metadata", "GET", with(pageWithoutMetadata, "Upgrade", "websocket"), false},
		{"extended CONNECT is not", "CONNECT", with(pageWithoutMetadata, ":protocol", "websocket"), false},
		{"nor is its protocol with another method", "GET", with(page, ":protocol", "websocket"), false},

		{"without Fetch Metadata Accept decides", "GET", pageWithoutMetadata, true},
		{"also for a form", "POST", pageWithoutMetadata, true},
		{"forms do not PUT", "PUT", pageWithoutMetadata, false},
		{"forms do not DELETE", "DELETE", pageWithoutMetadata, false},
		{"preflights are not navigations without it either", "OPTIONS", pageWithoutMetadata, false},
		{"Firefox's Accept prefers HTML", "GET", accept("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), true},
		{"Lynx's does", "GET", accept("text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01"), true},
		{"so does XHTML alone", "GET", accept("application/xhtml+xml"), true},
		{"case does not matter", "GET", accept("Text/HTML;Q=0.9,*/*;q=0.8"), true},
		{"a parameter does not matter", "GET", accept("text/html;level=1"), true},
		{"HTML is preferred by weight", "GET", accept("application/json;q=0.5, text/html"), true},
		{"spaces do not matter", "GET", accept(" text/html ; q=0.9 ,\tapplication/json ; q=0.8 "), true},
		{"no Accept is not a wish for HTML", "GET", http.Header{}, false},
		{"curl's is not", "GET", accept("*/*"), false},
		{"an axios client's is not", "GET", accept("application/json, text/plain, */*"), false},
		{"JSON first is not", "GET", accept("application/json, text/html"), false},
		{"JSON with more weight is not", "GET", accept("text/html;q=0.8, application/json;q=0.9"), false},
		{"anything with more weight is not", "GET", accept("text/html;q=0.5, */*;q=0.8"), false},
		{"any text is not", "GET", accept("text/*"), false},
		{"HTML with the weight 0 is not", "GET", accept("text/html;q=0"), false},
		{"an image's Accept is not", "GET", accept("image/avif,image/webp,*/*;q=0.8"), false},
		{"a style sheet's is not", "GET", accept("text/css,*/*;q=0.1"), false},
		{"an event stream's is not", "GET", accept("text/event-stream"), false},
		{"a weight that cannot be read is not", "GET", accept("text/html;q=high"), false},
		{"a weight that is not a number is not", "GET", accept("text/html;q=NaN"), false},
		{"a weight over 1 is not", "GET", accept("text/html;q=7"), false},
		{"a negative weight is not", "GET", accept("text/html, application/json;q=-1"), false},
		{"the default of Java's HttpURLConnection is not", "GET", accept("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"), false},
		{"an Accept that is there twice is not", "GET", accept("text/html", "text/html"), false},
		{"an XMLHttpRequest is not", "GET", with(pageWithoutMetadata, "X-Requested-With", "XMLHttpRequest"), false},
		{"nor is one in small letters", "GET", with(pageWithoutMetadata, "X-Requested-With", "xmlhttprequest"), false},
		{"nor one that says so twice", "GET", with(pageWithoutMetadata, "X-Requested-With", "com.example.app", "XMLHttpRequest"), false},
		{"Android's WebView is a browser", "GET", with(pageWithoutMetadata, "X-Requested-With", "com.example.app"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/", nil)
			r.Header = tt.h
			if got := IsNavigation(r); got != tt.want {
				t.Errorf("IsNavigation is %v, want %v: %s %v", got, tt.want, tt.method, tt.h)
			}
		})
	}
}

func TestANavigationOfACurrentBrowserIsRecognizedWithoutAllocating(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = page
	if n := testing.AllocsPerRun(100, func() { IsNavigation(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
