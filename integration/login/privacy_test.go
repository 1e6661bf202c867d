package login

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// What a cookie let through must not be kept for others, whatever the app says.
func TestAnswersArePrivate(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.URL.Query() {
			w.Header()[name] = values
		}
		switch r.URL.Path {
		case "/304":
			w.WriteHeader(304)
		case "/500":
			w.WriteHeader(500)
		case "/stream":
			_, _ = w.Write([]byte("data: x\n\n"))
			_ = http.NewResponseController(w).Flush()
		default:
			_, _ = w.Write([]byte("{}"))
		}
	}))
	t.Cleanup(app.Close)
	s := startSite(t, "", strings.ReplaceAll(lines{check: "open /open/*", routes: "bearer_auth /opt* {\n\t\toptional\n\t}"}.in(pageSite), "%APP%", app.Listener.Addr().String()))
	b := loggedIn(t, s, "alice")
	for _, test := range []struct {
		name, query string
		fetch, page string // Cache-Control for a script, for a navigation
	}{
		{"nothing", "Content-Type=application/json", "private", "no-store"},
		{"a page that a script loads", "Content-Type=text/html", "no-store", "no-store"},
		{"public", "Cache-Control=public,+max-age=60", "private, max-age=60", "private, max-age=60"},
		{"PUBLIC", "Cache-Control=PUBLIC", "private", "private"},
		{"s-maxage", "Cache-Control=s-maxage%3D60,max-age=5", "private, max-age=5", "private, max-age=5"},
		{"max-age alone, as of a static file", "Cache-Control=max-age%3D31536000,immutable", "private, max-age=31536000, immutable", ""},
		{"no-store stays", "Cache-Control=no-store", "no-store", "no-store"},
		{"no-cache", "Cache-Control=no-cache", "private, no-cache", "private, no-cache"},
		{"private stays", "Cache-Control=private,+max-age%3D5", "private, max-age=5", "private, max-age=5"},
		{"private for a field only", "Cache-Control=private%3D%22X%22,+max-age%3D5", "private, max-age=5", "private, max-age=5"},
		{"an extension that names public", "Cache-Control=x%3D%22public%22", `private, x="public"`, ""},
		{"two headers", "Cache-Control=public&Cache-Control=max-age%3D5", "private, max-age=5", ""},
		{"an old Expires", "Expires=Thu,+01+Jan+2099+00:00:00+GMT", "private", "no-store"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for path, status := range map[string]int{"/x": 200, "/x.css": 200, "/304": 304, "/500": 500, "/stream": 200} {
				b := newTab(t, s).with(b.cookies...)
				a := b.fetch("GET", path+"?"+test.query)
				if path == "/304" && test.fetch == "no-store" {
					continue // such an answer has no type
				}
				if got := strings.Join(a.Header["Cache-Control"], " | "); a.Status != status || got != test.fetch {
					t.Errorf("%s: got %d %q, want %q", path, a.Status, got, test.fetch)
				}
				if a := b.open(path + "?" + test.query); test.page != "" && a.Header.Get("Cache-Control") != test.page {
					t.Errorf("%s, a navigation: got %q, want %q", path, a.Header["Cache-Control"], test.page)
				}
			}
			t.Run("a Bearer token changes nothing", func(t *testing.T) {
				with := newTab(t, s).fetch("GET", "/x?"+test.query, harness.Bearer(s.Token("alice"))).Header["Cache-Control"]
				if open := newTab(t, s).fetch("GET", "/open/x?"+test.query).Header["Cache-Control"]; !slices.Equal(with, open) {
					t.Errorf("got %q, want %q", with, open)
				}
			})
		})
	}
	t.Run("headers for CDNs go", func(t *testing.T) {
		for _, name := range []string{"CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control", "Vercel-CDN-Cache-Control", "Netlify-CDN-Cache-Control", "Edge-Control", "X-Accel-Expires"} {
			if a := b.fetch("GET", "/x?Cache-Control=public&"+name+"=max-age%3D60"); len(a.Header[http.CanonicalHeaderKey(name)]) > 0 {
				t.Errorf("%s: %v", name, a.Header)
			}
		}
	})
	t.Run("what the app says otherwise stays", func(t *testing.T) {
		a := b.fetch("GET", "/x?Etag=x&Vary=Accept&Set-Cookie=a%3Db&X-Y=z")
		if a.Header.Get("Etag") != "x" || a.Header.Get("Vary") != "Accept" || a.Header.Get("Set-Cookie") != "a=b" || a.Header.Get("X-Y") != "z" {
			t.Errorf("%v", a.Header)
		}
	})
}

