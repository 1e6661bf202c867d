package wire

import (
	"net/http"
	"testing"
)

func TestWhatBrowsersSayOfAPage(t *testing.T) {
	for _, test := range []struct {
		site, mode []string
		want       Page
	}{
		{nil, nil, SameSite},
		{nil, []string{"no-cors"}, SameSite}, // no browser sends one without the other
		{[]string{""}, nil, SameSite},        // a proxy may empty what it does not like
		{[]string{"same-origin"}, []string{"navigate"}, SameSite},
		{[]string{"same-site"}, []string{"no-cors"}, SameSite},
		{[]string{"none"}, []string{"navigate"}, SameSite},
		{[]string{" Same-Origin\t"}, []string{"cors"}, SameSite},

		{[]string{"cross-site"}, []string{"cors"}, crossSiteCORS},
		{[]string{"CROSS-SITE"}, []string{" CORS "}, crossSiteCORS},
		{[]string{"cross-site"}, []string{"no-cors"}, CrossSiteBlind},
		{[]string{"cross-site"}, []string{"navigate"}, CrossSiteBlind},
		{[]string{"cross-site"}, []string{"nested-navigate"}, CrossSiteBlind},
		{[]string{"cross-site"}, []string{"websocket"}, CrossSiteBlind},
		{[]string{"cross-site"}, []string{"same-origin"}, CrossSiteBlind},
		{[]string{"cross-site"}, []string{"cors, cors"}, CrossSiteBlind},
		{[]string{"cross-site"}, []string{"cors", "cors"}, CrossSiteBlind},
		{[]string{"cross-site"}, []string{""}, CrossSiteBlind},
		{[]string{"cross-site"}, nil, CrossSiteBlind},

		// what is unclear counts as another site
		{[]string{"cross-site", "same-origin"}, []string{"navigate"}, CrossSiteBlind},
		{[]string{"same-origin", "cross-site"}, []string{"navigate"}, CrossSiteBlind},
		{[]string{"same-origin", "same-origin"}, []string{"cors"}, crossSiteCORS},
		{[]string{"", "cross-site"}, []string{"navigate"}, CrossSiteBlind},
		{[]string{"same-origin, cross-site"}, []string{"navigate"}, CrossSiteBlind},
		{[]string{"cross-site;a=b"}, []string{"navigate"}, CrossSiteBlind},
		{[]string{`"same-origin"`}, []string{"navigate"}, CrossSiteBlind},
		{[]string{"a-later-word"}, []string{"cors"}, crossSiteCORS},
	} {
		if got := PageOf(http.Header{"Sec-Fetch-Site": test.site, "Sec-Fetch-Mode": test.mode}); got != test.want {
			t.Errorf("%q %q: %d, want %d", test.site, test.mode, got, test.want)
		}
	}
}

func TestLookingForAPageAllocatesNothing(t *testing.T) {
	for _, header := range []http.Header{
		{"Content-Type": {formMediaType}},
		{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}},
	} {
		if n := testing.AllocsPerRun(100, func() { PageOf(header) }); n != 0 {
			t.Errorf("%v: %v", header, n)
		}
	}
}
