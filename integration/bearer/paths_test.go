package bearer

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// pathsEndpoint is the server of the sites here: alice may have the scope root, bob may
// not.
const pathsEndpoint = `	token_endpoint {
		client web {
			secret web-secret
			scopes read root
		}
		user alice ` + harness.HashCheap + `
		user bob ` + harness.HashCheap + ` {
			scopes read
		}
	}
`

func pathsSite(app *rawApp, handlers string) string {
	return "http://:%PORT% {\n\tbind 127.0.0.1\n" + pathsEndpoint + app.in(handlers) + "\treverse_proxy " + app.listener.Addr().String() + "\n}\n"
}

// serveFresh serves another config on another port: the listener of the one before, as
// it closes, may reset what it has accepted.
func serveFresh(s *harness.Site, sites string) {
	s.T.Helper()
	s.Port = harness.FreePort(s.T)
	s.Reload("", sites)
}

// pathCase is a request by its first line, and how it ends without a token.
type pathCase struct {
	line string // without the version
	open bool
}

// wantEach sends each request with these headers, and fails the test where one gets to
// the app that must not, or the app gets another line than was sent.
func wantEach(t *testing.T, s *harness.Site, app *rawApp, cases []pathCase, headers ...string) {
	t.Helper()
	for _, c := range cases {
		app.take()
		a := s.Exchange(c.line + " HTTP/1.1\r\n" + strings.Join(append([]string{"Host: " + s.Address(), "Connection: close"}, headers...), "\r\n") + "\r\n\r\n")
		seen := app.take()
		switch {
		case c.open && (a.Status != 200 || len(seen) != 1 || seen[0].line != sentOn(c.line)+" HTTP/1.1"):
			t.Errorf("%.99s is not open: %d, the app got %.99v", c.line, a.Status, seen)
		case !c.open && len(seen) > 0:
			t.Errorf("%s got to the app, which read %s", c.line, seen[0].line)
		case !c.open && (a.Status < 400 || a.Status > 403):
			t.Errorf("%s: %d", c.line, a.Status)
		}
	}
}

// sentOn is a request line as the proxy writes it: without the origin of the absolute
// form.
func sentOn(line string) string {
	if method, rest, ok := strings.Cut(line, " http://"); ok {
		_, path, _ := strings.Cut(rest, "/")
		return method + " /" + path
	}
	return line
}

func TestNoWayAroundAMatcherThatNamesWhatIsOpen(t *testing.T) {
	app, s := newRawApp(t), harness.NewSite(t)
	for name, matcher := range map[string]string{
		"path":        "@closed not path /healthz /assets/*",
		"path_regexp": "@closed not path_regexp ^/(healthz$|assets/)",
		"CEL":         "@closed expression `!(path('/healthz') || path('/assets/*'))`",
		"placeholder": "@closed expression `!({path} == '/healthz' || {path}.startsWith('/assets/'))`",
		"vars":        "@closed not vars_regexp {path} ^/(healthz$|assets/)",
	} {
		t.Run(name, func(t *testing.T) {
			s := s.For(t)
			serveFresh(s, pathsSite(app, "\t"+matcher+"\n\tbearer_auth @closed\n"))
			var cases []pathCase
			for _, line := range harness.WaysAroundAnOpenPath {
				cases = append(cases, pathCase{line, false})
			}
			for _, line := range []string{
				"GET /healthz", "GET /healthz?x=/../admin", "GET /assets/a..b.js", "GET /assets/x;v=1", "GET /assets/x", "HEAD /assets/", "GET /assets/.hidden", "GET /assets/a%20b.js", "GET http://other.example/healthz",
				"GET /assets/caf%C3%A9.js", "GET /assets/a%2Fb", "GET /assets/a%3Fb", "GET /assets/%2e%2eb",
			} {
				if line != "HEAD /assets/" {
					cases = append(cases, pathCase{line, true})
				}
			}
			wantEach(t, s, app, cases)
			wantEach(t, s, app, []pathCase{{"GET /contacts/7", true}, {"GET /contacts/a%2Fb;v=1", true}}, harness.Bearer(s.Token("bob")))
		})
	}
}

