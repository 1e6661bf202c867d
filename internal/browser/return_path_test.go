package browser

import (
	"strings"
	"testing"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

func isLoginPage(path string) bool { return path == "/token/login" || path == "/token/login/logout" }

func TestABrowserReturnsToAPathOfThisHost(t *testing.T) {
	for _, target := range []string{
		"/",
		"/reports",
		"/reports/2024/",
		"/reports?year=2024&month=5",
		"/?next=https://evil.example/",
		"/?//evil.example",
		"/?a?b",
		"/search?q=a%20b+c%2Fd%5Ce%0Af",
		"/a//b",
		"/a/b//",
		"/caf%C3%A9",
		"/caf%e9",
		"/a%2Fb",
		"/a%20b",
		"/a%3Fb",
		"/a%23b",
		"/100%25",
		"/a:b@c;d,e=f!$&'()*+~",
		"/@evil.example",
		"/:443/",
		"/;/evil.example",
		"/...",
		"/.well-known/openid-configuration",
		"/..a/.b",
		"/?../..",
		"/javascript:alert(1)",
		"/token",
		"/token/login/",
		"/token/loginX",
		"/TOKEN/LOGIN",
		"/?return_to=/token/login",
		"/" + strings.Repeat("a", maxReturnPath-1),
	} {
		if got := ReturnPath(target, isLoginPage); got != target {
			t.Errorf("%q is not returned to, but %q", target, got)
		}
		resolve(t, target)
	}
}

func TestNoTargetLeadsAnywhereElse(t *testing.T) {
	for _, tt := range []struct{ name, target string }{
		{"nothing", ""},
		{"another host", "//evil.example"},
		{"another host after three slashes", "///evil.example"},
		{"a backslash for the second slash", `/\evil.example`},
		{"a backslash for the first slash", `\/evil.example`},
		{"backslashes for both", `\\evil.example`},
		{"a dot segment before a backslash", `/./\evil.example`},
		{"a dot segment before two slashes", "/.//evil.example"},
		{"an encoded dot segment before two slashes", "/%2e//evil.example"},
		{"the same in capitals", "/%2E//evil.example"},
		{"two dots before two slashes", "/..//evil.example"},
		{"a segment that two dots take away", "/foo/..//evil.example"},
		{"encoded dots that take it away", "/foo/%2e%2E//evil.example"},
		{"dots of which one is encoded", "/foo/.%2e//evil.example"},
		{"the other dot encoded", "/foo/%2e.//evil.example"},
		{"dots before an encoded slash", "/foo/..%2f/evil.example"},
		{"dots at the end", "/foo/.."},
		{"a tab between the slashes", "/\t/evil.example"},
		{"a line feed between the slashes", "/\n/evil.example"},
		{"a carriage return between the slashes", "/\r/evil.example"},
		{"a tab before the slashes", "\t//evil.example"},
		{"a space before the slashes", " //evil.example"},
		{"a control character before the slashes", "\x01//evil.example"},
		{"a space behind", "/reports "},
		{"a space within", "/a b"},
		{"a NUL", "/\x00"},
		{"a DEL", "/\x7f"},
		{"a header of its own", "/\r\nSet-Cookie: a=b"},
		{"an encoded header", "/%0d%0aSet-Cookie:%20a=b"},
		{"an encoded tab between slashes", "/%09/evil.example"},
		{"an encoded NUL", "/%00"},
		{"an encoded slash at the beginning", "/%2fevil.example"},
		{"the same in capitals", "/%2Fevil.example"},
		{"an encoded backslash", "/%5cevil.example"},
		{"an encoded backslash deep in the path", "/a/b%5Cc"},
		{"a backslash deep in the path", `/a/b\c`},
		{"a backslash in the query", `/a?b=\c`},
		{"an absolute URL", "https://evil.example/"},
		{"an absolute URL of this host", "https://host/"},
		{"a scheme without slashes", "https:evil.example"},
		{"a script", "javascript:alert(1)"},
		{"a relative path", "reports"},
		{"a relative path of dots", "../reports"},
		{"a query alone", "?a=b"},
		{"a fragment alone", "#a"},
		{"a fragment", "/reports#a"},
		{"letters that are not ASCII", "/café"},
		{"a slash that only looks like one", "/／evil.example"},
		{"a dot that only looks like one", "/。//evil.example"},
		{"bytes that are not UTF-8", "/\xff"},
		{"an escape that is cut", "/a%"},
		{"an escape that is not hexadecimal", "/a%zz"},
		{"an escape that is cut in the query", "/a?b=%2"},
		{"more than 2048 bytes", "/" + strings.Repeat("a", maxReturnPath)},
		{"a query that makes it longer than 2048 bytes", "/?" + strings.Repeat("a", maxReturnPath)},
		{"the page itself", "/token/login"},
		{"the page with a place to return to", "/token/login?return_to=/token/login"},
		{"the page in escapes", "/token/%6cogin"},
		{"the page with an encoded slash", "/token%2flogin"},
		{"the page behind a dot segment", "/x/../token/login"},
		{"the page for logging out", "/token/login/logout"},
	} {
		if got := ReturnPath(tt.target, isLoginPage); got != "/" {
			t.Errorf("%s: %q is returned to as %q", tt.name, tt.target, got)
		}
	}
}

func TestWithoutAPageOfItsOwnEveryPathIsReturnedTo(t *testing.T) {
	if got := ReturnPath("/token/login", nil); got != "/token/login" {
		t.Errorf("got %q", got)
	}
}

// resolve follows a Location header as a browser does.
func resolve(t *testing.T, location string) *whatwg.Url {
	t.Helper()
	u, err := whatwg.ParseRef("https://host/token/login?x", location)
	if err != nil {
		t.Fatalf("a browser does not follow %q: %v", location, err)
	}
	if u.Protocol() != "https:" || u.Host() != "host" || u.Username() != "" || u.Fragment() != "" || strings.HasPrefix(u.Pathname(), "//") {
		t.Fatalf("%q leads to %s", location, u.Href(false))
	}
	return u
}

// However a target looks, a browser stays on this host, and comes to a path that means
// the same to it as it does here.
func FuzzReturnPath(f *testing.F) {
	for _, target := range []string{
		"/", "/reports?a=b", "//evil.example", `/\evil.example`, "/.//evil.example", "/%2e//evil.example",
		"/foo/..//evil.example", "/\t/evil.example", "https://evil.example", "/a%5cb", "/%2fevil.example", "/a#b",
		"/caf%C3%A9", "/a//b", "/x/%2e%2e/token/login", "/token/%6cogin", "/a%", "/?a=%zz", "/é", "/[::1]", "/a|b\"<>^`{}",
	} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got := ReturnPath(target, isLoginPage)
		if got == "/" {
			return
		}
		if got != target || len(got) > maxReturnPath {
			t.Fatalf("%q became %q", target, got)
		}
		u := resolve(t, got)
		if ReturnPath(u.Pathname()+u.Search(), isLoginPage) == "/" && u.Pathname()+u.Search() != "/" && len(u.Pathname()+u.Search()) <= maxReturnPath {
			t.Fatalf("%q is good, but not %q, as a browser asks for it", got, u.Pathname()+u.Search())
		}
		if strings.Contains(u.Pathname(), "/token/login") && isLoginPage(u.Pathname()) {
			t.Fatalf("%q leads to the page", got)
		}
	})
}
