package login

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestAttributesOfTheCookie(t *testing.T) {
	for _, test := range []struct {
		name, page, host, scheme, form string
		want                           string
	}{
		{"over HTTP it ends with the browser", "", "", "http", "", "grant-default=V; Path=/; HttpOnly; SameSite=Lax"},
		{"over HTTPS it is of the host alone", "", "app.example.com", "https", "", "__Host-grant-default=V; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"a domain over HTTPS", "cookie_domain example.com", "app.example.com", "https", "", "__Secure-grant-default-example.com=V; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{"a domain in capitals", "cookie_domain Example.COM", "app.example.com", "https", "", "__Secure-grant-default-example.com=V; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{"a domain over HTTP", "cookie_domain example.com", "example.com", "http", "", "grant-default-example.com=V; Path=/; Domain=example.com; HttpOnly; SameSite=Lax"},
		{"a name", "cookie_name mine", "", "http", "", "mine=V; Path=/; HttpOnly; SameSite=Lax"},
		{"a name over HTTPS", "cookie_name mine", "a.example", "https", "", "__Host-mine=V; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"a name with a domain", "cookie_name mine\ncookie_domain example.com", "b.example.com", "https", "", "__Secure-mine=V; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{"the box is ticked", "remember 30d", "", "http", "on", "grant-default=V; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"},
		{"the box is not ticked", "remember 30d", "", "http", "", "grant-default=V; Path=/; HttpOnly; SameSite=Lax"},
		{"there is no box", "", "", "http", "on", "grant-default=V; Path=/; HttpOnly; SameSite=Lax"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := startPage(t, lines{page: test.page, server: "allow_http"})
			b := newTab(t, s)
			b.scheme = test.scheme
			if test.host != "" {
				b.host = test.host
			}
			a := b.login("alice", "remember", test.form)
			if got := setCookies(a); !slices.Equal(got, []string{test.want}) {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
			if got := len(a.Header.Get("Set-Cookie")); got > 700 {
				t.Errorf("the cookie has %d bytes", got)
			}
			if got := a.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("the answer with the cookie is %q to caches", got)
			}
			b.wantUser("alice")
		})
	}
}

// A cookie counts as absent unless it is as the server sealed it, in its place.
func TestCookiesThatAreNotOfThisPlace(t *testing.T) {
	s, app := startPage(t, lines{server: "allow_http"})
	b := loggedIn(t, s, "alice")
	value := b.value()
	flip := func(i int) string {
		c := byte('A')
		if value[i] == c {
			c = 'B'
		}
		return value[:i] + string(c) + value[i+1:]
	}
	rows := map[string]string{
		"empty": "grant-default=", "no value at all": "grant-default", "one character": "grant-default=A",
		"its end cut":                    "grant-default=" + value[:len(value)-1],
		"half of it":                     "grant-default=" + value[:len(value)/2],
		"its beginning cut":              "grant-default=" + value[1:],
		"a nonce alone":                  "grant-default=" + value[:32],
		"twice":                          "grant-default=" + value + value,
		"a character more":               "grant-default=" + value + "A",
		"padded":                         "grant-default=" + value + "=",
		"quoted":                         `grant-default="` + value + `"`,
		"in capitals":                    "grant-default=" + strings.ToUpper(value),
		"a name in capitals":             "GRANT-DEFAULT=" + value,
		"the name for HTTPS":             "__Host-grant-default=" + value,
		"the name for a domain":          "__Secure-grant-default=" + value,
		"the name of another server":     "grant-other=" + value,
		"very long":                      "grant-default=" + strings.Repeat("A", 9000),
		"a JSON":                         `grant-default={"sub":"alice"}`,
		"a JWT without signature":        "grant-default=eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.",
		"its name in percents":           "grant%2Ddefault=" + value,
		"a line break in it, in percent": "grant-default=" + value[:9] + "%0a" + value[9:],
	}
	for _, i := range []int{0, 16, 31, 32, 40, len(value) / 2, len(value) - 20, len(value) - 2} {
		rows[fmt.Sprintf("character %d flipped", i)] = "grant-default=" + flip(i)
	}
	app.Take()
	for name, cookie := range rows {
		t.Run(name, func(t *testing.T) {
			alone := newTab(t, s).with(cookie)
			if got := alone.user(); got != "401" {
				t.Errorf("alone: %s", got)
			}
			if got := sent(alone.open("/x")); got != page+"?return_to=%2Fx" {
				t.Errorf("alone, a navigation: %s", got)
			}
			if app.Reached() {
				t.Error("the app was reached")
			}
			for _, beside := range [][]string{{cookie, "grant-default=" + value}, {"grant-default=" + value, cookie}} {
				if got := newTab(t, s).with(beside...).user(); got != "alice" {
					t.Errorf("beside a good one: %s", got)
				}
			}
			app.Take()
		})
	}
	t.Run("a good one of another host", func(t *testing.T) {
		newTab(t, s).with(b.cookies...).at("127.0.0.1").wantUser("401")
		newTab(t, s).with(b.cookies...).at("app.example.com").wantUser("401")
	})
	t.Run("a good one of the same host at another port, in capitals, with a dot", func(t *testing.T) {
		for _, host := range []string{"localhost", "LOCALHOST:1", "localhost.", "Localhost.:8080"} {
			newTab(t, s).with(b.cookies...).at(host).wantUser("alice")
		}
	})
	t.Run("beside as many bad ones as a browser keeps", func(t *testing.T) {
		var many []string
		for i := range 180 {
			many = append(many, fmt.Sprintf("grant-default=%s%d", value[:40], i))
		}
		newTab(t, s).with(append(many, "grant-default="+value)...).wantUser("alice")
	})
}

func TestSeveralGoodCookies(t *testing.T) {
	s, _ := startPage(t, lines{})
	alice, again, bob := loggedIn(t, s, "alice"), loggedIn(t, s, "alice"), loggedIn(t, s, "bob")
	t.Run("the same one twice is one", func(t *testing.T) {
		alice.with(alice.cookies[0], alice.cookies[0]).wantUser("alice")
	})
	for name, two := range map[string][]string{
		"of two users":                     {alice.cookies[0], bob.cookies[0]},
		"of two users, the other first":    {bob.cookies[0], alice.cookies[0]},
		"of two sessions of one user":      {alice.cookies[0], again.cookies[0]},
		"of two users beside a broken one": {alice.cookies[0], "grant-default=x", bob.cookies[0]},
	} {
		t.Run(name+" are nobody's, and cleared", func(t *testing.T) {
			b := newTab(t, s).with(two...)
			a := b.fetch("GET", "/app")
			if userOf(a) != "401" || len(b.cookies) != 0 {
				t.Errorf("got %d %q", a.Status, setCookies(a))
			}
			b = newTab(t, s).with(two...)
			if a := b.open("/app"); a.Status != 303 || len(b.cookies) != 0 {
				t.Errorf("got %d %q", a.Status, setCookies(a))
			}
			b = newTab(t, s).with(two...)
			if a := b.open(page); a.Status != 200 || len(b.cookies) != 0 || !strings.Contains(string(a.Body), "password") {
				t.Errorf("the page: got %d %q", a.Status, setCookies(a))
			}
		})
	}
	t.Run("a session that ended beside a good one is nothing", func(t *testing.T) {
		ended := loggedIn(t, s, "bob")
		old := ended.cookies[0]
		ended.submit(logout, "").Want(t, 200, "")
		alice.with(old, alice.cookies[0]).wantUser("alice")
		alice.with(alice.cookies[0], old).wantUser("alice")
	})
}

func TestSeveralGoodCookiesOfADomain(t *testing.T) {
	s, _ := startPage(t, lines{page: "cookie_domain example.com", server: "allow_http"})
	a, b := newTab(t, s), newTab(t, s)
	a.host, b.host = "a.example.com", "b.example.com"
	a.login("alice")
	b.login("bob")
	got := setCookies(a.with(a.cookies[0], b.cookies[0]).fetch("GET", "/app"))
	want := []string{
		"grant-default-example.com=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		"grant-default-example.com=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; SameSite=Lax",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	t.Run("and one login is for all hosts of the domain", func(t *testing.T) {
		for _, host := range []string{"example.com", "c.example.com", "d.c.EXAMPLE.com:8443"} {
			b.at(host).wantUser("u-2")
		}
	})
}

// Two ports of a host share their cookies.
func TestCookiesOfAnotherServer(t *testing.T) {
	app := harness.NewApp(t)
	s := startSite(t, "", app.In(`http://:%PORT% {
	bind 127.0.0.1
	token_endpoint {
		user alice `+harness.HashCheap+`
		login_page {
			cookie_name same
		}
	}
	token_endpoint /other {
		name other
		user alice `+harness.HashCheap+`
		login_page {
			cookie_name same
		}
	}
	bearer_auth /app* {
		copy_claims sub>X-User
	}
	bearer_auth /of-other* other {
		copy_claims sub>X-User
	}
	reverse_proxy %APP%
}
`))
	b := newTab(t, s)
	b.login("alice")
	b.wantUser("alice")
	if got := userOf(b.fetch("GET", "/of-other")); got != "401" {
		t.Errorf("another server takes it: %s", got)
	}
	other := newTab(t, s)
	other.submit("/other/login", credentials("alice"))
	if got := userOf(other.fetch("GET", "/of-other")); got != "alice" {
		t.Errorf("its own server does not take it: %s", got)
	}
	other.wantUser("401")
	t.Run("beside a good one it is nothing", func(t *testing.T) {
		both := newTab(t, s).with(other.cookies[0], b.cookies[0])
		both.wantUser("alice")
		if got := userOf(both.fetch("GET", "/of-other")); got != "alice" {
			t.Error(got)
		}
	})
}

// Cookies and tokens are never taken for each other.
func TestACookieIsNotAToken(t *testing.T) {
	s, _ := startPage(t, lines{})
	b := loggedIn(t, s, "alice")
	value := b.value()
	tokens := s.Web().Login(t, "alice")
	stranger := newTab(t, s)
	for name, got := range map[string]string{
		"as a Bearer token":                   stranger.user(harness.Bearer(value)),
		"an access token as the cookie":       stranger.with("grant-default=" + tokens.Access).user(),
		"a refresh token as the cookie":       stranger.with("grant-default=" + tokens.Refresh).user(),
		"a refresh token's random part alone": stranger.with("grant-default=" + tokens.Refresh[10:]).user(),
		"as Basic":                            stranger.user(harness.Basic("alice", value)),
	} {
		if got != "401" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if a := stranger.fetch("GET", "/app?access_token="+value); a.Status != 400 { // as without a login page
		t.Errorf("as access_token in the query: %d", a.Status)
	}
	s.Web().Refresh(value).Want(t, 400, "invalid_grant")
	s.Login("alice", value).Want(t, 400, "invalid_grant")
	for _, token := range []string{value, "grant-default=" + value} {
		if a := s.Web().Introspect(token); a.Status != 200 || a.JSON["active"] != false {
			t.Errorf("introspection: %d %s", a.Status, a.Body)
		}
	}
	s.Post("/token/revoke", s.Web().Form("token", value)).Want(t, 200, "")
	b.wantUser("alice")
	t.Run("a cookie stands for no credentials at the token endpoint", func(t *testing.T) {
		for _, form := range []string{"grant_type=refresh_token", "grant_type=password", "grant_type=password&client_id=login_page"} {
			if a := b.send("POST", "/token", form); a.Status == 200 {
				t.Errorf("%s: %s", form, a.Body)
			}
		}
	})
}
