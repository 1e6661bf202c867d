package login

import (
	"net/url"
	"strings"
	"testing"
)

// Whatever the place to return to is, a login leads to a path of the same host.
func TestPlacesToReturnTo(t *testing.T) {
	s, _ := startPage(t, lines{})
	for _, place := range []string{
		"/x", "/x?y=z", "/x?u=https://elsewhere.example/", "/x?u=//elsewhere.example", "/x%20y", "/x/", "/a/b/c.html", "/%C3%A4", "/x?", "/x?a=b&c=d%26e",
		"/x:y", "/@elsewhere.example", "/.well-known/x", "/..x", "/x;y=z", "/x?a=%2F..%2F", "/javascript:alert(1)", "/" + strings.Repeat("x", 1000),
	} {
		t.Run("a path: "+place[:min(len(place), 40)], func(t *testing.T) {
			if got := sent(newTab(t, s).submit(page+"?return_to="+url.QueryEscape(place), credentials("alice"))); got != place {
				t.Errorf("%s: got %s", place, got)
			}
		})
	}
	for _, place := range []string{
		"", "x", "x/y", ".", "..", "?x", "#x", "https://elsewhere.example/", "HTTPS://elsewhere.example", "http:elsewhere.example", "https:/elsewhere.example", "http:/\\elsewhere.example", "ftp://elsewhere.example",
		"//elsewhere.example", "///elsewhere.example", "////elsewhere.example", "//elsewhere.example/%2e%2e", "//elsewhere.example@localhost", "//localhost@elsewhere.example",
		`\\elsewhere.example`, `/\elsewhere.example`, `\/elsewhere.example`, `/\/elsewhere.example`, `//\elsewhere.example`, `/x\y`, `/%5celsewhere.example`, `/%5Celsewhere.example`,
		"/./\\elsewhere.example", "/.//elsewhere.example", "/..//elsewhere.example", "/x/..//elsewhere.example", "/x/../\\elsewhere.example", "/%2e//elsewhere.example", "/%2e%2e//elsewhere.example", "/./x", "/x/..",
		"/%2f/elsewhere.example", "/%2felsewhere.example", "/%2Felsewhere.example", "%2f%2felsewhere.example", "/%09/elsewhere.example", "/%0a/elsewhere.example", "/%0d%0aSet-Cookie:x=y", "/%00", "/x%7f",
		"/\t/elsewhere.example", "\t//elsewhere.example", " //elsewhere.example", "/ /elsewhere.example", "/\n/elsewhere.example", "/\r/elsewhere.example", "/\x00/x", "/x\r\nX-Injected: yes", "/x y", "/x\x7f", "\x01/x",
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "blob:x", "about:blank", "/ä", "/\u2028", "／elsewhere.example", "/／elsewhere.example", "/。/x", "@elsewhere.example", ":80", "//", "/%zz", "/x?%zz",
		"/x#//elsewhere.example", "/" + strings.Repeat("x", 2048), "/x?" + strings.Repeat("y", 2100), "/" + strings.Repeat("x", 60_000)[:9000],
		page, page + "/", page + "?return_to=/x", page + "?return_to=" + page, logout, logout + "?x", "/TOKEN/LOGIN", "/token//login", "/token/%6cogin", "/token/login/logout/",
	} {
		t.Run("not a path: "+url.QueryEscape(place)[:min(len(url.QueryEscape(place)), 40)], func(t *testing.T) {
			b := newTab(t, s)
			a := b.submit(page+"?return_to="+url.QueryEscape(place), credentials("alice"))
			if got := sent(a); got != "/" {
				t.Errorf("%q: got %s", place, got)
			}
			if a.Header.Get("X-Injected") != "" || len(a.Header["Set-Cookie"]) != 1 {
				t.Errorf("%q: the answer has %v", place, a.Header)
			}
			for _, at := range []string{page, logout} {
				body := string(b.open(at + "?return_to=" + url.QueryEscape(place)).Body)
				for _, part := range strings.Split(body, `href="`)[1:] {
					if href, _, _ := strings.Cut(part, `"`); href != "/" && href != "data:," && !strings.HasPrefix(href, page) {
						t.Errorf("%q: the page links to %s", place, href)
					}
				}
			}
		})
	}
}