// The pages themselves are for nobody else, and show nothing of other sites.
func TestHeadersOfThePages(t *testing.T) {
	s, _ := startPage(t, lines{})
	b := loggedIn(t, s, "alice")
	for name, a := range map[string]harness.Answer{
		"the form": newTab(t, s).open(page), "who is logged in": b.open(page), "log out": b.open(logout), "a wrong password": newTab(t, s).submit(page, "username=alice&password=x"),
		"no form": newTab(t, s).submit(page, "{}", "Content-Type: application/json"), "another method": newTab(t, s).fetch("DELETE", page), "too large": newTab(t, s).submit(page, "username="+strings.Repeat("x", 100_000)),
		"another origin": newTab(t, s).submit(page, credentials("alice"), "Sec-Fetch-Site: cross-site"), "logged out": loggedIn(t, s, "bob").submit(logout, ""),
		"a field twice": newTab(t, s).submit(page, "username=a&username=b&password=x"), "no password": newTab(t, s).submit(page, "username=a"),
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]int{
				"the form": 200, "who is logged in": 200, "log out": 200, "a wrong password": 401, "no form": 400, "another method": 405, "too large": 413,
				"another origin": 403, "logged out": 200, "a field twice": 400, "no password": 400,
			}[name]
			policy := a.Header.Get("Content-Security-Policy")
			if a.Status != want || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Referrer-Policy") != "same-origin" {
				t.Errorf("got %d %v", a.Status, a.Header)
			}
			for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
				if !strings.Contains(policy, part) {
					t.Errorf("no %s in %s", part, policy)
				}
			}
			if strings.Contains(policy, "unsafe") || strings.Contains(string(a.Body), "http://") || strings.Contains(string(a.Body), "https://") || strings.Contains(string(a.Body), "<script") || strings.Contains(string(a.Body), "action=\"\"") {
				t.Errorf("%s\n%s", policy, a.Body)
			}
			if name == "another method" && a.Header.Get("Allow") != "GET, HEAD, POST" {
				t.Errorf("Allow: %q", a.Header.Get("Allow"))
			}
		})
	}
	t.Run("a name that is typed is shown as text", func(t *testing.T) {
		a := newTab(t, s).submit(page, "username=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&password=x")
		if a.Status != 401 || strings.Contains(string(a.Body), "<script") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("one answer for all causes of a wrong login", func(t *testing.T) {
		unknown, wrong := newTab(t, s).submit(page, "username=carol&password=x"), newTab(t, s).submit(page, "username=alice&password=x")
		if unknown.Status != wrong.Status || strings.Count(string(unknown.Body), "\n") != strings.Count(string(wrong.Body), "\n") {
			t.Errorf("%d and %d", unknown.Status, wrong.Status)
		}
	})
	t.Run("HEAD has the header alone", func(t *testing.T) {
		if a := newTab(t, s).send("HEAD", page, ""); a.Status != 200 || len(a.Body) > 0 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

// A route for errors has the last word on its answers, also on what caches may keep: so
// no cookie is renewed with them.
func TestAnErrorOfTheSiteRenewsNoCookie(t *testing.T) {
	s, _ := startPage(t, lines{page: "idle_ttl 10m", routes: `respond /fails* 500 {
		close
	}
	error /missing* 404
	handle_errors {
		header Cache-Control "public, max-age=600"
		respond "{err.status_code}"
	}`})
	b := loggedIn(t, s, "alice")
	later(t, 2*time.Minute)
	if a := b.fetch("GET", "/missing.png"); a.Status != 404 || len(a.Header["Set-Cookie"]) > 0 {
		t.Errorf("an error: %d %v", a.Status, a.Header)
	}
	if a := b.fetch("GET", "/app"); len(a.Header["Set-Cookie"]) != 1 {
		t.Errorf("then an answer of the app: %d %v", a.Status, a.Header)
	}
}