// waysIntoAdmin are requests that some app takes for one below /admin, and Caddy's path
// matcher for something else, or for the same.
var waysIntoAdmin = []string{
	"DELETE /admin/7", "DELETE /admin/users/..%2f..%2f..%2f7", "GET /admin;v=1/7", "GET /%2561dmin/7", "GET /admin%20/7", "GET //admin/7", "GET //x/admin/7", "GET ///x/admin/7", "GET /%2fx/admin/7", "GET /%5cx/admin/7", "GET /%252fx%252fadmin/7", "GET /ad%c2%admin/7", "GET /admin%00/7", "GET /admin%5c7", `GET /admin\7`,
	"GET /./admin/7", "GET /x/../admin/7", "GET /x/..;/admin/7", "GET /ADMIN/7", "GET /admin./7", "GET /%61dmin/7", "GET /admin%2f7", "GET /admin%252f7", "GET /%252561dmin/7", "GET /admin%c0%af7", "GET /admin%09/7", "GET /%20admin/7",
	"GET http://other.example/admin/7", "GET http://other.example/admin;x/7", "GET http://other.example//x/admin/7", "GET /admin%3b/7", "GET /admin%253b/7", "GET /admin;/7", "GET /%5cadmin%5c7", "GET /x%2f..%2fadmin%2f7",
	"GET /admin%20;v=1/7", "GET /admin;v=1%20/7", "GET /admin%c2%a0/7", "GET /admin%e2%80%8b/7", "GET /admin%ff/7", "GET /ad%00min/7", "GET /%25u0061dmin/7", "GET /admin/7%00.js", "GET /admin/..;/x", "GET /x/%2e%2e/admin/7", "GET x:admin/7",
	"GET /admin%0a/7", "GET /admin%2f%2f7", "GET /admin%25%32%66" + "7", "GET /admin/%2e%2e/x", "GET /ADMIN;x/7", "GET /Admin%20/7", "POST /admin%20./7", "GET /%E0%81%A1dmin/7",
}

// notInAdmin are requests that no app takes for such.
var notInAdmin = []string{
	"GET /assets/a..b.js", "GET /assets/x;v=1", "GET /projects/a%2Fb", "PUT /queues/%2F/q", "GET /@a%2fb", "GET /administrator/7", "GET /x/admin/7", "GET /contacts/7;admin/7", "GET /a%20b", "GET /?x=/admin/7", "GET /projects/a%2Fadmin%2F7",
	"GET /caf%C3%A9", "GET /100%25", "GET /a%2525b", "GET /x%3Fadmin/7", "GET /compare/main...feature", "GET /.well-known/x", "GET /x./admin/7",
}

func TestNoWayAroundAMatcherThatNamesWhatIsClosed(t *testing.T) {
	app, s := newRawApp(t), harness.NewSite(t)
	for name, directive := range map[string]string{
		"path":        "bearer_auth /admin/* {\n\t\tscopes root\n\t}\n",
		"path_regexp": "@admin path_regexp (?i)^/admin/\n\tbearer_auth @admin {\n\t\tscopes root\n\t}\n",
		"CEL":         "@admin expression `path('/admin/*')`\n\tbearer_auth @admin {\n\t\tscopes root\n\t}\n",
		"placeholder": "@admin expression `{uri}.matches('(?i)^/admin/')`\n\tbearer_auth @admin {\n\t\tscopes root\n\t}\n",
		"not not":     "@admin not {\n\t\tnot path /admin/*\n\t}\n\tbearer_auth @admin {\n\t\tscopes root\n\t}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := s.For(t)
			serveFresh(s, pathsSite(app, "\tbearer_auth\n\t"+directive))
			var into, elsewhere []pathCase
			for _, line := range waysIntoAdmin {
				into = append(into, pathCase{line, false})
			}
			for _, line := range notInAdmin {
				elsewhere = append(elsewhere, pathCase{line, true})
			}
			root, narrow := harness.Bearer(s.Token("alice")), harness.Bearer(s.Token("bob"))
			wantEach(t, s, app, into, narrow)
			wantEach(t, s, app, elsewhere, narrow)
			wantEach(t, s, app, []pathCase{{"GET /admin/7", true}, {"GET /admin;v=1/7", true}, {"GET /%2561dmin/7", true}, {"GET /admin/a%2Fb", true}}, root)
		})
	}
}

