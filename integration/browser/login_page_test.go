package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestLoginPageReturnsToWhereTheVisitorCameFrom(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		p := newVisitor(t)
		p.logIn(s.origin + "/reports/7?from=2026&to=%2F#summary")
		p.wantApp(s.origin + "/reports/7?from=2026&to=%2F#summary")
		cookie := p.sessionCookie(s.origin)
		want := map[string]string{"http": "grant-default", "https": "__Host-grant-default"}[scheme]
		if cookie.Name != want || !cookie.HTTPOnly || cookie.Secure != (scheme == "https") || cookie.SameSite != network.CookieSameSiteLax || cookie.Path != "/" {
			t.Errorf("the cookie is %+v", cookie)
		}
		if script := eval[string](p, `document.cookie`); script != "" {
			t.Errorf("scripts see the cookie: %q", script)
		}
		if status := p.fetched("/api"); status != 200 {
			t.Errorf("a fetch gets %d", status)
		}
	})
}

func TestLoginPageKeepsTheNameAndAnnouncesThatThePasswordIsWrong(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		p := newVisitor(t)
		p.open(s.origin + "/reports#summary")
		p.wantForm()
		form := p.location()
		p.sendForm(person, "wrong")
		p.wantForm()
		if status := p.last("POST", strings.TrimSuffix(form, "#summary")).Status; status != 401 {
			t.Errorf("the status is %d", status)
		}
		type shown struct {
			Name, Password, Title, Role, Invalid, DescribedBy, Focus string
		}
		got := eval[shown](p, `(() => {
			const name = document.querySelector('#username'), password = document.querySelector('#password')
			return {
				Name: name.value, Password: password.value, Title: document.title,
				Role: document.querySelector('#problem').getAttribute('role'),
				Invalid: name.ariaInvalid + ' ' + password.ariaInvalid,
				DescribedBy: password.getAttribute('aria-describedby'),
				Focus: document.activeElement.id,
			}
		})()`)
		title, found := strings.CutPrefix(got.Title, "Error: ")
		got.Title = ""
		if want := (shown{person, "", "", "alert", "true true", "problem", "password"}); got != want || !found || title == "" {
			t.Errorf("the page has %+v and the title %q", got, title)
		}
		if text := p.text(problemText); !strings.Contains(text, "Wrong username or password") {
			t.Errorf("it says %q", text)
		}
		if cookies := p.cookies(s.origin); len(cookies) != 0 {
			t.Errorf("it sets %+v", cookies[0])
		}
		// the place to return to outlives the mistake
		p.fill(passwordField, password)
		p.press(pageButton)
		p.wantApp(s.origin + "/reports#summary")
	})
}

func TestLoginPageSaysHowLongToWaitAfterTooManyWrongPasswords(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		p := newVisitor(t)
		p.open(s.origin + "/token/login")
		for i := 0; ; i++ {
			if i == 30 {
				t.Fatal("30 wrong passwords are not too many")
			}
			p.sendForm(person, fmt.Sprintf("wrong-%d", i)) // the same again is not a guess
			if p.last("POST", s.origin+"/token/login").Status == 429 {
				break
			}
		}
		for _, password := range []string{"", password} { // the right one must wait as well
			if password != "" {
				p.sendForm(person, password)
			}
			if text := p.text(problemText); !strings.Contains(text, "Too many login attempts.") || !strings.Contains(text, "Try again in ") {
				t.Errorf("it says %q", text)
			}
		}
		if name := eval[string](p, `document.querySelector('#username').value`); name != person {
			t.Errorf("the name is %q", name)
		}
		if cookies := p.cookies(s.origin); len(cookies) != 0 {
			t.Errorf("it sets %+v", cookies[0])
		}
	})
}

func TestRememberedSessionOutlivesTheBrowserAndNoOtherDoes(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		p := newVisitor(t)
		p.logIn(s.origin + "/")
		if cookie := p.sessionCookie(s.origin); !cookie.Session {
			t.Errorf("without the tick the cookie ends at %v", cookie.Expires)
		}
		p = newVisitor(t)
		p.open(s.origin + "/")
		p.click(rememberBox)
		p.sendForm(person, password)
		p.wantApp(s.origin + "/")
		cookie := p.sessionCookie(s.origin)
		left := time.Until(time.Unix(int64(cookie.Expires), 0))
		if cookie.Session || left < 29*24*time.Hour || left > 30*24*time.Hour {
			t.Errorf("with the tick the cookie lasts for %v: %+v", left, cookie)
		}
	})
}

func TestLogoutInOneTabEndsTheSessionOfTheOther(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		first := newVisitor(t)
		first.logIn(s.origin + "/one")
		second := first.newTab()
		second.trustAll()
		second.open(s.origin + "/two")
		second.wantApp(s.origin + "/two")

		// a sign-out link of the app is a GET, which asks first
		second.press("#sign-out")
		second.wantAt(s.origin + "/token/login/logout")
		if status := first.fetched("/api"); status != 200 {
			t.Errorf("the link alone ends the session: %d", status)
		}
		second.press(pageButton)
		if text := second.text("main"); !strings.Contains(text, "You are logged out.") {
			t.Errorf("it says %q", text)
		}
		if cookies := second.cookies(s.origin); len(cookies) != 0 {
			t.Errorf("the browser still has %+v", cookies[0])
		}
		if status := first.fetched("/api"); status != 401 {
			t.Errorf("a fetch of the other tab gets %d", status)
		}
		first.open(s.origin + "/one/more")
		first.wantForm()
	})
}

