package login

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestLoggingOut(t *testing.T) {
	for _, test := range []struct{ name, page, want string }{
		{"shows a page", "", "200"}, {"goes on to a path", "after_logout /goodbye?from=here", "/goodbye?from=here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := startPage(t, lines{page: test.page})
			b := loggedIn(t, s, "alice")
			kept := b.cookies
			if a := b.open(logout); a.Status != 200 || !strings.Contains(string(a.Body), `method="post"`) || !strings.Contains(string(a.Body), "alice") {
				t.Errorf("GET: %d %s", a.Status, a.Body)
			}
			b.wantUser("alice")
			a := b.submit(logout, "")
			if got := sent(a); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := a.Header["Clear-Site-Data"]; !slices.Equal(got, []string{`"cache"`}) {
				t.Errorf("Clear-Site-Data: %q", got)
			}
			if got := setCookies(a); !slices.Equal(got, []string{"grant-default=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"}) || len(b.cookies) > 0 {
				t.Errorf("the cookie is not cleared: %q", got)
			}
			b.wantUser("401")
			newTab(t, s).with(kept...).wantUser("401")
			if a := newTab(t, s).with(kept...).open(page); !isForm(a) {
				t.Errorf("the page takes the old cookie: %d", a.Status)
			}
			t.Run("twice, and without a session", func(t *testing.T) {
				for _, cookies := range [][]string{kept, nil, {"grant-default=x"}} {
					if a := newTab(t, s).with(cookies...).submit(logout, ""); sent(a) != test.want {
						t.Errorf("%q: %d", cookies, a.Status)
					}
				}
			})
			t.Run("a script's POST without a body", func(t *testing.T) {
				b := loggedIn(t, s, "alice")
				if a := b.fetch("POST", logout); sent(a) != test.want {
					t.Errorf("got %d", a.Status)
				}
				b.wantUser("401")
			})
			t.Run("other sessions of the user go on", func(t *testing.T) {
				other, tokens := loggedIn(t, s, "alice"), s.Web().Login(t, "alice")
				loggedIn(t, s, "alice").submit(logout, "")
				other.wantUser("alice")
				s.Web().Refreshed(t, tokens.Refresh)
			})
			t.Run("of two cookies, both sessions", func(t *testing.T) {
				one, two := loggedIn(t, s, "alice"), loggedIn(t, s, "bob")
				newTab(t, s).with(one.cookies[0], two.cookies[0]).submit(logout, "")
				one.wantUser("401")
				two.wantUser("401")
			})
		})
	}
}

// A login over a live session ends that one, whoever it was of.
func TestALoginOverASession(t *testing.T) {
	s, _ := startPage(t, lines{})
	for _, next := range []string{"alice", "bob"} {
		b := loggedIn(t, s, "alice")
		former := b.cookies[0]
		b.login(next)
		if b.cookies[0] == former {
			t.Error("the cookie is the same")
		}
		newTab(t, s).with(former).wantUser("401")
		b.wantUser(map[string]string{"alice": "alice", "bob": "u-2"}[next])
	}
	t.Run("a login that fails ends nothing", func(t *testing.T) {
		b := loggedIn(t, s, "alice")
		b.submit(page, "username=alice&password=x").Want(t, 401, "")
		b.wantUser("alice")
	})
	t.Run("a planted cookie is not taken over", func(t *testing.T) {
		planted := loggedIn(t, s, "bob")
		victim := newTab(t, s).with(planted.cookies...)
		victim.login("alice")
		victim.wantUser("alice")
		planted.wantUser("401")
	})
}

// However often people log out, they are logged out.
func TestTheBoundOnRevocationsDoesNotStopALogout(t *testing.T) {
	s, _ := startPage(t, lines{})
	for i := range 60 {
		b := loggedIn(t, s, "alice")
		kept := b.cookies
		if a := b.submit(logout, ""); a.Status != 200 {
			t.Fatalf("logout %d: %d %s", i+1, a.Status, a.Body)
		}
		newTab(t, s).with(kept...).wantUser("401")
	}
}

