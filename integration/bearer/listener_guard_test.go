package bearer

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// guardedListener is a site with a bearer_auth on port %PORT%, and another on %TLSPORT%
// without TLS.
const guardedListener = `http://edge.localhost:%PORT% {
	bind 127.0.0.1
` + hygieneEndpoint + `
	bearer_auth {
		copy_claims sub>X-User email>X-Email
	}
	reverse_proxy %APP%
}
`

// at sends a request to a host on a port, with the client's own identity headers in two
// spellings.
func at(s *harness.Site, port int, host, method, path string, headers ...string) harness.Answer {
	s.T.Helper()
	other := *s
	other.Port = port
	lines := append([]string{method + " " + path + " HTTP/1.1", "Host: " + host + ":" + strconv.Itoa(port), "Connection: close, X-User"}, headers...)
	return other.Exchange(strings.Join(append(lines, "X-User: admin", "X_User: admin", "x-email: admin@example.com"), "\r\n") + "\r\n\r\n")
}

// wantNobody fails the test unless one request came to the app, and without a user.
func wantNobody(a *harness.App, t *testing.T) {
	t.Helper()
	received := a.One(t)
	received.WantIdentity(t, "X-User", "")
	received.WantIdentity(t, "X-Email", "")
}

// I18: an app gets no identity header from a client on any site and route of a listener
// that has a bearer_auth, wherever that stands, nor a placeholder for a name.
func TestIdentityHeadersAreRemovedOnAllOfAListener(t *testing.T) {
	const proxy = "reverse_proxy %APP% {\nheader_up X-Placeholder \"<{http.auth.user.id}{http.auth.user.email}>\"\n}\n"
	for _, test := range []struct{ name, sites, host, path string }{
		{"another site", "http://open.localhost:%PORT% {\nbind 127.0.0.1\n" + proxy + "}\n", "open.localhost", "/"},
		{"another site before it", "http://aaa.localhost:%PORT% {\nbind 127.0.0.1\n" + proxy + "}\n", "aaa.localhost", "/"},
		{"every other name", "http://:%PORT% {\nbind 127.0.0.1\n" + proxy + "}\n", "whatever.example.com", "/"},
		{"a handle of another site", "http://open.localhost:%PORT% {\nbind 127.0.0.1\nhandle /a* {\n" + proxy + "}\n}\n", "open.localhost", "/a"},
		{"a route of another site", "http://open.localhost:%PORT% {\nbind 127.0.0.1\nroute /a* {\nuri strip_prefix /a\n" + proxy + "}\n}\n", "open.localhost", "/a"},
		{"a named route", "&(open) {\n" + proxy + "}\nhttp://open.localhost:%PORT% {\nbind 127.0.0.1\ninvoke open\n}\n", "open.localhost", "/"},
		{"errors of another site", "http://open.localhost:%PORT% {\nbind 127.0.0.1\nerror 404\nhandle_errors {\n" + proxy + "}\n}\n", "open.localhost", "/"},
	} {
		for spelling := range spellings {
			t.Run(test.name+", "+spelling, func(t *testing.T) {
				app, s := harness.NewApp(t), harness.NewSite(t)
				s.Write("users.json", hygieneUsers)
				s.Reload(spellings[spelling], app.In(guardedListener+test.sites))
				at(s, s.Port, test.host, "GET", test.path)
				received := app.One(t)
				received.WantIdentity(t, "X-User", "")
				received.WantIdentity(t, "X-Email", "")
				if got := received.Header.Get("X-Placeholder"); got != "<>" {
					t.Errorf("without a user the placeholders are %s", got)
				}
			})
		}
	}
}

