package login

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// No app gets the cookie, whatever happens to the request.
func TestTheCookieIsTakenOutOfEveryRequest(t *testing.T) {
	app := harness.NewApp(t)
	s := startSite(t, "", app.In(lines{
		page: "remember 1d", check: "open /open/*",
		routes: `route /shadow* {
		bearer_auth {
			shadow
		}
		reverse_proxy %APP%
	}
	handle_errors {
		reverse_proxy %APP%
	}`,
	}.in(pageSite)+`
http://off.localhost:%PORT% {
	bind 127.0.0.1
	bearer_auth {
		off
	}
	reverse_proxy %APP%
}
http://nothing.localhost:%PORT% {
	bind 127.0.0.1
	reverse_proxy %APP%
}
http://shadow.localhost:%PORT% {
	bind 127.0.0.1
	bearer_auth {
		shadow
	}
	reverse_proxy %APP%
}
http://optional.localhost:%PORT% {
	bind 127.0.0.1
	bearer_auth {
		optional
	}
	reverse_proxy %APP%
}
http://outside.localhost:%PORT% {
	bind 127.0.0.1
	bearer_auth /inside*
	reverse_proxy %APP%
}
http://endpoint.localhost:%PORT% {
	bind 127.0.0.1
	token_endpoint {
		name another
		client web2 {
			secret x
		}
		user alice `+harness.HashCheap+`
	}
	reverse_proxy %APP%
}
`))
	b := loggedIn(t, s, "alice")
	token := s.Token("alice")
	for _, test := range []struct {
		name, host, path string
		headers          []string
	}{
		{"checked", "", "/app", nil},
		{"with a Bearer token", "", "/app", []string{harness.Bearer(token)}},
		{"an open path", "", "/open/x", nil},
		{"an error of another page's request", "", "/app", []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}},
		{"nested shadow", "", "/shadow", nil},
		{"off", "off.localhost", "/x", nil},
		{"a site without bearer_auth", "nothing.localhost", "/x", nil},
		{"shadow", "shadow.localhost", "/x", nil},
		{"optional", "optional.localhost", "/x", nil},
		{"outside the matcher", "outside.localhost", "/x", nil},
		{"a site with another server's endpoint", "endpoint.localhost", "/x", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, method := range []string{"GET", "POST", "OPTIONS", "PROPFIND"} {
				app.Take()
				b := newTab(t, s).with(b.cookies...)
				if test.host != "" {
					b = b.at(test.host)
				}
				secure := "__Host-" + b.cookies[0]
				b.with("theme=dark", b.cookies[0], secure, b.cookies[0], "a=b").fetch(method, test.path, test.headers...)
				for _, seen := range app.Take() {
					if got := seen.Header["Cookie"]; !slices.Equal(got, []string{"theme=dark; a=b"}) {
						t.Errorf("%s: the app gets the cookies %q", method, got)
					}
					if strings.Contains(strings.Join(seen.Header["X-User"], ""), b.value()) {
						t.Error("the cookie is elsewhere")
					}
				}
			}
		})
	}
}

// The cookies of the app come to it as the browser wrote them.
func TestOtherCookiesStayByteForByte(t *testing.T) {
	s, app := startPage(t, lines{})
	b := loggedIn(t, s, "alice")
	ours := b.cookies[0]
	for _, test := range []struct {
		name      string
		sent, get []string
	}{
		{"ours alone", []string{ours}, nil},
		{"ours first", []string{ours + "; a=1; b=2"}, []string{"a=1; b=2"}},
		{"ours last", []string{"a=1; b=2; " + ours}, []string{"a=1; b=2"}},
		{"ours between", []string{"a=1; " + ours + "; b=2"}, []string{"a=1; b=2"}},
		{"no space after the semicolon", []string{"a=1;" + ours + ";b=2"}, []string{"a=1;b=2"}},
		{"two spaces", []string{"a=1;  b=2; " + ours}, []string{"a=1;  b=2"}},
		{"quotes, spaces and equals signs", []string{`a="x y"; ` + ours + `; b==x=; c`}, []string{`a="x y"; b==x=; c`}},
		{"bytes that are not ASCII", []string{"a=\xe4\xf6; " + ours + "; \xff=\xfe"}, []string{"a=\xe4\xf6; \xff=\xfe"}},
		{"a JSON", []string{`a={"x":1,"y":[2]}; ` + ours}, []string{`a={"x":1,"y":[2]}`}},
		{"names that begin like ours", []string{"grant-default2=x; grant-defaul=y; xgrant-default=z; " + ours}, []string{"grant-default2=x; grant-defaul=y; xgrant-default=z"}},
		{"ours as a value", []string{"a=grant-default; " + ours}, []string{"a=grant-default"}},
		{"a name of ours in other case", []string{"Grant-Default=x; " + ours}, []string{"Grant-Default=x"}},
		{"the same name twice", []string{"a=1; a=2; " + ours + "; a=3"}, []string{"a=1; a=2; a=3"}},
		{"two headers", []string{"a=1", ours, "b=2"}, []string{"a=1", "b=2"}},
		{"two headers, ours in both", []string{"a=1; " + ours, ours + "; b=2"}, []string{"a=1", "b=2"}},
		{"without ours, stray semicolons", []string{"; a=1;; b=2;"}, []string{"; a=1;; b=2;"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			app.Take()
			headers := []string{"Host: localhost", harness.Bearer(s.Token("alice"))}
			for _, line := range test.sent {
				headers = append(headers, "Cookie: "+line)
			}
			s.For(t).Exchange(s.RawRequest("GET", "/app", "", headers...))
			// Go's reverse proxy joins nothing: what the app gets is what was left
			if got := app.One(t).Header["Cookie"]; !slices.Equal(got, test.get) {
				t.Errorf("the app gets %q, want %q", got, test.get)
			}
		})
	}
}
