package caddygrant

import (
	"net/http"
	"testing"
)

func TestWhatBrowsersSayOfAPage(t *testing.T) {
	for _, test := range []struct {
		site, mode []string
		want       page
	}{
		{nil, nil, sameSite},
		{nil, []string{"no-cors"}, sameSite}, // no browser sends one without the other
		{[]string{""}, nil, sameSite},        // a proxy may empty what it does not like
		{[]string{"same-origin"}, []string{"navigate"}, sameSite},
		{[]string{"same-site"}, []string{"no-cors"}, sameSite},
		{[]string{"none"}, []string{"navigate"}, sameSite},
		{[]string{" Same-Origin\t"}, []string{"cors"}, sameSite},

		{[]string{"cross-site"}, []string{"cors"}, crossSiteCORS},
		{[]string{"CROSS-SITE"}, []string{" CORS "}, crossSiteCORS},
		{[]string{"cross-site"}, []string{"no-cors"}, crossSiteBlind},
		{[]string{"cross-site"}, []string{"navigate"}, crossSiteBlind},
		{[]string{"cross-site"}, []string{"nested-navigate"}, crossSiteBlind},
		{[]string{"cross-site"}, []string{"websocket"}, crossSiteBlind},
		{[]string{"cross-site"}, []string{"same-origin"}, crossSiteBlind},
		{[]string{"cross-site"}, []string{"cors, cors"}, crossSiteBlind},
		{[]string{"cross-site"}, []string{"cors", "cors"}, crossSiteBlind},
		{[]string{"cross-site"}, []string{""}, crossSiteBlind},
		{[]string{"cross-site"}, nil, crossSiteBlind},

		// what is unclear is another site's
		{[]string{"cross-site", "same-origin"}, []string{"navigate"}, crossSiteBlind},
		{[]string{"same-origin", "cross-site"}, []string{"navigate"}, crossSiteBlind},
		{[]string{"same-origin", "same-origin"}, []string{"cors"}, crossSiteCORS},
		{[]string{"", "cross-site"}, []string{"navigate"}, crossSiteBlind},
		{[]string{"same-origin, cross-site"}, []string{"navigate"}, crossSiteBlind},
		{[]string{"cross-site;a=b"}, []string{"navigate"}, crossSiteBlind},
		{[]string{`"same-origin"`}, []string{"navigate"}, crossSiteBlind},
		{[]string{"a-later-word"}, []string{"cors"}, crossSiteCORS},
	} {
		if got := pageOf(http.Header{"Sec-Fetch-Site": test.site, "Sec-Fetch-Mode": test.mode}); got != test.want {
			t.Errorf("%q %q: %d, want %d", test.site, test.mode, got, test.want)
		}
	}
}

func TestLookingForAPageAllocatesNothing(t *testing.T) {
	for _, header := range []http.Header{
		{"Content-Type": {formMediaType}},
		{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}},
	} {
		if n := testing.AllocsPerRun(100, func() { pageOf(header) }); n != 0 {
			t.Errorf("%v: %v", header, n)
		}
	}
}