// The bearer_auth may be anywhere below the listener: in a handle, a named route or for
// errors only.
func TestTheListenerIsGuardedWhereverItsBearerAuthIs(t *testing.T) {
	const check = "bearer_auth {\ncopy_claims sub>X-User email>X-Email\n}\n"
	for _, test := range []struct{ name, sites, host, method, path string }{
		{"in a handle", "http://edge.localhost:%PORT% {\nbind 127.0.0.1\nhandle /a* {\n" + check + "}\nhandle {\nreverse_proxy %APP%\n}\n}\n", "edge.localhost", "GET", "/b"},
		{"in a route after the proxy", "http://edge.localhost:%PORT% {\nbind 127.0.0.1\nroute {\nreverse_proxy /b %APP%\n" + check + "}\n}\n", "edge.localhost", "GET", "/b"},
		{"in handle_response of the proxy", "http://edge.localhost:%PORT% {\nbind 127.0.0.1\nreverse_proxy %APP% {\nhandle_response {\n" + check + "}\n}\n}\n", "edge.localhost", "GET", "/b"},
		{"in a named route of one site", "&(edge) {\n" + check + "}\nhttp://edge.localhost:%PORT% {\nbind 127.0.0.1\ninvoke edge\n}\nhttp://open.localhost:%PORT% {\nbind 127.0.0.1\nreverse_proxy %APP%\n}\n", "open.localhost", "GET", "/"},
		{"in a named route for a path", "&(edge) {\n" + check + "}\nhttp://:%PORT% {\nbind 127.0.0.1\ninvoke /a* edge\nreverse_proxy %APP%\n}\n", "any.localhost", "GET", "/b"},
		{"in a named route below a handle", "&(edge) {\n" + check + "}\nhttp://:%PORT% {\nbind 127.0.0.1\nroute {\nreverse_proxy /b %APP%\ninvoke edge\n}\n}\n", "any.localhost", "GET", "/b"},
		{"in a named route of which a part is before it", "&(edge) {\nroute {\nreverse_proxy /b %APP%\n" + check + "}\n}\nhttp://:%PORT% {\nbind 127.0.0.1\nvars a b\ninvoke edge\n}\n", "any.localhost", "GET", "/b"},
		{"in handle_errors only", "http://edge.localhost:%PORT% {\nbind 127.0.0.1\nreverse_proxy /b %APP%\nhandle_errors {\n" + check + "}\n}\n", "edge.localhost", "GET", "/b"},
		{"in handle_errors, after the proxy", "http://edge.localhost:%PORT% {\nbind 127.0.0.1\nerror 404\nhandle_errors {\nroute {\nreverse_proxy /b %APP%\n" + check + "}\n}\n}\n", "edge.localhost", "GET", "/b"},
		{"for a request that is an error before any route", "http://:%PORT% {\nbind 127.0.0.1\n" + check + "handle_errors {\nreverse_proxy %APP%\n}\n}\n", "edge.localhost", strings.Repeat("X", 33), "/b"},
		{"in a named route, for such a request", "&(edge) {\n" + check + "}\nhttp://:%PORT% {\nbind 127.0.0.1\ninvoke edge\nhandle_errors {\nreverse_proxy %APP%\n}\n}\n", "edge.localhost", strings.Repeat("X", 33), "/b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			app, s := harness.NewApp(t), harness.NewSite(t)
			s.Write("users.json", hygieneUsers)
			elsewhere := fmt.Sprintf("http://login.localhost:%d {\nbind 127.0.0.1\n%s}\n", harness.FreePort(t), hygieneEndpoint)
			s.Reload("", app.In(elsewhere+test.sites))
			at(s, s.Port, test.host, test.method, test.path)
			wantNobody(app, t)
			for _, line := range s.Warnings() {
				if strings.Contains(fmt.Sprint(line["msg"]), "identity headers") {
					t.Errorf("warned of %v", line)
				}
			}
		})
	}
}

// Where a handler answers before anything that this module could stand before, a
// warning says so.
func TestAListenerThatCannotBeGuardedIsWarnedOf(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("users.json", hygieneUsers)
	elsewhere := fmt.Sprintf("http://login.localhost:%d {\nbind 127.0.0.1\n%s}\n", harness.FreePort(t), hygieneEndpoint)
	s.Reload("", app.In(elsewhere+"&(edge) {\nbearer_auth {\ncopy_claims sub>X-User\n}\n}\nhttp://:%PORT% {\nbind 127.0.0.1\nrequest_header X-Site a\ninvoke edge\nreverse_proxy %APP%\n}\n"))
	for _, line := range s.Warnings() {
		if line["msg"] == "identity headers are removed only from requests that reach a bearer_auth" {
			return
		}
	}
	t.Errorf("no such warning in %v", s.Warnings())
}

