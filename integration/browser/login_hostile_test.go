package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A page of another port of the same host is of the same site: the browser sends it
// all cookies, whatever SameSite says. A page of another host is of another site.
func TestHostilePageOfAnotherOriginCanDoNothing(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		for where, origin := range map[string]string{"the same site": s.evil, "another site": far(s.evil)} {
			t.Run(where, func(t *testing.T) { s.attack(t, origin) })
		}
	})
}

func (s *loginSite) attack(t *testing.T, evil string) {
	victim := newVisitor(t)
	victim.logIn(s.origin + "/page")
	cookie := victim.sessionCookie(s.origin).Value
	s.pages.take()
	attacker := victim.newTab()
	attacker.trustAll()
	attacker.tolerate("blocked by CORS policy", "net::ERR_FAILED", "WebSocket connection to", "frame-ancestors", "X-Frame-Options",
		"Cross-Origin-Opener-Policy")

	for _, attack := range []string{
		// what it may send
		`fetch('%APP%/api', { method: 'POST', mode: 'no-cors', credentials: 'include', body: 'x=1' })`,
		`fetch('%APP%/token/login/logout', { method: 'POST', mode: 'no-cors', credentials: 'include' })`,
		`fetch('%APP%/token/login', { method: 'POST', mode: 'no-cors', credentials: 'include',
			body: new URLSearchParams({ username: 'alice', password: 'correct horse' }) })`,
		`fetch('%APP%/api', { method: 'DELETE', credentials: 'include' })`,
		// what it may ask for, and not read
		`fetch('%APP%/api', { credentials: 'include' })`,
		`fetch('%APP%/token/login', { credentials: 'include' })`,
	} {
		attacker.open(evil)
		script := strings.ReplaceAll(attack, "%APP%", s.origin)
		if read := eval[string](attacker, script+`.then(async r => 'read: ' + r.status + await r.text(), () => 'read: 0')`); read != "read: 0" {
			t.Errorf("%s gets %q", script, read)
		}
	}
	if got := attacker.socket(s.origin); got != "refused" {
		t.Errorf("the WebSocket says %q", got)
	}
	attacker.frame(s.origin + "/token/login")
	attacker.wantError("frame-ancestors 'none'")
	attacker.frame(s.origin + "/token/login/logout")
	attacker.wantError("frame-ancestors 'none'")
	if evil != s.evil { // a frame of the same site is for the app to forbid
		attacker.frame(s.origin + "/framed")
	}

	for _, form := range []struct{ path, want string }{
		{"/delete", ""},
		{"/token/login", "came from another site"},
		{"/token/login/logout", "came from another site"},
	} {
		attacker.open(evil)
		attacker.postForm(s.origin + form.path)
		attacker.until("away", fmt.Sprintf(`location.origin === %q && document.readyState === 'complete'`, s.origin))
		if text := attacker.everything(); !strings.Contains(text, form.want) || strings.Contains(text, "/delete") {
			t.Errorf("a form for %s leads to %q", form.path, text)
		}
	}

	for _, request := range s.pages.take() {
		if request != "GET /api" || evil != s.evil { // reading is not forbidden, but unseen
			t.Errorf("the app received %s", request)
		}
	}
	if got := victim.sessionCookie(s.origin).Value; got != cookie {
		t.Error("the browser has another cookie now")
	}
	if status := victim.fetched("/api"); status != 200 {
		t.Errorf("the visitor's own page gets %d", status)
	}
}

// A visitor who is not logged in must not become another user unawares.
func TestHostilePageOfAnotherOriginCannotLogItsVisitorIn(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		s := startLoginSite(t, scheme)
		for _, evil := range []string{s.evil, far(s.evil)} {
			p := newVisitor(t)
			p.open(evil)
			p.postForm(s.origin + "/token/login")
			p.wantForm()
			if text := p.text(problemText); !strings.Contains(text, "came from another site") {
				t.Errorf("it says %q", text)
			}
			if cookies := p.cookies(s.origin); len(cookies) != 0 {
				t.Errorf("it sets %+v", cookies[0])
			}
			// the form there is the site's own
			p.sendForm(person, password)
			p.wantApp(s.origin + "/")
		}
	})
}

// frame shows a page in a frame, and waits for what comes of it.
func (p *page) frame(url string) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`new Promise(done => {
		const frame = document.createElement('iframe')
		frame.onload = frame.onerror = () => done(true)
		frame.src = %q
		document.body.append(frame)
	})`, url))
}

// postForm sends a form with a good name and password to another origin.
func (p *page) postForm(url string) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`(() => {
		const form = document.createElement('form')
		form.method = 'post'
		form.action = %q
		for (const [name, value] of [['username', %q], ['password', %q]]) {
			const field = document.createElement('input')
			field.name = name
			field.value = value
			form.append(field)
		}
		document.body.append(form)
		form.submit()
		return true
	})()`, url, person, password))
}

// wantError takes an error with that text from the console, and waits for it.
func (p *page) wantError(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		p.mu.Lock()
		i := slices.IndexFunc(p.errors, func(e string) bool { return strings.Contains(e, text) })
		if i >= 0 {
			p.errors = slices.Delete(p.errors, i, i+1)
		}
		p.mu.Unlock()
		if i >= 0 {
			return
		}
	}
	p.t.Fatalf("the console does not have %q, but %q", text, p.takeErrors())
}