// A storage that is down: the browser is logged out, and told that the server could not
// do its part.
func TestLoggingOutWhileTheStorageIsDown(t *testing.T) {
	s, _ := startPage(t, lines{page: "after_logout /bye"})
	b := loggedIn(t, s, "alice")
	kept := b.cookies
	dir := harness.StorageOf(s)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.wantUser("alice")
	a := b.submit(logout, "")
	if a.Status != 503 || len(b.cookies) > 0 || a.Header.Get("Retry-After") == "" || !strings.Contains(string(a.Body), "could not end the session") || strings.Contains(string(a.Body), "alice") {
		t.Errorf("got %d %v %s", a.Status, a.Header, a.Body)
	}
	t.Run("logins go on, since nothing is written at one", func(t *testing.T) {
		loggedIn(t, s, "bob").wantUser("u-2")
	})
	t.Run("when it is back, the next logout revokes", func(t *testing.T) {
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
		var last harness.Answer
		harness.Eventually(t, "the storage is used again", func() bool {
			last = newTab(t, s).with(kept...).submit(logout, "")
			return sent(last) == "/bye"
		})
		newTab(t, s).with(kept...).wantUser("401")
	})
}

// What cannot be checked is 503, and no browser is sent to the form for it.
func TestWhileSessionsCannotBeChecked(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.NewSite(t)
	s.Client.CheckRedirect = noRedirects
	if err := os.Mkdir(harness.StorageOf(s), 0o700); err != nil {
		t.Fatal(err)
	}
	s.Write("storage/grant", "") // where a directory should be
	s.Reload("", app.In(lines{routes: "bearer_auth /optional* {\n\t\toptional\n\t}"}.in(pageSite)))
	b := newTab(t, s).with("grant-default=" + strings.Repeat("A", 300))
	for name, a := range map[string]harness.Answer{
		"a fetch": b.fetch("GET", "/app"), "a navigation": b.open("/app"), "a form": b.submit("/app", "x=y"), "a login": newTab(t, s).submit(page, credentials("alice")),
	} {
		if a.Status != 503 || a.Header.Get("Retry-After") == "" || len(a.Header["Set-Cookie"]) > 0 || a.Header.Get("Location") != "" {
			t.Errorf("%s: %d %v", name, a.Status, a.Header)
		}
		if html := strings.HasPrefix(a.Header.Get("Content-Type"), "text/html"); html == (name == "a fetch") {
			t.Errorf("%s: %q", name, a.Header.Get("Content-Type"))
		}
	}
	if a := b.open("/app?x=1"); !strings.Contains(string(a.Body), `href="/app?x=1"`) {
		t.Errorf("to try again: %s", a.Body)
	}
	if a := newTab(t, s).open("/app"); a.Status != 303 {
		t.Errorf("without a cookie: %d", a.Status)
	}
	if app.Reached() {
		t.Error("the app was reached")
	}
}

// A logout counts on every node.
func TestLoggingOutOnAnotherNode(t *testing.T) {
	app := harness.NewApp(t)
	site := app.In(strings.Replace(lines{}.in(pageSite), "throttle off", "throttle off\n\t\trevocation_poll 1s", 1))
	one := startSite(t, "", site)
	two := harness.FreePort(t)
	config := strings.NewReplacer("%PORT%", fmt.Sprint(two), "%OPTIONS%", "", "%DIR%/log.json", "%DIR%/two.json").Replace(harness.GlobalOptions + site)
	harness.StartQuickProcess(t, one.Write("two.caddyfile", one.Expand(config)))
	node := *one
	node.Port = two
	there := func(b *tab) *tab {
		other := *b
		other.site, other.host = &node, fmt.Sprintf("localhost:%d", two)
		return &other
	}
	b := loggedIn(t, one, "alice")
	harness.Eventually(t, "the other node takes the session", func() bool { return there(b).user() == "alice" })
	if a := there(b).submit(logout, ""); a.Status != 200 {
		t.Fatalf("logging out there: %d %s", a.Status, a.Body)
	}
	there(b).wantUser("401")
	harness.Eventually(t, "this node ends it", func() bool { return b.user() == "401" })
}
