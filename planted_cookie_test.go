package caddygrant

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/browser"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Behind a proxy on the same machine that is not in trusted_proxies, an attacker got a
// cookie of the plain name for a session of their own, and planted it from another host
// of the domain: the visitor was logged in as the attacker.
func TestThePlainCookieIsNotReadWhereTheBrowserMayHaveComeOverHTTPS(t *testing.T) {
	cookies := newSessionCookies("grant-default", "")
	tokens := &token.Checker{Keys: func(context.Context) *token.KeySet { return nil }} // each cookie that is read is an error
	for name, test := range map[string]struct {
		change        func(*http.Request)
		plain, secure bool // whether it is read
	}{
		"over HTTP":              {func(*http.Request) {}, true, true},
		"over TLS":               {func(r *http.Request) { r.TLS = new(tls.ConnectionState) }, false, true},
		"a proxy says HTTPS":     {func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }, false, true},
		"a proxy says HTTP":      {func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "http") }, true, true},
		"one of two says HTTPS":  {func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "http, https") }, true, true},
		"with an Origin of HTTP": {func(r *http.Request) { r.TLS = new(tls.ConnectionState); r.Header.Set("Origin", "http://example.com") }, false, true},
	} {
		for cookie, want := range map[string]bool{cookies.plain: test.plain, cookies.secure: test.secure} {
			r := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
			test.change(r)
			var found foundSession
			cookies.findIn([]browser.Cookie{{Name: cookie, Value: "value"}}, tokens, r, &found)
			if read := found.err != nil; read != want {
				t.Errorf("%s: %s is read: %v, want %v", name, cookie, read, want)
			}
		}
	}
}

// Another host of the domain planted a good cookie and so many bad ones, all with a
// longer path, that the visitor's own was not looked at.
func TestCookiesThatAreTooManyToTellAreNobodys(t *testing.T) {
	cookies := newSessionCookies("grant-default", "example.com")
	tokens := &token.Checker{Keys: func(context.Context) *token.KeySet { return nil }}
	r := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
	for n, clash := range map[int]bool{1: false, maxCookiesTried: false, maxCookiesTried + 1: true} {
		sent := slices.Repeat([]browser.Cookie{{Name: cookies.plain, Value: "value"}}, n)
		var found foundSession
		cookies.findIn(sent, tokens, r, &found)
		if found.clash != clash || found.isGood() {
			t.Errorf("%d cookies: clash %v, good %v; want clash %v", n, found.clash, found.isGood(), clash)
		}
	}
}