// An inner site gets its X-User from the Caddy before it.
func TestIdentityHeadersOfOtherListenersStay(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("users.json", hygieneUsers)
	inner, second := harness.FreePort(t), harness.FreePort(t)
	s.Reload("", app.In(strings.NewReplacer("%INNER%", strconv.Itoa(inner), "%SECOND%", strconv.Itoa(second)).Replace(guardedListener+`
http://:%INNER% {
	bind 127.0.0.1
	reverse_proxy %APP% {
		header_up X-Placeholder "{http.auth.user.id}"
	}
}
http://both.localhost:%PORT% {
	bind 127.0.0.1
	bearer_auth {
		copy_claims sub>X-User
	}
	reverse_proxy 127.0.0.1:%INNER%
}
http://second.localhost:%SECOND% {
	bind 127.0.0.1
	bearer_auth {
		copy_claims email>X-Mail
	}
	respond "checked"
}
http://open.localhost:%SECOND% {
	bind 127.0.0.1
	reverse_proxy %APP%
}
`)))
	at(s, inner, "127.0.0.1", "GET", "/")
	if received := app.One(t); len(received.Identity("X-Email")) == 0 || received.Header.Get("X-Placeholder") != "{http.auth.user.id}" {
		t.Errorf("a listener without a bearer_auth was changed: %v", received.Header)
	}
	a := at(s, second, "open.localhost", "GET", "/", "X-Mail: m", "x.mail: m")
	if a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	received := app.One(t) // the names of the whole config
	for _, name := range []string{"X-User", "X-Email", "X-Mail"} {
		received.WantIdentity(t, name, "")
	}
	r := s.Request("POST", "/token", "grant_type=password&username=alice&password=correct+horse&client_id=web&client_secret=web-secret")
	r.Host = "edge.localhost:" + strconv.Itoa(s.Port)
	at(s, s.Port, "both.localhost", "GET", "/", harness.Bearer(s.Do(r).Text(t, "access_token")))
	app.One(t).WantIdentity(t, "X-User", "alice")
}

