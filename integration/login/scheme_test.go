package login

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// How the browser came decides which cookie it gets.
func TestTheSchemeOfTheLogin(t *testing.T) {
	const trusting = "servers {\n\t\ttrusted_proxies static 127.0.0.1\n\t}"
	for _, test := range []struct {
		name, options, server string
		headers               []string
		want                  string // of the cookie's name, or the status
		unclear               bool   // what is said of the scheme differs: only the name is looked at
	}{
		{"http on the loopback", "", "", []string{"Origin: http://localhost:%PORT%"}, "grant-default", false},
		{"no Origin on the loopback", "", "", []string{"Origin:"}, "grant-default", false},
		{"https by Origin", "", "", []string{"Origin: https://localhost:%PORT%"}, "__Host-grant-default", false},
		{"https by Origin at another host", "", "allow_http", []string{"Host: app.example", "Origin: https://app.example"}, "__Host-grant-default", false},
		{"http by Origin, and allowed", "", "allow_http", []string{"Host: app.example", "Origin: http://app.example"}, "grant-default", false},
		{"a trusted X-Forwarded-Proto", trusting, "", []string{"Host: app.example", "Origin:", "X-Forwarded-Proto: https"}, "__Host-grant-default", false},
		{"a trusted X-Forwarded-Proto beside http by Origin", trusting, "allow_http", []string{"Host: app.example", "Origin: http://app.example", "X-Forwarded-Proto: https"}, "grant-default", true},
		{"X-Forwarded-Proto of nobody who is trusted", "", "allow_http", []string{"Host: app.example", "Origin:", "X-Forwarded-Proto: https"}, "grant-default", true},
		{"a trusted proxy that says http", trusting, "", []string{"Host: app.example", "Origin: http://app.example", "X-Forwarded-Proto: http"}, "400", false},
		{"a trusted proxy that says http, allowed", trusting, "allow_http", []string{"Host: app.example", "Origin: http://app.example", "X-Forwarded-Proto: http"}, "grant-default", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := startPage(t, lines{options: test.options, server: test.server})
			b := newTab(t, s)
			headers := []string{"Sec-Fetch-Site: same-origin"}
			for _, header := range test.headers {
				headers = append(headers, s.Expand(header))
			}
			a := b.submit(page, credentials("alice"), headers...)
			got := fmt.Sprint(a.Status)
			if a.Status == 303 {
				got, _, _ = strings.Cut(a.Header.Get("Set-Cookie"), "=")
			}
			if got != test.want {
				t.Fatalf("got %s, want %s: %v", got, test.want, a.Header)
			}
			if secure := strings.Contains(a.Header.Get("Set-Cookie"), "; Secure"); secure != strings.HasPrefix(got, "__") {
				t.Errorf("Secure: %v", secure)
			}
			if a.Status == 303 && !test.unclear {
				if got := userOf(b.fetch("GET", "/app", headers...)); got != "alice" {
					t.Errorf("then the app is asked by %s", got)
				}
			}
		})
	}
}

// A password must not cross a network in the clear.
func TestPlainHTTPFromElsewhere(t *testing.T) {
	for _, test := range []struct {
		name, server string
		status       int
	}{{"is refused", "", 400}, {"works where the server allows it", "allow_http", 303}} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := startPage(t, lines{server: test.server, options: "servers {" + harness.RemotePeers + "\n\t}"})
			send := func(raw string) harness.Answer {
				conn := s.For(t).DialFrom("192.0.2.7")
				defer conn.Close()
				conn.Send(raw)
				return conn.Receive()
			}
			form := credentials("alice")
			a := send(s.RawPost(page, form, "Host: app.example", "Origin: http://app.example"))
			if a.Status != test.status {
				t.Errorf("a login: %d %s", a.Status, a.Body)
			}
			if test.status != 303 {
				if !strings.Contains(string(a.Body), "https://") || len(a.Header["Set-Cookie"]) > 0 {
					t.Errorf("the refusal: %v %s", a.Header, a.Body)
				}
				if form := send(s.RawRequest("GET", page, "", "Host: app.example")); form.Status == 200 || strings.Contains(string(form.Body), `name="password"`) {
					t.Errorf("the form is shown: %d", form.Status)
				}
			}
		})
	}
}

// Over TLS only the names with a prefix count: a plain one may be of a host on the way.
func TestOverTLSOnlyTheSecureNameIsRead(t *testing.T) {
	for _, test := range []struct{ name, page, host, secure, plain string }{
		{"for a host", "", "app.example.com", "__Host-grant-default", "grant-default"},
		{"for a domain", "cookie_domain example.com", "app.example.com", "__Secure-grant-default-example.com", "grant-default-example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := startPage(t, lines{page: test.page, server: "allow_http", options: "servers {\n\t\ttrusted_proxies static 127.0.0.1\n\t}"})
			http, https := newTab(t, s).at(test.host), newTab(t, s).at(test.host)
			http.login("alice")
			https.scheme, https.always = "https", []string{"X-Forwarded-Proto: https"}
			https.login("bob")
			if !strings.HasPrefix(http.cookies[0], test.plain+"=") || !strings.HasPrefix(https.cookies[0], test.secure+"=") {
				t.Fatalf("the cookies are %.40q and %.40q", http.cookies, https.cookies)
			}
			https.wantUser("u-2")
			https.with(http.cookies[0]).wantUser("401")
			https.with(test.plain + "=" + https.value()).wantUser("401")
			https.with(test.secure + "=" + http.value()).wantUser("401")
			https.with(http.cookies[0], https.cookies[0]).wantUser("u-2")
			http.wantUser("alice")
			http.with(test.plain + "=" + https.value()).wantUser("401")
		})
	}
}

// A browser would drop the cookie of a host that its domain does not cover.
func TestAHostOutsideTheDomain(t *testing.T) {
	s, app := startPage(t, lines{page: "cookie_domain example.com", server: "allow_http"})
	for _, host := range []string{"example.org", "notexample.com", "example.com.evil.example", "com", "localhost", "127.0.0.1", "xexample.com:80"} {
		b := newTab(t, s).at(host)
		for name, a := range map[string]harness.Answer{
			"the form": b.open(page), "a login": b.submit(page, credentials("alice")), "the page to log out": b.open(logout),
		} {
			if a.Status < 400 || a.Status > 499 || !strings.Contains(string(a.Body), "example.com") || strings.Contains(string(a.Body), `name="password"`) || len(a.Header["Set-Cookie"]) > 0 {
				t.Errorf("%s at %s: %d %v", name, host, a.Status, a.Header)
			}
		}
		if where, a := b.follow("/x"); a.Status < 400 {
			t.Errorf("%s: %d at %s", host, a.Status, where)
		}
	}
	for _, host := range []string{"example.com", "a.example.com", "A.EXAMPLE.com:8080", "a.b.example.com"} {
		b := newTab(t, s).at(host)
		b.login("alice")
		b.wantUser("alice")
	}
	app.Take()
}
