package login

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Only what a tab shows is sent to the form; all else gets the 401 it always got.
func TestWhatIsSentToTheForm(t *testing.T) {
	s, app := startPage(t, lines{})
	const form = page + "?return_to=%2Fapp%3Fq%3D1"
	fetched := func(mode, dest string, more ...string) []string {
		return append([]string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: " + mode, "Sec-Fetch-Dest: " + dest}, more...)
	}
	tabOf := fetched("navigate", "document")
	for _, test := range []struct {
		name, method string
		headers      []string
		want         string
	}{
		{"a link", "GET", append(tabOf, wantsHTML), form},
		{"a link that asks for no type", "GET", tabOf, form},
		{"a HEAD of a tab", "HEAD", tabOf, form},
		{"a link of another site", "GET", append(tabOf, "Sec-Fetch-Site: cross-site", wantsHTML), form},
		{"a form", "POST", append(tabOf, wantsHTML), page},
		{"a form without a session from another site", "POST", append(tabOf, wantsHTML, "Sec-Fetch-Site: cross-site", "Origin: https://evil.example"), page},
		{"a frame", "GET", fetched("navigate", "iframe", wantsHTML), "401"},
		{"a frame of old", "GET", fetched("navigate", "frame", wantsHTML), "401"},
		{"an object", "GET", fetched("navigate", "object", wantsHTML), "401"},
		{"an embed", "GET", fetched("navigate", "embed", wantsHTML), "401"},
		{"a fetch", "GET", fetched("cors", "empty", "Accept: */*"), "401"},
		{"a fetch that wants HTML, such as htmx's", "GET", fetched("cors", "empty", wantsHTML), "401"},
		{"a fetch without CORS", "GET", fetched("no-cors", "empty", wantsHTML), "401"},
		{"a fetch that keeps to its origin", "GET", fetched("same-origin", "empty"), "401"},
		{"an image", "GET", fetched("no-cors", "image", "Accept: image/avif,image/webp,*/*"), "401"},
		{"a script", "GET", fetched("no-cors", "script"), "401"},
		{"a style sheet", "GET", fetched("no-cors", "style", "Accept: text/css,*/*;q=0.1"), "401"},
		{"a manifest", "GET", fetched("cors", "manifest"), "401"},
		{"a service worker", "GET", fetched("same-origin", "serviceworker"), "401"},
		{"a WebSocket", "GET", fetched("websocket", "empty", "Upgrade: websocket", "Connection: Upgrade"), "401"},
		{"a WebSocket that says document", "GET", append(tabOf, "Upgrade: websocket", "Connection: Upgrade", wantsHTML), "401"},
		{"a prefetch", "GET", append(tabOf, wantsHTML, "Sec-Purpose: prefetch"), "401"},
		{"a prerendering", "GET", append(tabOf, wantsHTML, "Sec-Purpose: prefetch;prerender"), "401"},
		{"a prefetch of Safari", "GET", append(tabOf, wantsHTML, "Purpose: prefetch"), "401"},
		{"a prefetch of Firefox of old", "GET", append(tabOf, wantsHTML, "X-Moz: prefetch"), "401"},
		{"OPTIONS", "OPTIONS", append(tabOf, wantsHTML), "401"},
		{"a preflight", "OPTIONS", fetched("cors", "empty", "Origin: https://a.example", "Access-Control-Request-Method: PUT"), "401"},
		{"a document in another mode", "GET", fetched("cors", "document", wantsHTML), "401"},
		{"half of the Fetch Metadata", "GET", []string{"Sec-Fetch-Site: none", wantsHTML}, "401"},
		{"Safari of old", "GET", []string{"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, form},
		{"a form of old", "POST", []string{wantsHTML}, page},
		{"Lynx", "GET", []string{"Accept: text/html, text/plain, text/css, text/sgml, */*;q=0.01"}, form},
		{"a PUT of old", "PUT", []string{wantsHTML}, "401"},
		{"XMLHttpRequest of old", "GET", []string{wantsHTML, "X-Requested-With: XMLHttpRequest"}, "401"},
		{"XMLHttpRequest in lower case", "GET", []string{wantsHTML, "X-Requested-With: xmlhttprequest"}, "401"},
		{"a WebView of Android", "GET", []string{wantsHTML, "X-Requested-With: com.example.app"}, form},
		{"curl", "GET", []string{"Accept: */*", "User-Agent: curl/8.14.1"}, "401"},
		{"no headers at all", "GET", nil, "401"},
		{"an API client that can do HTML too", "GET", []string{"Accept: application/json, text/html;q=0.9"}, "401"},
		{"JSON first at the same weight", "GET", []string{"Accept: application/json, text/plain, text/html"}, "401"},
		{"HTML with less weight than anything", "GET", []string{"Accept: */*, text/html;q=0.5"}, "401"},
		{"an image of old", "GET", []string{"Accept: image/png,image/*;q=0.8,*/*;q=0.5"}, "401"},
		{"a WebSocket of old", "GET", []string{wantsHTML, "Upgrade: websocket", "Connection: Upgrade"}, "401"},
		{"git and other WebDAV", "PROPFIND", []string{wantsHTML}, "401"},
	} {
		for _, cookies := range [][]string{nil, {"grant-default=stale"}} {
			t.Run(test.name, func(t *testing.T) {
				a := newTab(t, s).with(cookies...).send(test.method, "/app?q=1", "", test.headers...)
				if got := sent(a); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if a.Status == 303 && (a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("WWW-Authenticate") != "") {
					t.Errorf("the redirect has %v", a.Header)
				}
				if a.Status == 401 && a.Header.Get("WWW-Authenticate") != `Bearer realm="default"` {
					t.Errorf("the challenge is %q", a.Header["Www-Authenticate"]) // Basic would open a pop-up
				}
			})
		}
	}
	if app.Reached() {
		t.Error("the app was reached")
	}
}

// follow opens a path, and what it is sent to, and fails the test where that does not
// end at the form.
func (b *tab) follow(path string, headers ...string) (at string, a harness.Answer) {
	b.t.Helper()
	for range 3 {
		a = b.open(path, headers...)
		if a.Status != http.StatusSeeOther {
			return path, a
		}
		path = a.Header.Get("Location")
	}
	b.t.Fatalf("redirects do not end; the last one is to %s", path)
	return "", a
}

func isForm(a harness.Answer) bool {
	return a.Status == 200 && strings.Contains(string(a.Body), `name="password"`)
}

// Whatever a site does with paths before the check, a browser gets to the form, logs in
// there, and gets back to the address that it had.
func TestSitesThatRewrite(t *testing.T) {
	const check = "bearer_auth {\n\t\tcopy_claims sub>X-User\n\t}\n"
	for name, routes := range map[string]string{
		"nothing":              check + "respond \"in\"",
		"a rewrite":            "rewrite * /index.php?u={uri}\n" + check + "respond \"in\"",
		"a rewrite of a path":  "rewrite /deep/* /x\n" + check + "respond \"in\"",
		"try_files":            "root %DIR%/spa\ntry_files {path} /index.html\n" + check + "respond \"in\"",
		"try_files and files":  "root %DIR%/spa\ntry_files {path} /index.html\n" + check + "file_server",
		"uri strip_prefix":     "uri strip_prefix /deep\n" + check + "respond \"in\"",
		"uri replace":          "uri replace /token /x\n" + check + "respond \"in\"",
		"handle_path":          "handle_path /deep/* {\n" + check + "respond \"in\"\n}\nhandle {\n" + check + "respond \"in\"\n}",
		"handle blocks":        "handle /deep/* {\n" + check + "respond \"in\"\n}\nhandle {\n" + check + "respond \"other\"\n}",
		"a route":              "route {\n" + check + "rewrite * /x\nrespond \"in\"\n}",
		"a matcher":            "bearer_auth /deep/*\nrespond \"in\"",
		"a matcher of a host":  "@h host localhost\nbearer_auth @h\nrespond \"in\"",
		"a matcher of methods": "@m method GET\nbearer_auth @m\nrespond \"in\"",
		"two checks":           "bearer_auth\nbearer_auth /deep/* {\n\tscopes read\n}\nrespond \"in\"",
		"handle_errors":        check + "respond \"in\"\nhandle_errors {\n\trespond \"error {err.status_code}\"\n}",
		"encode":               "encode gzip\n" + check + "respond \"in\"",
		"a method rewritten":   "method GET\n" + check + "respond \"in\"",
	} {
		t.Run(name, func(t *testing.T) {
			s := harness.NewSite(t)
			s.Client.CheckRedirect = noRedirects
			if err := os.Mkdir(s.Path("spa"), 0o755); err != nil {
				t.Fatal(err)
			}
			s.Write(filepath.Join("spa", "index.html"), "<title>in</title>")
			s.Reload("", `http://localhost:%PORT% {
	bind 127.0.0.1
	token_endpoint {
		user alice `+harness.HashCheap+`
		scopes read
		login_page
	}
	`+routes+`
}
`)
			const deep = "/deep/link?a=1&b=%2F%20x"
			b := newTab(t, s)
			at, a := b.follow(deep)
			if want := page + "?return_to=%2Fdeep%2Flink%3Fa%3D1%26b%3D%252F%2520x"; !isForm(a) || at != want {
				t.Fatalf("got %d at %s, want the form at %s: %s", a.Status, at, want, a.Body)
			}
			if wrong := b.submit(at, "username=alice&password=x"); wrong.Status != 401 || !strings.Contains(string(wrong.Body), "alice") {
				t.Errorf("a wrong password: %d %s", wrong.Status, wrong.Body)
			}
			if got := sent(b.submit(at, credentials("alice"))); got != deep {
				t.Fatalf("after the login the browser is sent to %s", got)
			}
			if _, a := b.follow(deep); a.Status != 200 || !strings.Contains(string(a.Body), "in") {
				t.Errorf("then: %d %s", a.Status, a.Body)
			}
			if a := b.open(logout); a.Status != 200 || !strings.Contains(string(a.Body), `method="post"`) {
				t.Errorf("the page to log out: %d %s", a.Status, a.Body)
			}
			if a := b.submit(logout, ""); a.Status != 200 {
				t.Errorf("logging out: %d %s", a.Status, a.Body)
			}
			if _, a := b.follow(deep); !isForm(a) {
				t.Errorf("after the logout: %d %s", a.Status, a.Body)
			}
		})
	}
}

// The page answers on all sites of its server, whichever site the endpoint is in.
func TestThePageOnOtherSites(t *testing.T) {
	s := startSite(t, "", `http://auth.localhost:%PORT% {
	bind 127.0.0.1
	token_endpoint {
		user alice `+harness.HashCheap+`
		login_page
	}
	respond "auth"
}
http://app.localhost:%PORT% {
	bind 127.0.0.1
	bearer_auth
	respond "app"
}
http://part.localhost:%PORT% {
	bind 127.0.0.1
	bearer_auth /private*
	respond "part"
}
http://none.localhost:%PORT% {
	bind 127.0.0.1
	respond "none"
}
`)
	at := func(host string) *tab { return newTab(t, s).at(host + ".localhost") }
	for host, private := range map[string]string{"app": "/x", "part": "/private"} {
		b := at(host)
		if where, a := b.follow(private); !isForm(a) {
			t.Errorf("%s: %d at %s", host, a.Status, where)
		}
		b.login("alice")
		if a := b.open(private); a.Status != 200 || string(a.Body) != host {
			t.Errorf("%s: %d %s", host, a.Status, a.Body)
		}
		b.at("none.localhost").open(page).Want(t, 200, "")
	}
	if a := at("auth").open(page); !isForm(a) {
		t.Errorf("the endpoint's own site: %d", a.Status)
	}
	if a := at("none").open(page); string(a.Body) != "none" {
		t.Errorf("a site without a check has the page: %s", a.Body)
	}
	if a := at("part").open("/"); string(a.Body) != "part" {
		t.Errorf("outside the matcher: %d", a.Status)
	}
}

// The page is found however its path is written, and is never sent to itself.
func TestSpellingsOfThePage(t *testing.T) {
	s, app := startPage(t, lines{})
	for _, path := range []string{
		page, page + "/", page + "?", page + "?return_to=" + page, "/TOKEN/Login", "/token//login", "/token/%6cogin", "/token/./login",
		"/x/../token/login", logout, logout + "/", "/token/login//logout", "/token/login/%6Cogout", "/token/login/LOGOUT?x=y",
	} {
		a := newTab(t, s).send("GET", path, "", wantsHTML)
		if a.Status != 200 || !strings.Contains(string(a.Body), "<form") {
			t.Errorf("%s: %d %s", path, a.Status, a.Header.Get("Location"))
		}
	}
	for _, path := range []string{"/tokens/login", "/login", "/logout", "/"} {
		if where, a := newTab(t, s).follow(path); !isForm(a) || strings.Count(where, "return_to") > 1 {
			t.Errorf("%s: %d at %s", path, a.Status, where)
		}
	}
	if app.Reached() {
		t.Error("the app was reached")
	}
}

func TestAnotherPathOfThePage(t *testing.T) {
	app := harness.NewApp(t)
	site := strings.Replace(lines{}.in(pageSite), "login_page {", "login_page /sign-in {", 1)
	s := startSite(t, "", app.In(site))
	b := newTab(t, s)
	if got := sent(b.open("/x")); got != "/sign-in?return_to=%2Fx" {
		t.Error(got)
	}
	if got := sent(b.submit("/sign-in?return_to=%2Fx", credentials("alice"))); got != "/x" {
		t.Error(got)
	}
	b.wantUser("alice")
	if a := b.submit("/sign-in/logout", ""); a.Status != 200 {
		t.Error(a.Status)
	}
	b.wantUser("401")
	if a := b.open(page); isForm(a) {
		t.Error("the page is at the default path as well")
	}
}