// An upgrade to h2c, after which an app would take requests straight from the client,
// does not get past the listener either; one to a WebSocket does.
func TestNoUpgradeToH2COnAListener(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("users.json", hygieneUsers)
	s.Reload("", app.In(guardedListener+"http://open.localhost:%PORT% {\nbind 127.0.0.1\nreverse_proxy %APP%\n}\n"))
	for _, lines := range [][]string{
		{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"},
		{"Connection: upgrade", "Upgrade: H2C"},
		{"Connection: upgrade", "Upgrade: websocket, h2c"},
		{"Connection: upgrade", "Upgrade: foo", "Upgrade: h2c"},
		{"Connection: http2-settings", "HTTP2-Settings: AAMAAABkAAQAAP__"},
	} {
		s.Exchange(strings.Join(append([]string{"GET / HTTP/1.1", "Host: open.localhost:" + strconv.Itoa(s.Port)}, lines...), "\r\n") + "\r\n\r\n")
		received := app.One(t)
		for _, name := range []string{"Upgrade", "Http2-Settings"} {
			if got := received.Header[name]; got != nil {
				t.Errorf("%q: the app received %s %q", lines, name, got)
			}
		}
	}
	s.Exchange("GET / HTTP/1.1\r\nHost: open.localhost:" + strconv.Itoa(s.Port) + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if received := app.One(t); received.Header.Get("Upgrade") != "websocket" {
		t.Errorf("a WebSocket is not upgraded: %v", received.Header)
	}
}

// What the site itself sets in place of the client's stays, and so does what a check
// has set when a later handler fails.
func TestWhatTheSiteSetsStays(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("users.json", hygieneUsers)
	s.Reload("", app.In(guardedListener+`
http://basic.localhost:%PORT% {
	bind 127.0.0.1
	basic_auth {
		alice `+harness.HashCheap+`
	}
	request_header X-User {http.auth.user.id}
	request_header X-Email "<{http.auth.user.email}>"
	reverse_proxy %APP%
}
http://down.localhost:%PORT% {
	bind 127.0.0.1
	bearer_auth {
		copy_claims sub>X-User
	}
	reverse_proxy 127.0.0.1:1
	handle_errors {
		reverse_proxy %APP%
	}
}
http://failing.localhost:%PORT% {
	bind 127.0.0.1
	request_header X-User site
	error 500
	handle_errors {
		reverse_proxy %APP%
	}
}
`))
	at(s, s.Port, "basic.localhost", "GET", "/", harness.Basic("alice", "correct horse"))
	received := app.One(t)
	received.WantIdentity(t, "X-User", "alice")
	received.WantIdentity(t, "X-Email", "<>")

	at(s, s.Port, "failing.localhost", "GET", "/")
	app.One(t).WantIdentity(t, "X-User", "site")

	r := s.Request("POST", "/token", "grant_type=password&username=alice&password=correct+horse&client_id=web&client_secret=web-secret")
	r.Host = "edge.localhost:" + strconv.Itoa(s.Port)
	at(s, s.Port, "down.localhost", "GET", "/", harness.Bearer(s.Do(r).Text(t, "access_token")))
	app.One(t).WantIdentity(t, "X-User", "alice")
}

// Trailers are looked through on sites without a bearer_auth as well.
func TestTrailersOfAListener(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("users.json", hygieneUsers)
	s.Reload("", app.In(guardedListener+"http://open.localhost:%PORT% {\nbind 127.0.0.1\nreverse_proxy %APP%\n}\n"))
	s.Exchange("POST / HTTP/1.1\r\nHost: open.localhost:" + strconv.Itoa(s.Port) + "\r\nTransfer-Encoding: chunked\r\nTrailer: X-User, X-Digest\r\n\r\n5\r\nhello\r\n0\r\nX-User: admin\r\nX-Digest: 1\r\n\r\n")
	received := app.One(t)
	received.WantIdentity(t, "X-User", "")
	if received.Body != "hello" || received.Trailer.Get("X-Digest") != "1" {
		t.Errorf("the app received %+v", received)
	}
}

// A config that no longer has a bearer_auth leaves the headers alone, and one that has
// it again removes them.
func TestAReloadChangesWhatIsRemoved(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("users.json", hygieneUsers)
	const open = "http://open.localhost:%PORT% {\nbind 127.0.0.1\nreverse_proxy %APP%\n}\n"
	for i, removed := range []bool{true, false, true} {
		sites := open
		if removed {
			sites += guardedListener
		}
		s.Port = harness.FreePort(t)
		s.Reload("", app.In(sites))
		at(s, s.Port, "open.localhost", "GET", "/")
		if got := app.One(t); (len(got.Identity("X-Email")) == 0) != removed {
			t.Errorf("load %d: the app received %v", i, got.Header)
		}
	}
}

// A JSON config may have matchers of any shape on its first route, and what they match
// stays what it was.
func TestRoutesOfAJSONConfigMatchAsBefore(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("users.json", hygieneUsers)
	endpoint := `{"handler": "token_endpoint", "allow_http": true, "users": [{"source": "json", "path": "` + s.Dir + `/users.json"}], "clients": [{"source": "inline", "clients": [{"id": "web", "public": true}]}]}`
	proxy := app.In(`{"handler": "reverse_proxy", "upstreams": [{"dial": "%APP%"}]}`)
	const check = `{"handler": "bearer_auth", "match": [{"path": ["/checked*"]}], "copy_claims": [{"claim": "sub", "header": "X-User"}]}`
	for _, test := range []struct {
		name, first string
		matches     []string // paths of requests to which the first route answers; others go to the app
	}{
		{"no match", `{"handle": [{"handler": "headers"}]}`, nil},
		{"an empty list", `{"match": [], "handle": [{"handler": "headers"}]}`, nil},
		{"an empty set", `{"match": [{}], "handle": [{"handler": "static_response", "body": "first"}]}`, []string{"/a", "/b"}},
		{"one set", `{"match": [{"path": ["/a"]}], "handle": [{"handler": "static_response", "body": "first"}]}`, []string{"/a"}},
		{"two sets", `{"match": [{"path": ["/a"]}, {"path": ["/b"]}], "handle": [{"handler": "static_response", "body": "first"}]}`, []string{"/a", "/b"}},
		{"a set of two", `{"match": [{"path": ["/a"], "method": ["POST"]}], "handle": [{"handler": "static_response", "body": "first"}]}`, nil},
		{"a set that matches nothing", `{"match": [{"path": []}], "handle": [{"handler": "static_response", "body": "first"}]}`, nil},
		{"a group", `{"group": "g", "match": [{"path": ["/a"]}], "handle": [{"handler": "static_response", "body": "first"}]}`, []string{"/a"}},
		{"no handlers", `{"match": [{"path": ["/a"]}]}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			port := harness.FreePort(t)
			config := `{"admin": {"disabled": true, "config": {"persist": false}}, "logging": {"logs": {"default": {"writer": {"output": "discard"}}}}, "storage": {"module": "file_system", "root": "` + s.Dir + `/storage"}, "apps": {"http": {"servers": {"edge": {
				"listen": ["127.0.0.1:` + strconv.Itoa(port) + `"],
				"routes": [` + test.first + `, {"handle": [` + proxy + `]}, {"handle": [` + endpoint + `, ` + check + `]}],
				"errors": {"routes": [{"match": [{"path": ["/none"]}], "handle": [{"handler": "headers"}]}, {"handle": [` + proxy + `]}]}
			}}}}}`
			if err := s.Load([]byte(config)); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/a", "/b"} {
				a := at(s, port, "localhost", "GET", path)
				want := "app"
				for _, matching := range test.matches {
					if matching == path {
						want = "first"
					}
				}
				if want == "first" {
					if string(a.Body) != "first" || len(app.Take()) > 0 {
						t.Errorf("%s: %d %s", path, a.Status, a.Body)
					}
					continue
				}
				received := app.One(t)
				received.WantIdentity(t, "X-User", "")
				if len(received.Identity("X-Email")) == 0 {
					t.Error("a header of no copy_claims is gone")
				}
			}
			at(s, port, "localhost", strings.Repeat("X", 33), "/a")
			app.One(t).WantIdentity(t, "X-User", "")
		})
	}
}

// I21: a placeholder of a user is never taken for a name, whatever becomes of the
// request.
func TestPlaceholdersWithoutAUserAreEmpty(t *testing.T) {
	for name, handlers := range map[string]string{
		"optional":  "bearer_auth {\noptional\n}\n",
		"shadow":    "bearer_auth {\nshadow\n}\n",
		"unmatched": "bearer_auth /closed*\n",
		"refused":   "bearer_auth\nhandle_errors {\nreverse_proxy %APP% {\nheader_up X-Test \"{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.email}|{http.auth.user.exp}|{http.auth.user.}\"\n}\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s, app := startHygiene(t, "hyphens", handlers+"reverse_proxy %APP% {\nheader_up X-Test \"{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.email}|{http.auth.user.exp}|{http.auth.user.}\"\n}\n")
			s.Do(s.Request(http.MethodGet, "/", ""))
			if got := app.One(t).Header.Get("X-Test"); got != "||||" {
				t.Errorf("the app receives %q", got)
			}
		})
	}
	t.Run("a claim that the user lacks", func(t *testing.T) {
		s, app := startHygiene(t, "hyphens", "bearer_auth\nreverse_proxy %APP% {\nheader_up X-Test \"{http.auth.user.id}|{http.auth.user.email}|{http.auth.user.groups}|{http.auth.user.exp}\"\n}\n")
		for user, want := range map[string]string{"alice": "alice|alice@example.com||", "bob": "u-2|||"} {
			s.Do(s.Request(http.MethodGet, "/", "", harness.Bearer(s.Token(user))))
			if got := app.One(t).Header.Get("X-Test"); got != want {
				t.Errorf("for %s the app receives %q, want %q", user, got, want)
			}
		}
	})
}
