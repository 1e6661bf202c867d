package login

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Lax cookies come along with requests of sibling hosts and, as top-level navigations,
// of any site: what could change something is refused.
func TestRequestsOfOtherOrigins(t *testing.T) {
	s, app := startPage(t, lines{page: "trusted_origins https://trusted.example http://other.localhost:8443", server: "allow_http"})
	alice := loggedIn(t, s, "alice")
	own := "http://" + alice.host
	handshake := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	for _, test := range []struct {
		name   string
		says   []string
		safe   string // what GET gets
		unsafe string
	}{
		{"the page itself", []string{"Sec-Fetch-Site: same-origin", "Origin: " + own}, "alice", "alice"},
		{"the page itself, before Fetch Metadata", []string{"Origin: " + own}, "alice", "alice"},
		{"its origin in capitals, which no browser sends", []string{"Origin: " + strings.ToUpper(own)}, "alice", "403"},
		{"a user's own click", []string{"Sec-Fetch-Site: none"}, "alice", "alice"},
		{"another site", []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, "alice", "403"},
		{"another site, before Fetch Metadata", []string{"Origin: https://evil.example"}, "alice", "403"},
		{"another site that hides its origin", []string{"Sec-Fetch-Site: cross-site"}, "alice", "403"},
		{"a sandboxed frame", []string{"Sec-Fetch-Site: cross-site", "Origin: null"}, "alice", "403"},
		{"null before Fetch Metadata", []string{"Origin: null"}, "alice", "403"},
		{"a sibling host", []string{"Sec-Fetch-Site: same-site", "Origin: http://sibling.localhost"}, "alice", "403"},
		{"a sibling host before Fetch Metadata", []string{"Origin: http://sibling.localhost"}, "alice", "403"},
		{"another port of the host", []string{"Sec-Fetch-Site: same-site", "Origin: http://localhost:1"}, "alice", "403"},
		{"another port before Fetch Metadata", []string{"Origin: http://localhost:1"}, "alice", "403"},
		{"the host without its port", []string{"Origin: http://localhost"}, "alice", "403"},
		{"a host that begins like it", []string{"Origin: " + own + ".evil.example"}, "alice", "403"},
		{"a host that ends like it", []string{"Origin: http://evil-" + alice.host}, "alice", "403"},
		{"a user name like it", []string{"Origin: http://" + alice.host + "@evil.example"}, "alice", "403"},
		{"a trusted origin", []string{"Sec-Fetch-Site: cross-site", "Origin: https://trusted.example"}, "alice", "alice"},
		{"a trusted origin with its port", []string{"Sec-Fetch-Site: same-site", "Origin: http://other.localhost:8443"}, "alice", "alice"},
		{"a trusted host over HTTP", []string{"Sec-Fetch-Site: cross-site", "Origin: http://trusted.example"}, "alice", "403"},
		{"a trusted host at another port", []string{"Sec-Fetch-Site: cross-site", "Origin: https://trusted.example:8443"}, "alice", "403"},
		{"below a trusted host", []string{"Sec-Fetch-Site: cross-site", "Origin: https://x.trusted.example"}, "alice", "403"},
		{"an empty origin and another site", []string{"Sec-Fetch-Site: cross-site"}, "alice", "403"},
		{"an unknown Sec-Fetch-Site", []string{"Sec-Fetch-Site: elsewhere", "Origin: https://evil.example"}, "alice", "403"},
		{"X-Forwarded-Host of nobody who is trusted", []string{"Origin: https://evil.example", "X-Forwarded-Host: evil.example"}, "alice", "403"},
		{"a lying method override", []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example", "X-HTTP-Method-Override: GET"}, "alice", "403"},
		{"neither header, as curl has it", nil, "alice", "alice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			app.Take()
			b := newTab(t, s).with(alice.cookies...)
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				if got := b.send(method, "/app", "", test.says...); got.Header.Get("X-App") == "" {
					t.Errorf("%s: got %d", method, got.Status)
				}
			}
			app.Take()
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "PROPFIND", "TRACE", "QUERY", "get"} {
				if got := userOf(b.send(method, "/app", "", test.says...)); got != test.unsafe {
					t.Errorf("%s: got %s, want %s", method, got, test.unsafe)
				}
			}
			if app.Reached() != (test.unsafe == "alice") {
				t.Error("the app was reached, or was not")
			}
			if got := fmt.Sprint(b.handshake("/ws/", append(test.says, handshake...)...)); got != strings.Replace(test.unsafe, "alice", "101", 1) {
				t.Errorf("a WebSocket: got %s", got)
			}
			t.Run("is no matter to Bearer clients", func(t *testing.T) {
				says := append(test.says, harness.Bearer(s.Token("bob")))
				if got := userOf(newTab(t, s).with(alice.cookies...).send("POST", "/app", "", says...)); got != "u-2" {
					t.Errorf("got %s", got)
				}
			})
			t.Run("does not log in or out", func(t *testing.T) {
				// trusted origins are trusted with the app, not with logins
				ok := test.unsafe == "alice" && !strings.Contains(test.name, "trusted")
				b := newTab(t, s)
				a := b.send("POST", page, credentials("bob"), test.says...)
				if got := a.Status == 303; got != ok {
					t.Errorf("a login: got %d", a.Status)
				}
				if !ok && (a.Status != 403 || len(a.Header["Set-Cookie"]) > 0) {
					t.Errorf("a login: got %d %v", a.Status, a.Header)
				}
				victim := loggedIn(t, s, "bob")
				kept := victim.cookies
				out := victim.send("POST", logout, "", test.says...)
				if got := out.Status == 200; got != ok {
					t.Errorf("a logout: got %d", out.Status)
				}
				if !ok && (len(out.Header["Set-Cookie"]) > 0 || out.Header.Get("Clear-Site-Data") != "" || victim.with(kept...).user() != "u-2") {
					t.Errorf("a logout: got %d %v", out.Status, out.Header)
				}
			})
		})
	}
	t.Run("a refused navigation is a page that says so", func(t *testing.T) {
		a := alice.submit("/app", "x=y", "Sec-Fetch-Site: cross-site", "Origin: https://evil.example")
		if a.Status != 403 || !strings.Contains(string(a.Body), "another site") || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %d %s", a.Status, a.Body)
		}
		if a := alice.fetch("POST", "/app", "Sec-Fetch-Site: cross-site", "Origin: https://evil.example"); a.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("a challenge, although no token would help: %v", a.Header)
		}
	})
	t.Run("two Origin headers are refused", func(t *testing.T) {
		a := s.For(t).Exchange(s.RawPost("/app", "x=y", "Host: "+alice.host, "Cookie: "+alice.cookies[0], "Origin: "+own, "Origin: https://evil.example"))
		if a.Status != 403 {
			t.Errorf("got %d", a.Status)
		}
	})
	t.Run("CONNECT is judged as a POST is", func(t *testing.T) {
		a := s.For(t).Exchange(s.RawRequest("CONNECT", alice.host, "", "Host: "+alice.host, "Cookie: "+alice.cookies[0], "Origin: https://evil.example"))
		if a.Status != 403 {
			t.Errorf("got %d", a.Status)
		}
	})
	t.Run("GET on the pages changes nothing", func(t *testing.T) {
		for _, method := range []string{"GET", "HEAD"} {
			for path, status := range map[string]int{page + "?username=bob&password=correct+horse": 400, logout: 200, logout + "?confirm=yes": 200} {
				if a := alice.send(method, path, "", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"); a.Status != status || len(a.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s %s: got %d %v", method, path, a.Status, a.Header)
				}
			}
		}
		alice.wantUser("alice")
	})
}

