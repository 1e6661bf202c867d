package browser

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
	"golang.org/x/net/websocket"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// loginSite is an app behind an edge with a login page.
type loginSite struct {
	t      *testing.T
	dir    string
	origin string // of the app
	node   string // of a second Caddy with the same storage, if there is one
	evil   string // of a site that is not ours: another port of the same host
	pages  *pagesApp
}

// pagesApp is an app with pages, a form, an API and a WebSocket.
type pagesApp struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // method and path of what came
}

func startPagesApp(t *testing.T) *pagesApp {
	t.Helper()
	a := new(pagesApp)
	mux := http.NewServeMux()
	mux.Handle("/ws", websocket.Handler(func(conn *websocket.Conn) {
		_, _ = io.WriteString(conn, conn.Request().Header.Get("X-User"))
		_, _ = io.Copy(conn, conn)
	}))
	mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-User"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>The app</title>
<p id="user">%s</p><p id="path">%s</p><a id="sign-out" href="/token/login/logout">Sign out</a>`, r.Header.Get("X-User"), r.URL.Path)
	})
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.seen = append(a.seen, r.Method+" "+r.URL.Path)
		a.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// take returns what came since the last call.
func (a *pagesApp) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen
	a.seen = nil
	return seen
}

// The parts of a config that a test may replace.
const (
	plainPage = "login_page {\n\t\t\tremember 30d\n\t\t}"
	plainApp  = "reverse_proxy %APP%"
)

const loginConfig = `{
	admin off
	persist_config off
	skip_install_trust
	auto_https disable_redirects
	storage file_system %DIR%/storage
}

%ORIGIN% {
	bind 127.0.0.1
	%TLS%
	token_endpoint {
		users htpasswd %DIR%/users.htpasswd
		scopes read
		` + plainPage + `
	}
	bearer_auth /admin* {
		scopes admin
	}
	bearer_auth {
		copy_claims sub>X-User
	}
	` + plainApp + `
}

%EVIL%, %FAR% {
	bind 127.0.0.1
	%TLS%
	header Content-Type text/html
	respond "<!doctype html><html lang=en><link rel=icon href=data:,><title>evil</title><p>evil</p>"
}
`

const (
	person   = "alice"
	password = "correct horse"
)

// startLoginSite serves http or https, with some of the config replaced.
func startLoginSite(t *testing.T, scheme string, replacements ...string) *loginSite {
	t.Helper()
	needBrowser(t)
	s := &loginSite{t: t, dir: t.TempDir(), pages: startPagesApp(t)}
	s.setPassword(harness.HashCheap)
	s.origin = fmt.Sprintf("%s://localhost:%d", scheme, harness.FreePort(t))
	s.evil = fmt.Sprintf("%s://localhost:%d", scheme, harness.FreePort(t))
	s.run(s.origin, s.evil, strings.NewReplacer(replacements...).Replace(loginConfig))
	return s
}

// addNode starts another Caddy that has the storage of the first.
func (s *loginSite) addNode() {
	s.t.Helper()
	scheme, _, _ := strings.Cut(s.origin, ":")
	s.node = fmt.Sprintf("%s://localhost:%d", scheme, harness.FreePort(s.t))
	s.run(s.node, fmt.Sprintf("%s://localhost:%d", scheme, harness.FreePort(s.t)), loginConfig)
}

func (s *loginSite) run(origin, evil, config string) {
	s.t.Helper()
	encryption := ""
	if strings.HasPrefix(origin, "https:") {
		encryption = "tls internal"
	}
	text := strings.NewReplacer("%DIR%", s.dir, "%ORIGIN%", origin, "%EVIL%", evil, "%FAR%", far(evil), "%TLS%", encryption,
		"%APP%", s.pages.Listener.Addr().String()).Replace(config)
	at, err := url.Parse(origin)
	if err != nil {
		s.t.Fatal(err)
	}
	path := s.write("Caddyfile-"+at.Port(), text)
	harness.StartProcess(s.t, s.dir, path)
	if encryption != "" {
		harness.Eventually(s.t, "Caddy has its certificates", func() bool {
			conn, err := tls.Dial("tcp", "127.0.0.1:"+at.Port(), &tls.Config{ServerName: "localhost", InsecureSkipVerify: true}) //nolint:gosec // its own
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
}

func (s *loginSite) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// setPassword writes the users file.
func (s *loginSite) setPassword(hash string) { s.write("users.htpasswd", person+":"+hash+"\n") }

// far is the same place on a host that is another site to a browser.
func far(origin string) string { return strings.Replace(origin, "localhost", "127.0.0.1", 1) }

// overBoth runs a test over HTTP and over TLS.
func overBoth(t *testing.T, test func(t *testing.T, scheme string)) {
	t.Helper()
	needBrowser(t)
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			test(t, scheme)
		})
	}
}

// newVisitor opens a browser that trusts Caddy's own CA, as far as that matters here.
func newVisitor(t *testing.T) *page {
	t.Helper()
	p := newPage(t)
	p.trustAll()
	p.tolerate("status of 401", "status of 403", "status of 429")
	return p
}

func (p *page) trustAll() {
	p.t.Helper()
	p.do("trusting Caddy's CA", func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
		return chromedp.Void{}, err
	})
}

// What is on the page.
const (
	usernameField = "#username"
	passwordField = "#password"
	rememberBox   = "#remember"
	pageButton    = "button[type=submit]"
	problemText   = "#problem"
)

// sendForm fills the form and sends it, and waits for the answer.
func (p *page) sendForm(name, password string) {
	p.t.Helper()
	p.fill(usernameField, name)
	p.fill(passwordField, password)
	p.press(pageButton)
}

// press clicks what leads to another page, and waits for it.
func (p *page) press(selector string) {
	p.t.Helper()
	eval[bool](p, `window.isOld = true`)
	p.click(selector)
	p.until("a new page", `window.isOld === undefined && document.readyState === 'complete'`)
}

// logIn opens a place, logs in where that leads, and waits to be back there.
func (p *page) logIn(place string) {
	p.t.Helper()
	p.open(place)
	p.wantForm()
	p.sendForm(person, password)
	p.wantAt(place)
}

func (p *page) wantAt(place string) {
	p.t.Helper()
	p.until("at "+place, fmt.Sprintf(`location.href === %q && document.readyState === 'complete'`, place))
}

// wantForm waits for the form to log in.
func (p *page) wantForm() {
	p.t.Helper()
	p.until("at the form", `location.pathname === '/token/login' && document.querySelector('#password') !== null && document.readyState === 'complete'`)
}

// wantApp waits for a page of the app, for the user.
func (p *page) wantApp(place string) {
	p.t.Helper()
	p.wantAt(place)
	if user := p.text("#user"); user != person {
		p.t.Errorf("the app knows the user as %q", user)
	}
}

// fetched is the status of a request that a script of the page sends.
func (p *page) fetched(path string) int {
	p.t.Helper()
	return eval[int](p, fmt.Sprintf(`fetch(%q).then(r => r.status)`, path))
}

// cookies are those that the browser has for a place.
func (p *page) cookies(place string) []*network.Cookie {
	p.t.Helper()
	return run(p, "reading cookies", func(ctx context.Context, target *chromedp.Target) ([]*network.Cookie, error) {
		got, err := cdp.Call(ctx, target, network.GetCookies, network.GetCookiesParams{URLs: []string{place}})
		return got.Cookies, err
	})
}

// sessionCookie is the only cookie for a place.
func (p *page) sessionCookie(place string) *network.Cookie {
	p.t.Helper()
	cookies := p.cookies(place)
	if len(cookies) != 1 {
		p.t.Fatalf("the browser has %d cookies, want 1: %+v", len(cookies), cookies)
	}
	return cookies[0]
}
