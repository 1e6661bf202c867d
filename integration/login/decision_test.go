package login

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A token of this server goes first; any other Authorization header is the app's own.
func TestWhichCredentialsDecide(t *testing.T) {
	s, app := startPage(t, lines{server: `
		client short {
			secret           short-secret
			access_token_ttl 5s
		}`})
	alice := loggedIn(t, s, "alice")
	bob := s.Web().Login(t, "bob")
	revoked := s.Web().Login(t, "bob")
	s.Post("/token/revoke", s.Web().Form("token", revoked.Refresh)).Want(t, 200, "")
	foreign := "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ.c2ln"
	for _, test := range []struct {
		name, header, query string
		want                string
		untouched           bool
	}{
		{"none", "", "", "alice", true},
		{"a token of this server", "Bearer " + bob.Access, "", "u-2", false},
		{"one in lower case", "bearer " + bob.Access, "", "u-2", false},
		{"one that was revoked", "Bearer " + revoked.Access, "", "401", false},
		{"a refresh token of this server", "Bearer " + bob.Refresh, "", "401", false},
		{"a JWT of somebody else", "Bearer " + foreign, "", "alice", true},
		{"a token with its signature cut", "Bearer " + bob.Access[:len(bob.Access)-4], "", "alice", true},
		{"an opaque Bearer token", "Bearer abc123", "", "alice", true},
		{"a Bearer without a token", "Bearer", "", "alice", true},
		{"a Bearer with spaces inside", "Bearer a b c", "", "alice", true},
		{"Basic of the app", "Basic YWxpY2U6eA==", "", "alice", true},
		{"Jellyfin's", `MediaBrowser Client="Web", Token="x"`, "", "alice", true},
		{"Digest", `Digest username="x"`, "", "alice", true},
		{"Negotiate", "Negotiate YII=", "", "alice", true},
		{"a scheme alone", "Token", "", "alice", true},
		{"SignalR's query", "", "?access_token=abc", "alice", true},
		{"SignalR's query with a JWT", "", "?id=1&access_token=" + foreign, "alice", true},
		{"an empty one in the query", "", "?access_token=", "alice", true},
		{"a token of this server beside one in the query", "Bearer " + bob.Access, "?access_token=abc", "400", false},
		{"a refresh token of this server beside one in the query", "Bearer " + bob.Refresh, "?access_token=abc", "400", false},
		{"one that was revoked beside one in the query", "Bearer " + revoked.Access, "?access_token=abc", "400", false},
		{"one in the query beside a foreign header", "Bearer abc", "?access_token=abc", "alice", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			app.Take()
			b := newTab(t, s).with(alice.cookies...)
			a := b.fetch("GET", "/app"+test.query, "Authorization: "+test.header)
			if got := userOf(a); got != test.want {
				t.Fatalf("got %s, want %s (%s)", got, test.want, s.LastReason())
			}
			if strings.HasPrefix(test.want, "4") {
				if app.Reached() {
					t.Error("the app was reached")
				}
				return
			}
			seen := app.One(t)
			if test.untouched {
				want := []string{test.header}
				if test.header == "" {
					want = nil
				}
				if got := seen.Header["Authorization"]; !slices.Equal(got, want) {
					t.Errorf("the app gets the Authorization %q, want %q", got, want)
				}
			} else if got := seen.Header["Authorization"]; got != nil {
				t.Errorf("the app gets the token: %q", got)
			}
			if seen.URI != "/app"+test.query {
				t.Errorf("the app gets %s", seen.URI)
			}
		})
	}
	t.Run("without a good cookie all is as without a page", func(t *testing.T) {
		for header, want := range map[string]int{
			"Bearer abc": 401, "Basic YWxpY2U6eA==": 401, `MediaBrowser Token="x"`: 401, "": 401, "Bearer a b": 400,
		} {
			for _, cookies := range [][]string{nil, {"grant-default=x"}} {
				a := newTab(t, s).with(cookies...).fetch("GET", "/app", "Authorization: "+header)
				if a.Status != want || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer realm=") {
					t.Errorf("%q: %d %q", header, a.Status, a.Header.Get("WWW-Authenticate"))
				}
			}
		}
	})
}