func TestThePlaceToReturnToIsReadOnceAndOnlyFromTheURL(t *testing.T) {
	s, _ := startPage(t, lines{})
	b := newTab(t, s)
	for name, test := range map[string]struct{ url, form, want string }{
		"in the form":            {page, credentials("alice", "return_to", "/form"), "/"},
		"in form and URL":        {page + "?return_to=/url", credentials("alice", "return_to", "//form"), "/url"},
		"a bad one, then a good": {page + "?return_to=//x&return_to=/y", credentials("alice"), "/"},
		"of the page to log out": {logout + "?return_to=/x", "", "200"},
		"under another name":     {page + "?next=/x&redirect=/x&Return_To=/x", credentials("alice"), "/"},
	} {
		if got := sent(b.submit(test.url, test.form)); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

// The place is written so that the browser comes back to exactly what it asked for.
func TestTheFormIsToldWhereToReturn(t *testing.T) {
	s, _ := startPage(t, lines{})
	for target, want := range map[string]string{
		"/":                                 page,
		"/?x":                               page + "?return_to=%2F%3Fx",
		"/x":                                page + "?return_to=%2Fx",
		"/x?":                               page + "?return_to=%2Fx%3F",
		"/x?a=b&c=%2B+":                     page + "?return_to=%2Fx%3Fa%3Db%26c%3D%252B%2B",
		"/%2e%2e/x":                         page,
		"//elsewhere.example":               page,
		"//elsewhere.example/%2e%2e":        page,
		`/\elsewhere.example`:               page,
		"/./x":                              page,
		"/x/..//elsewhere.example":          page,
		"/%09/x":                            page,
		"/?return_to=//elsewhere.example":   page + "?return_to=%2F%3Freturn_to%3D%2F%2Felsewhere.example",
		"/" + strings.Repeat("x", 3000):     page,
		"/x?" + strings.Repeat("y", 3000):   page,
		"/caf%C3%A9":                        page + "?return_to=%2Fcaf%25C3%25A9",
		"http://elsewhere.example/evil":     page + "?return_to=%2Fevil",
		"http://elsewhere.example//evil/..": page,
	} {
		a := s.For(t).Exchange(s.RawRequest("GET", target, "", "Host: localhost", wantsHTML))
		if got := sent(a); got != want {
			t.Errorf("%.60s: got %s, want %s", target, got, want)
		}
	}
}

// Location is a path, whatever the request says of its host.
func TestLocationIsNeverBuiltFromTheHost(t *testing.T) {
	s, _ := startPage(t, lines{options: "servers {\n\t\ttrusted_proxies static 127.0.0.1\n\t}", page: "after_logout /bye?x=y", server: "allow_http"})
	for _, headers := range [][]string{
		{"Host: evil.example"}, {"Host: evil.example", "X-Forwarded-Host: other.example"}, {"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https"},
		{"X-Forwarded-Prefix: /evil"}, {"X-Original-URL: //evil.example"}, {"X-Rewrite-URL: //evil.example"}, {"Forwarded: host=evil.example"}, {"Referer: https://evil.example/"},
	} {
		b := newTab(t, s)
		if got := sent(b.open("/x", headers...)); got != page+"?return_to=%2Fx" {
			t.Errorf("%q: to the form: %s", headers, got)
		}
		same := append(headers, "Sec-Fetch-Site: same-origin")
		if got := sent(b.submit(page+"?return_to=/x", credentials("alice"), same...)); got != "/x" {
			t.Errorf("%q: after a login: %s", headers, got)
		}
		if got := sent(b.submit(logout, "", same...)); got != "/bye?x=y" {
			t.Errorf("%q: after a logout: %s", headers, got)
		}
	}
}