func TestBackButtonShowsNothingOfTheAppAfterALogout(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		p := newVisitor(t)
		p.logIn(s.origin + "/secret")
		p.press("#sign-out")
		p.press(pageButton)
		history := run(p, "reading the history", chromedp.NavigationEntries())
		i := slices.IndexFunc(history.Entries, func(e *cdppage.NavigationEntry) bool { return e.URL == s.origin+"/secret" })
		if i < 0 {
			t.Fatal("the page of the app is not in the history")
		}
		eval[bool](p, fmt.Sprintf(`history.go(%d) || true`, int64(i)-history.CurrentIndex))
		p.wantForm()
		if text := p.everything(); strings.Contains(text, "/secret") {
			t.Errorf("the back button shows %q", text)
		}
	})
}

func TestSessionThatEndsWhileAPageIsOpen(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme, plainPage, "login_page {\n\t\t\tsession_ttl 8s\n\t\t}")
		p := newVisitor(t)
		p.logIn(s.origin + "/page")
		p.until("logged out in the open page", `fetch('/api').then(r => r.status === 401)`)
		if text := p.text("#path"); text != "/page" {
			t.Errorf("the page changed to %q", text)
		}
		p.open(s.origin + "/next")
		p.wantForm()
		p.sendForm(person, password)
		p.wantApp(s.origin + "/next")
	})
}

func TestPasswordChangedInTheFileEndsTheSession(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		p := newVisitor(t)
		p.logIn(s.origin + "/page")
		s.setPassword(harness.CheapHash(t, "another horse"))
		p.until("logged out in the open page", `fetch('/api').then(r => r.status === 401)`)
		p.open(s.origin + "/page")
		p.wantForm()
		p.sendForm(person, password)
		p.wantForm()
		p.sendForm(person, "another horse")
		p.wantApp(s.origin + "/page")
	})
}

// The browser forgets its cookie at a logout anyway, so a copy of it has to show that
// the session ended.
func TestLogoutAtOneNodeEndsTheSessionAtTheOther(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		s.addNode()
		p := newVisitor(t)
		p.logIn(s.origin + "/page")
		copied := newVisitor(t)
		copied.open(s.evil)
		copied.setCookie(s.origin, p.sessionCookie(s.origin))
		copied.open(s.origin + "/page")
		copied.wantApp(s.origin + "/page")

		p.open(s.node + "/page") // cookies are for all ports of a host
		p.wantApp(s.node + "/page")
		p.press("#sign-out")
		p.press(pageButton)
		copied.until("logged out at the other node", `fetch('/api').then(r => r.status === 401)`)
		copied.open(s.origin + "/page")
		copied.wantForm()
	})
}

func TestLoginPageWorksWithoutJavaScript(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		p := newVisitor(t)
		p.switchScriptsOff()
		p.open(s.origin + "/page?q=1")
		p.wantForm()
		p.typeForm(kb.Enter)
		p.wantApp(s.origin + "/page?q=1")
		p.click("#sign-out")
		p.wantAt(s.origin + "/token/login/logout")
		p.click(pageButton)
		p.until("logged out", `document.body.innerText.includes('You are logged out.')`)
		p.open(s.origin + "/page")
		p.wantForm()
	})
}

func TestLoginPageWorksWithTheKeyboardAlone(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		p := newVisitor(t)
		p.open(s.origin + "/page")
		p.wantForm()
		p.typeForm(kb.Tab, " ", kb.Tab, kb.Enter) // the checkbox, and the button
		p.wantApp(s.origin + "/page")
		if cookie := p.sessionCookie(s.origin); cookie.Session {
			t.Error("the space bar does not tick the checkbox")
		}
		p.open(s.origin + "/token/login/logout")
		p.do("pressing keys", chromedp.Steps(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)))
		p.until("logged out", `document.body.innerText.includes('You are logged out.')`)
	})
}

func TestWebSocketGoesThroughTheEdgeWithTheSession(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		p := newVisitor(t)
		p.tolerate("WebSocket connection to")
		p.logIn(s.origin + "/page")
		if got := p.socket(s.origin); got != person+" hello" {
			t.Errorf("it says %q", got)
		}
		tab := p.newTab()
		tab.trustAll()
		tab.open(s.origin + "/token/login/logout")
		tab.press(pageButton)
		if got := p.socket(s.origin); got != "refused" {
			t.Errorf("after the logout it says %q", got)
		}
	})
}

// The app gets to see /index.html; the visitor goes back to the route.
func TestDeepLinkOfASinglePageAppReturnsToItsRoute(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme, plainApp, "root %DIR%/site\n\ttry_files {path} /index.html\n\tfile_server")
		s.write("site/index.html", `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>SPA</title><p id="route"></p>
<script>document.querySelector('#route').textContent = location.pathname + location.search + location.hash</script>`)
		for _, route := range []string{"/board/7?view=all#card-3", "/#/board/7", "/index.html"} {
			p := newVisitor(t)
			p.logIn(s.origin + route)
			if got := p.text("#route"); got != route {
				t.Errorf("%s is shown as %s", route, got)
			}
		}
	})
}
