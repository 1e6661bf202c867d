package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOnlyRequestsOfTheSameOriginChangeAnything(t *testing.T) {
	type headers = map[string][]string
	handshake := func(more ...string) headers {
		h := headers{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = append(h[more[i]], more[i+1])
		}
		return h
	}
	const host = "app.example.com"
	for _, tt := range []struct {
		name    string
		method  string
		host    string
		h       headers
		refused bool
	}{
		{"another site may link to a page", "GET", host, headers{"Sec-Fetch-Site": {"cross-site"}}, false},
		{"another site may ask with HEAD", "HEAD", host, headers{"Sec-Fetch-Site": {"cross-site"}}, false},
		{"another site may send a preflight", "OPTIONS", host, headers{"Origin": {"https://evil.example"}}, false},
		{"the app's own form is let through", "POST", host, headers{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"https://app.example.com"}}, false},
		{"what a person began is let through", "POST", host, headers{"Sec-Fetch-Site": {"none"}}, false},
		{"an own form without a referrer has the Origin null", "POST", host, headers{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"null"}}, false},
		{"another site's form is refused", "POST", host, headers{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}, true},
		{"a sibling host's form is refused", "POST", host, headers{"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://www.example.com"}}, true},
		{"another port of the host is another origin", "POST", host, headers{"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://app.example.com:8443"}}, true},
		{"PUT is refused", "PUT", host, headers{"Sec-Fetch-Site": {"cross-site"}}, true},
		{"DELETE is refused", "DELETE", host, headers{"Sec-Fetch-Site": {"cross-site"}}, true},
		{"PATCH is refused", "PATCH", host, headers{"Sec-Fetch-Site": {"cross-site"}}, true},
		{"a method of WebDAV is refused", "PROPFIND", host, headers{"Sec-Fetch-Site": {"cross-site"}}, true},
		{"a method in small letters is another method", "get", host, headers{"Sec-Fetch-Site": {"cross-site"}}, true},
		{"Sec-Fetch-Site goes before Origin", "POST", host, headers{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://app.example.com"}}, true},
		{"an unknown site is refused", "POST", host, headers{"Sec-Fetch-Site": {"Same-Origin"}}, true},
		{"a list of sites is refused", "POST", host, headers{"Sec-Fetch-Site": {"same-origin, cross-site"}}, true},
		{"a second Sec-Fetch-Site is refused", "POST", host, headers{"Sec-Fetch-Site": {"same-origin", "cross-site"}}, true},
		{"a second Origin is refused", "POST", host, headers{"Origin": {"https://app.example.com", "https://evil.example"}}, true},
		{"a trusted origin is let through", "POST", host, headers{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://trusted.example"}}, false},
		{"a trusted origin is trusted without Fetch Metadata", "POST", host, headers{"Origin": {"https://trusted.example"}}, false},
		{"a trusted origin has one scheme", "POST", host, headers{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"http://trusted.example"}}, true},
		{"a trusted origin has one port", "POST", host, headers{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://trusted.example:8443"}}, true},
		{"a trusted origin has no subdomains", "POST", host, headers{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://a.trusted.example"}}, true},

		{"a program sends neither header", "POST", host, headers{}, false},
		{"without Fetch Metadata Origin decides", "POST", host, headers{"Origin": {"https://app.example.com"}}, false},
		{"without Fetch Metadata another Origin is refused", "POST", host, headers{"Origin": {"https://evil.example"}}, true},
		{"an empty Sec-Fetch-Site does not hide the Origin", "POST", host, headers{"Sec-Fetch-Site": {""}, "Origin": {"https://evil.example"}}, true},
		{"the Origin null is refused", "POST", host, headers{"Origin": {"null"}}, true},
		{"the Origin null is not an empty host", "POST", "", headers{"Origin": {"null"}}, true},
		{"without a host an Origin is refused", "POST", "", headers{"Origin": {"https://app.example.com"}}, true},
		{"a port belongs to the origin", "POST", "app.example.com:8443", headers{"Origin": {"https://app.example.com:8443"}}, false},
		{"a port of the host alone is another origin", "POST", "app.example.com:8443", headers{"Origin": {"https://app.example.com"}}, true},
		{"a proxy may add the default port of https", "POST", "app.example.com:443", headers{"Origin": {"https://app.example.com"}}, false},
		{"a proxy may add the default port of http", "POST", "app.example.com:80", headers{"Origin": {"http://app.example.com"}}, false},
		{"the port 443 is not the default of http", "POST", "app.example.com:443", headers{"Origin": {"http://app.example.com"}}, true},
		{"a program may write the default port", "POST", "app.example.com:443", headers{"Origin": {"https://app.example.com:443"}}, false},
		{"a proxy may change the case of the host", "POST", "App.Example.Com", headers{"Origin": {"https://app.example.com"}}, false},
		{"IPv6 has brackets", "POST", "[::1]:8080", headers{"Origin": {"http://[::1]:8080"}}, false},
		{"IPv6 has a default port", "POST", "[::1]:80", headers{"Origin": {"http://[::1]"}}, false},
		{"a host that begins alike is another one", "POST", host, headers{"Origin": {"https://app.example.com.evil.example"}}, true},
		{"a user name is not a host", "POST", host, headers{"Origin": {"https://app.example.com@evil.example"}}, true},
		{"an Origin with the host in its path is refused", "POST", host, headers{"Origin": {"https://evil.example/app.example.com"}}, true},

		{"another site's WebSocket is refused", "GET", host, handshake("Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"), true},
		{"the same without Fetch Metadata", "GET", host, handshake("Origin", "https://evil.example"), true},
		{"a sandboxed frame's WebSocket is refused", "GET", host, handshake("Origin", "null"), true},
		{"the app's WebSocket is let through", "GET", host, handshake("Sec-Fetch-Site", "same-origin", "Origin", "https://app.example.com"), false},
		{"the same without Fetch Metadata is let through", "GET", host, handshake("Origin", "https://app.example.com"), false},
		{"a trusted origin's WebSocket is let through", "GET", host, handshake("Origin", "https://trusted.example"), false},
		{"a program's WebSocket is let through", "GET", host, handshake(), false},
		{"a HEAD that upgrades is judged alike", "HEAD", host, handshake("Origin", "https://evil.example"), true},
		{"extended CONNECT is judged alike", "CONNECT", host, headers{":protocol": {"websocket"}, "Origin": {"https://evil.example"}}, true},
		{"extended CONNECT of the app is let through", "CONNECT", host, headers{":protocol": {"websocket"}, "Origin": {"https://app.example.com"}}, false},
		{"HTTP/3 has the protocol elsewhere", "CONNECT", host, headers{"Origin": {"https://evil.example"}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			origins, err := NewOrigins([]string{"https://trusted.example"})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Method, r.Header, r.Host = tt.method, tt.h, "inner:9000"
			if err := origins.Check(r, tt.host); (err != nil) != tt.refused {
				t.Errorf("%v, refused: want %v", err, tt.refused)
			}
			if r.Method != tt.method || r.Host != "inner:9000" {
				t.Error("the request was changed")
			}
		})
	}
}

func TestOriginsOfAConfig(t *testing.T) {
	for _, tt := range []struct{ name, origin, sent, err string }{
		{"as browsers send it", "https://app.example.com", "https://app.example.com", ""},
		{"with a port", "http://localhost:3000", "http://localhost:3000", ""},
		{"with the default port", "https://app.example.com:443", "https://app.example.com", ""},
		{"with the default port of http", "http://nas.lan:80", "http://nas.lan", ""},
		{"in capitals", "HTTPS://App.Example.com", "https://app.example.com", ""},
		{"IPv6", "http://[::1]:8080", "http://[::1]:8080", ""},
		{"IPv6 with the default port", "https://[2001:DB8::1]:443", "https://[2001:db8::1]", ""},
		{"an international name", "https://bücher.example:8443", "https://xn--bcher-kva.example:8443", ""},
		{"an app on a phone", "capacitor://localhost", "capacitor://localhost", ""},
		{"an extension", "chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop", ""},
		{"a path", "https://app.example.com/app", "", "has a path"},
		{"a slash", "https://app.example.com/", "", "has a path"},
		{"a query", "https://app.example.com?x", "", "has a path, a query"},
		{"an empty query", "https://app.example.com?", "", "has a path, a query"},
		{"a fragment", "https://app.example.com#x", "", "or a fragment"},
		{"an empty fragment", "https://app.example.com#", "", "or a fragment"},
		{"no scheme", "app.example.com", "", "scheme is missing"},
		{"no scheme, but a port", "app.example.com:443", "", "scheme is missing"},
		{"localhost without a scheme", "localhost:3000", "", "scheme is missing"},
		{"no scheme, but slashes", "//app.example.com", "", "scheme is missing"},
		{"null", "null", "", "scheme is missing"},
		{"all", "*", "", "scheme is missing"},
		{"a wildcard", "https://*.example.com", "", "wildcards"},
		{"no host", "https://", "", "host is missing"},
		{"a port without a host", "https://:443", "", "host is missing"},
		{"a colon without a port", "https://app.example.com:", "", "port"},
		{"a port that is too large", "https://app.example.com:70000", "", "port"},
		{"the port 0", "https://app.example.com:0", "", "port"},
		{"a user name", "https://me@app.example.com", "", "user name"},
		{"a WebSocket", "wss://app.example.com", "", "that of its page"},
		{"a space", "https://app example.com", "", "cannot be parsed"},
		{"nothing", "", "", "scheme is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			origins, err := NewOrigins([]string{tt.origin})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "https://app.example.com") {
					t.Errorf("%v, want %q and an example", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {tt.sent}}
			if err := origins.Check(r, "other.example"); err != nil {
				t.Errorf("%s is not let through: %v", tt.sent, err)
			}
		})
	}
	if _, err := NewOrigins([]string{"https://a.example", "https://A.example:443"}); err == nil || !strings.Contains(err.Error(), "duplicate") {
		t.Errorf("an origin is there twice: %v", err)
	}
	if _, err := NewOrigins(nil); err != nil {
		t.Error(err)
	}
}

func TestASafeMethodIsCheckedWithoutAllocating(t *testing.T) {
	origins, err := NewOrigins([]string{"https://trusted.example"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = with(page, "Origin", "https://app.example.com")
	if n := testing.AllocsPerRun(100, func() { _ = origins.Check(r, "app.example.com") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A browser that knows no Fetch Metadata says nothing else of a page that anyone on the
// way may have written; SameSite counts it as the same site there, too.
func TestAPageOverHTTPIsOfAnotherOriginThanTLS(t *testing.T) {
	origins, err := NewOrigins([]string{"http://trusted.example"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, url, method, origin, site string
		refused                         bool
	}{
		{"a form over HTTP that posts to TLS", "https://app.example.com/", "POST", "http://app.example.com", "", true},
		{"a socket", "https://app.example.com/", "CONNECT", "http://app.example.com", "", true},
		{"with the port of TLS", "https://app.example.com:8443/", "POST", "http://app.example.com:8443", "", true},
		{"a browser that knows better", "https://app.example.com/", "POST", "http://app.example.com", "cross-site", true},
		{"a trusted origin", "https://app.example.com/", "POST", "http://trusted.example", "", false},
		{"a link", "https://app.example.com/", "GET", "http://app.example.com", "", false},
		{"a form over TLS", "https://app.example.com/", "POST", "https://app.example.com", "", false},
		{"a form over HTTP that posts to HTTP", "http://app.example.com/", "POST", "http://app.example.com", "", false},
		{"a form over TLS to a proxy", "http://app.example.com/", "POST", "https://app.example.com", "", false},
	} {
		r := httptest.NewRequest(tt.method, tt.url, nil)
		r.Header.Set("Origin", tt.origin)
		if tt.site != "" {
			r.Header.Set("Sec-Fetch-Site", tt.site)
		}
		if err := origins.Check(r, r.Host); (err != nil) != tt.refused {
			t.Errorf("%s: %v, want it refused: %v", tt.name, err, tt.refused)
		}
	}
}