// What has nothing to do with the path is asked as before, and the path is the
// request's own again afterwards.
func TestReadingsLeaveTheRestOfAMatcherAlone(t *testing.T) {
	app := newRawApp(t)
	s := harness.Start(t, pathsSite(app, `
	@admin {
		path_regexp admin ^/admin(;[^/]*)?/(.*)$
		method DELETE
		host 127.0.0.1
	}
	bearer_auth @admin
	@captured header X-Ask captured
	handle @captured {
		respond "{re.admin.2} {path} {uri}"
	}
`))
	token := harness.Bearer(s.Token("bob"))
	wantEach(t, s, app, []pathCase{{"DELETE /admin;v=1/7", false}, {"DELETE /admin%20/7", false}, {"GET /admin%20/7", true}, {"GET /admin/7", true}})
	wantEach(t, s, app, []pathCase{{"DELETE /admin%20/7", true}, {"DELETE /admin;v=1/7", true}, {"DELETE /%2561dmin/7?a=b", true}}, token)
	a := s.Exchange(s.Spelled("DELETE", "/admin;v=1/a%2Fb?c=d", token, "X-Ask: captured"))
	if want := "a/b /admin;v=1/a/b /admin;v=1/a%2Fb?c=d"; string(a.Body) != want {
		t.Errorf("the next handler has %q, want %q", a.Body, want)
	}
}

// A dot segment is not a bad request where the path does not matter, and shadow only
// reports it.
func TestDotSegments(t *testing.T) {
	app, s := newRawApp(t), harness.NewSite(t)
	const dots = "GET /a/../b"
	for _, test := range []struct {
		name, directive string
		status          int
	}{
		{"without a matcher it is checked", "bearer_auth", 401},
		{"where the matcher asks for a check it is checked", "bearer_auth /b", 401},
		{"else it is a bad request", "bearer_auth /c*", 400},
		{"also where a check is optional", "bearer_auth /c* {\n\t\toptional\n\t}", 400},
		{"with open alone it is checked", "bearer_auth {\n\t\topen /b\n\t}", 401},
		{"shadow lets it pass", "bearer_auth /c* {\n\t\tshadow\n\t}", 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s.For(t)
			serveFresh(s, pathsSite(app, "\t"+test.directive+"\n"))
			app.take()
			a := s.Exchange(dots + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if got := len(app.take()) > 0; a.Status != test.status || got != (test.status == 200) {
				t.Errorf("got %d, the app has it: %v", a.Status, got)
			}
			if challenge := a.Header.Get("WWW-Authenticate"); test.status == 400 && challenge != `Bearer realm="default", error="invalid_request"` {
				t.Errorf("the challenge is %s", challenge)
			}
			if test.status == 400 || test.status == 200 {
				if got := s.LastReason(); got != "the path has a dot segment" {
					t.Errorf("the log says %q", got)
				}
			}
		})
	}
	t.Run("a path with more readings than anyone means is a bad request", func(t *testing.T) {
		s := s.For(t)
		serveFresh(s, pathsSite(app, "\tbearer_auth /c*\n"))
		wantEach(t, s, app, []pathCase{
			{"GET /%" + strings.Repeat("25", 200) + "61", false},
			{"GET //x%20;a/%2520." + strings.Repeat("%20%252525253b%255c%00%3f%23", 3), false}, {"GET /" + strings.Repeat("%D1%84", 1000), true},
		})
	})
}