// Behind a proxy the browser's host is the one that the proxy was asked for.
func TestOriginsBehindAProxy(t *testing.T) {
	for _, test := range []struct {
		name, options string
		headers       []string
		want          string
	}{
		{"a trusted one names the host", "trusted_proxies static 127.0.0.1", []string{"Host: internal:8080", "X-Forwarded-Host: app.example.com", "Origin: https://app.example.com"}, "303"},
		{"with a port", "trusted_proxies static 127.0.0.1", []string{"Host: internal:8080", "X-Forwarded-Host: app.example.com:8443", "Origin: https://app.example.com:8443"}, "303"},
		{"with the default port", "trusted_proxies static 127.0.0.1", []string{"Host: internal:8080", "X-Forwarded-Host: app.example.com:443", "Origin: https://app.example.com"}, "303"},
		{"through two proxies", "trusted_proxies static 127.0.0.1", []string{"Host: internal:8080", "X-Forwarded-Host: app.example.com, inner.example", "Origin: https://app.example.com"}, "303"},
		{"one that names another host", "trusted_proxies static 127.0.0.1", []string{"Host: app.example.com", "X-Forwarded-Host: evil.example", "Origin: https://app.example.com"}, "403"},
		{"one that keeps the host", "trusted_proxies static 127.0.0.1", []string{"Host: app.example.com", "Origin: https://app.example.com"}, "303"},
		{"one that is not trusted", "trusted_proxies static 192.0.2.1", []string{"Host: internal:8080", "X-Forwarded-Host: app.example.com", "Origin: https://app.example.com"}, "403"},
		{"nobody is trusted", "", []string{"Host: app.example.com", "X-Forwarded-Host: evil.example", "Origin: https://evil.example"}, "403"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := startPage(t, lines{options: "servers {\n" + test.options + "\n}", server: "allow_http"})
			b := newTab(t, s)
			headers := append([]string{"Sec-Fetch-Site:", "X-Forwarded-Proto: https"}, test.headers...)
			a := b.submit(page, credentials("alice"), headers...)
			if got := fmt.Sprint(a.Status); got != test.want {
				t.Fatalf("a login: got %s, want %s", got, test.want)
			}
			if test.want != "303" {
				return
			}
			if got := userOf(b.send("POST", "/app", "", headers...)); got != "alice" {
				t.Errorf("a POST: got %s", got)
			}
			if got := userOf(b.send("POST", "/app", "", append(headers, "Origin: https://evil.example")...)); got != "403" {
				t.Errorf("a POST of another origin: got %s", got)
			}
			if got := b.send("POST", logout, "", headers...).Status; got != http.StatusOK {
				t.Errorf("a logout: got %d", got)
			}
		})
	}
}