func TestOptionalAndShadow(t *testing.T) {
	app := harness.NewApp(t)
	s := startSite(t, "", app.In(lines{}.in(pageSite)+`
http://optional.localhost:%PORT% {
	bind 127.0.0.1
	bearer_auth {
		optional
		copy_claims sub>X-User
	}
	reverse_proxy %APP%
}
http://shadow.localhost:%PORT% {
	bind 127.0.0.1
	bearer_auth {
		shadow
		copy_claims sub>X-User
	}
	reverse_proxy %APP%
}
`))
	good := func(t *testing.T, host string) *tab {
		b := newTab(t, s).at(host)
		b.login("alice")
		return b
	}
	t.Run("a good cookie passes an optional check with its user", func(t *testing.T) {
		good(t, "optional.localhost").wantUser("alice")
	})
	for name, cookie := range map[string]func(t *testing.T, host string) []string{
		"none":   func(*testing.T, string) []string { return nil },
		"broken": func(*testing.T, string) []string { return []string{"grant-default=x"} },
		"revoked": func(t *testing.T, host string) []string {
			b := good(t, host)
			kept := b.cookies
			b.submit(logout, "").Want(t, 200, "")
			return kept
		},
		"of another host": func(t *testing.T, host string) []string { return good(t, "else.localhost").cookies },
		"two good ones": func(t *testing.T, host string) []string {
			return append(good(t, host).cookies, good(t, host).cookies...)
		},
	} {
		for _, host := range []string{"optional.localhost", "shadow.localhost"} {
			t.Run(name+" at "+host+" is anonymous", func(t *testing.T) {
				b := newTab(t, s).at(host).with(cookie(t, host)...)
				app.Take()
				if a := b.open("/app"); a.Status != 200 || userOf(a) != "<nil>" {
					t.Errorf("a navigation: got %d, user %s", a.Status, userOf(a))
				}
				b.wantUser("<nil>")
				b.with(append(b.cookies, "x=y")...).fetch("POST", "/app").Want(t, 200, "")
				for _, seen := range app.Take() {
					if seen.Header.Get("X-User") != "" || strings.Contains(seen.Header.Get("Cookie"), "grant") {
						t.Errorf("the app got %v", seen.Header)
					}
				}
			})
		}
	}
	t.Run("shadow lets a good cookie pass without a user, and sends nobody to the form", func(t *testing.T) {
		b := good(t, "shadow.localhost")
		b.wantUser("<nil>")
		if a := b.open("/app"); a.Status != 200 {
			t.Error(a.Status)
		}
	})
	t.Run("the page answers behind both", func(t *testing.T) {
		for _, host := range []string{"optional.localhost", "shadow.localhost"} {
			if a := newTab(t, s).at(host).open(page); a.Status != 200 || !strings.Contains(string(a.Body), `name="password"`) {
				t.Errorf("%s: %d", host, a.Status)
			}
		}
	})
	t.Run("a bad Bearer token is refused by optional as before", func(t *testing.T) {
		newTab(t, s).at("optional.localhost").fetch("GET", "/app", "Authorization: Bearer x").Want(t, 401, "")
	})
}

// A browser with a session is never sent to the form.
func TestASessionThatMayNot(t *testing.T) {
	app := harness.NewApp(t)
	site := strings.Replace(lines{server: "audience https://api.example.com", routes: `
	bearer_auth /write* {
		scopes read write
	}
	bearer_auth /elsewhere* {
		audience https://elsewhere.example
	}
	bearer_auth /both* {
		audience https://elsewhere.example https://api.example.com
	}`}.in(pageSite), "%CHECK%", "", 1)
	s := startSite(t, "", app.In(site))
	bob, alice := loggedIn(t, s, "bob"), loggedIn(t, s, "alice")
	if got := userOf(alice.fetch("GET", "/write")); got != "alice" {
		t.Errorf("a session with the scopes: %s", got)
	}
	if got := userOf(bob.fetch("GET", "/both")); got != "u-2" {
		t.Errorf("a resource with the server's audience among others: %s", got)
	}
	app.Take()
	for _, test := range []struct{ name, path, words, challenge string }{
		{"a scope that the user lacks", "/write", "permissions: <code>write</code>", `Bearer realm="default", error="insufficient_scope", scope="read write"`},
		{"an audience that the server has not", "/elsewhere", "not valid for this page", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			bob := newTab(t, s).with(bob.cookies...)
			nav := bob.open(test.path)
			if nav.Status != http.StatusForbidden || !strings.Contains(nav.Header.Get("Content-Type"), "text/html") || !strings.Contains(string(nav.Body), test.words) {
				t.Errorf("a navigation: %d %s", nav.Status, nav.Body)
			}
			if nav.Header.Get("Cache-Control") != "no-store" || nav.Header.Get("Location") != "" {
				t.Errorf("a navigation: %v", nav.Header)
			}
			api := bob.fetch("GET", test.path)
			if api.Status != http.StatusForbidden || strings.Contains(api.Header.Get("Content-Type"), "html") || api.Header.Get("WWW-Authenticate") != test.challenge {
				t.Errorf("a fetch: %d %v", api.Status, api.Header)
			}
			if post := bob.submit(test.path, "x=y"); post.Status != http.StatusForbidden {
				t.Errorf("a form: %d", post.Status)
			}
			if app.Reached() {
				t.Error("the app was reached")
			}
			bob.wantUser("u-2")
			app.Take()
		})
	}
}