// What is named by open needs no token, and nothing else does without.
func TestOpenPaths(t *testing.T) {
	app, s := newRawApp(t), harness.NewSite(t)
	opened := []string{
		"GET /healthz", "POST /healthz?x=/admin", "GET /assets", "GET /assets/x;v=1", "GET /assets/a..b.js", "GET /assets/", "GET http://other.example/assets/x", "GET /%D1%84/x", "GET /%d1%84", "GET /assets/%C3%A9;v=1", "GET /assets/.x/y",
	}
	closed := append([]string{
		"GET /HEALTHZ", "GET /healthz/", "GET /healthz;x", "GET /healthz%20", "GET /healthz%00", "GET /healthz.", "GET /%68ealthz", "GET //healthz", "GET /healthz%3fx", "GET /assetsx", "GET /Assets/x", "GET /assets//x", "GET /assets/x.", "GET /assets/x%20y",
		"GET /assets/a%2Fb", "GET /assets;v=1/x", "GET /assets/;v=1", "GET /assets/.;x", "GET /assets/%5Bx%5D", "GET /assets%2fx", "GET /", "GET /%D1%84%20", "GET http://other.example", "GET /assets/%EF%BC%8F", "GET /x/assets/y", "CONNECT /contacts",
	}, harness.WaysAroundAnOpenPath...)
	for name, directive := range map[string]string{
		"alone":          "bearer_auth {\n\t\topen /healthz /assets/*\n\t\topen /ф/*\n\t}\n",
		"with a matcher": "@all not path /nothing\n\tbearer_auth @all {\n\t\topen /healthz /assets/* /ф/*\n\t}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := s.For(t)
			serveFresh(s, pathsSite(app, "\t"+directive))
			var cases []pathCase
			for _, line := range opened {
				cases = append(cases, pathCase{line, true})
			}
			for _, line := range closed {
				cases = append(cases, pathCase{line, false})
			}
			wantEach(t, s, app, cases)
			wantEach(t, s, app, []pathCase{{"GET /contacts", true}, {"GET /healthz", true}, {"GET /assets//x", true}}, harness.Bearer(s.Token("bob")))
		})
	}

	t.Run("goes by the path that the next handler gets", func(t *testing.T) {
		s := s.For(t)
		serveFresh(s, pathsSite(app, `
	rewrite /old /healthz
	rewrite /healthz /contacts
	handle_path /v1/* {
		bearer_auth {
			open /healthz
		}
		reverse_proxy %APP%
	}
	handle {
		bearer_auth {
			open /healthz
		}
		reverse_proxy %APP%
	}
`))
		for line, want := range map[string]string{
			"GET /v1/healthz": "GET /healthz HTTP/1.1", "GET /v1/contacts": "", "GET /v1/v1/healthz": "", "GET /old": "GET /healthz HTTP/1.1", "GET /healthz": "", "GET http://other.example/v1/healthz": "GET /healthz HTTP/1.1",
		} {
			app.take()
			s.Exchange(line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			got := ""
			if seen := app.take(); len(seen) > 0 {
				got = seen[0].line
			}
			if got != want {
				t.Errorf("%s: the app got %q, want %q", line, got, want)
			}
		}
	})
}

// An open path is not for the identity that the client claims to have.
func TestOpenPathsHaveNoIdentity(t *testing.T) {
	s, app := startHygiene(t, "hyphens", "\tbearer_auth {\n\t\topen /healthz\n\t\tcopy_claims sub>X-User\n\t}\n\treverse_proxy %APP%\n")
	s.Exchange(s.Spelled("GET", "/healthz", harness.Bearer(s.Token("alice")), "X-User: admin", "x_user: admin"))
	received := app.One(t)
	received.WantIdentity(t, "X-User", "")
	if received.Header.Get("Authorization") == "" {
		t.Error("a request that is not checked has lost its Authorization header")
	}
}
