package login

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// pageSite answers on every host of the loopback. %PAGE% is for lines of login_page,
// %SERVER% for more of the endpoint, %CHECK% for the check of everything, %ROUTES% for
// what stands beside the app.
const pageSite = `http://:%PORT% {
	bind 127.0.0.1
	log
	token_endpoint {
		issuer   https://api.example.com
		throttle off
		client web {
			secret web-secret
			scopes read write
		}
		user alice ` + harness.HashCheap + ` {
			claim email alice@example.com
		}
		user bob ` + harness.HashCheapAnother + ` {
			id     u-2
			scopes read
		}
		scopes read write
		login_page {
			%PAGE%
		}
		%SERVER%
	}
	bearer_auth {
		copy_claims sub>X-User email>X-Email
		%CHECK%
	}
	%ROUTES%
	reverse_proxy %APP%
}
`

// lines are what a test adds to a site.
type lines struct{ page, server, check, routes, options string }

func (l lines) in(site string) string {
	return strings.NewReplacer("%PAGE%", l.page, "%SERVER%", l.server, "%CHECK%", l.check, "%ROUTES%", l.routes).Replace(site)
}

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// startPage serves [pageSite] with an app behind it. Redirects are not followed.
func startPage(t *testing.T, l lines) (*harness.Site, *harness.App) {
	t.Helper()
	app := harness.NewApp(t)
	return startSite(t, l.options, app.In(l.in(pageSite))), app
}

func startSite(t *testing.T, options, sites string) *harness.Site {
	t.Helper()
	s := harness.StartWith(t, options, sites)
	s.Client.CheckRedirect = noRedirects
	return s
}

// tab is a browser with its cookies, as far as a server can tell.
type tab struct {
	t       *testing.T
	site    *harness.Site
	host    string // as in the address bar
	scheme  string // in its Origin
	cookies []string
	always  []string // headers of every request
}

func newTab(t *testing.T, s *harness.Site) *tab {
	return &tab{t: t, site: s.For(t), host: fmt.Sprintf("localhost:%d", s.Port), scheme: "http"}
}

// loggedIn is the tab of a user who has logged in.
func loggedIn(t *testing.T, s *harness.Site, username string) *tab {
	t.Helper()
	b := newTab(t, s)
	b.login(username)
	return b
}

// at is the same browser at another host.
func (b *tab) at(host string) *tab {
	other := *b
	other.host, other.cookies = host, slices.Clone(b.cookies)
	return &other
}

// with is the same browser with other cookies.
func (b *tab) with(cookies ...string) *tab {
	other := *b
	other.cookies = cookies
	return &other
}

// send is any request. Of two headers of a name the last one is sent; an empty one
// takes those before it out.
func (b *tab) send(method, path, body string, headers ...string) harness.Answer {
	b.t.Helper()
	r := b.site.Request(method, path, body)
	r.Host = b.host
	if len(b.cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(b.cookies, "; "))
	}
	for _, header := range slices.Concat(b.always, headers) {
		name, value, _ := strings.Cut(header, ":")
		if value = strings.TrimSpace(value); value == "" {
			r.Header.Del(name)
		} else if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	a := b.site.Do(r)
	b.keep(a)
	return a
}

// handshake is the status of a request that may switch the protocol.
func (b *tab) handshake(path string, headers ...string) int {
	b.t.Helper()
	lines := []string{"Host: " + b.host}
	if len(b.cookies) > 0 {
		lines = append(lines, "Cookie: "+strings.Join(b.cookies, "; "))
	}
	conn := b.site.Dial()
	defer conn.Close()
	conn.Send(b.site.RawRequest("GET", path, "", append(lines, headers...)...))
	response, err := http.ReadResponse(conn.Reader, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// keep does with the cookies of an answer what a browser does, but for their domains.
func (b *tab) keep(a harness.Answer) {
	for _, set := range (&http.Response{Header: a.Header}).Cookies() {
		b.cookies = slices.DeleteFunc(slices.Clone(b.cookies), func(c string) bool { return strings.HasPrefix(c, set.Name+"=") })
		if set.MaxAge >= 0 {
			b.cookies = append(b.cookies, set.Name+"="+set.Value)
		}
	}
}

const wantsHTML = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// open is a navigation: a link, a bookmark, an address that was typed.
func (b *tab) open(path string, headers ...string) harness.Answer {
	b.t.Helper()
	return b.send("GET", path, "", append([]string{
		wantsHTML, "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-User: ?1",
	}, headers...)...)
}

// fetch is a request of a script of the page.
func (b *tab) fetch(method, path string, headers ...string) harness.Answer {
	b.t.Helper()
	said := []string{"Accept: */*", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}
	if method != "GET" && method != "HEAD" {
		said = append(said, "Origin: "+b.scheme+"://"+b.host)
	}
	return b.send(method, path, "", append(said, headers...)...)
}

// submit is a form of the page.
func (b *tab) submit(path, form string, headers ...string) harness.Answer {
	b.t.Helper()
	return b.send("POST", path, form, append([]string{
		harness.FormType, wantsHTML, "Origin: " + b.scheme + "://" + b.host,
		"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document",
	}, headers...)...)
}

const (
	page   = "/token/login"
	logout = "/token/login/logout"
)

// credentials are the form of a login with these pairs more.
func credentials(username string, pairs ...string) string {
	form := url.Values{"username": {username}, "password": {"correct horse"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form.Encode()
}

// login fails the test unless it succeeds.
func (b *tab) login(username string, pairs ...string) harness.Answer {
	b.t.Helper()
	a := b.submit(page, credentials(username, pairs...))
	if a.Status != http.StatusSeeOther || len(b.cookies) == 0 {
		b.t.Fatalf("logging in: got %d %v: %s", a.Status, a.Header, a.Body)
	}
	return a
}

// user is who the app takes a request of the tab for, or the status of a refusal.
func (b *tab) user(headers ...string) string {
	b.t.Helper()
	return userOf(b.fetch("GET", "/app", headers...))
}

func userOf(a harness.Answer) string {
	if a.Header.Get("X-App") == "" {
		return fmt.Sprint(a.Status)
	}
	header, _ := a.JSON["Header"].(map[string]any)
	return strings.Trim(fmt.Sprint(header["X-User"]), "[]")
}

// wantUser fails the test unless the app takes the tab for that user.
func (b *tab) wantUser(want string) {
	b.t.Helper()
	if got := b.user(); got != want {
		b.t.Errorf("the app takes the tab for %q, want %q", got, want)
	}
}

// wantUserSoon is wantUser after a reload, when the config before may still answer.
func (b *tab) wantUserSoon(want string) {
	b.t.Helper()
	harness.Eventually(b.t, "the app takes the tab for "+want, func() bool { return b.user() == want })
}

// sent is where an answer sends the browser, or its status.
func sent(a harness.Answer) string {
	if a.Status != http.StatusSeeOther {
		return fmt.Sprint(a.Status)
	}
	return a.Header.Get("Location")
}

// setCookies are the lines of an answer, with the values of cookies as V.
func setCookies(a harness.Answer) []string {
	var set []string
	for _, line := range a.Header["Set-Cookie"] {
		name, rest, _ := strings.Cut(line, "=")
		value, attributes, _ := strings.Cut(rest, ";")
		if value != "" {
			value = "V"
		}
		set = append(set, name+"="+value+";"+attributes)
	}
	return set
}

// value is that of the first cookie.
func (b *tab) value() string {
	b.t.Helper()
	if len(b.cookies) == 0 {
		b.t.Fatal("the browser has no cookie")
	}
	_, value, _ := strings.Cut(b.cookies[0], "=")
	return value
}
