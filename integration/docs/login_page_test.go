package docs

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/websocket"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// loginGroups execute docs/login-page.md, with the requests that browsers send.
var loginGroups = []group{
	{"a site with a login page", []string{"login-site"}, recipeLoginPage},
	{"several sites with one login", []string{"login-domain"}, recipeLoginDomain},
	byTools("TiddlyWiki behind the login page", "login-tiddlywiki", "tiddlywiki-run"),
	{"Grafana behind the login page", []string{"login-grafana", "grafana-proxy"}, recipeLoginGrafana},
	{"Jellyfin behind the login page", []string{"login-jellyfin"}, recipeLoginJellyfin},
	{"links to sign out", []string{"login-signout", "login-logout-form"}, recipeLoginSignOut},
	{"from basic_auth to the login page", []string{"login-migration"}, recipeLoginMigration},
	{"a single-page app", []string{"login-spa"}, recipeLoginSPA},
	byTools("scripts of pages behind the login page", "login-fetch", "login-service-worker"),
	{"a page and an API of two origins", []string{"login-origins"}, recipeLoginOrigins},
	{"APIs and browsers on one site", []string{"login-and-api"}, recipeLoginAndAPI},
	{"an app that can be installed", []string{"login-pwa"}, recipeLoginPWA},
	{"a login page of one's own", []string{"login-own-page", "login-template"}, recipeLoginTemplate},
	{"a login page behind a proxy", []string{"login-proxy"}, recipeLoginProxy},
}

// browsing is what a browser with the cookies of one host adds to its requests.
type browsing struct {
	*recipe
	host    string // as in the address bar; empty: that of the recipe
	cookies map[string]string
}

func (r *recipe) browser() *browsing {
	r.Client.CheckRedirect = stay
	return &browsing{recipe: r, cookies: make(map[string]string)}
}

// at is the same browser at another host, with the cookies of a common domain.
func (b *browsing) at(host string) *browsing {
	return &browsing{recipe: b.recipe, host: host, cookies: b.cookies}
}

// send sends a request with the cookies of the browser, and keeps those of the answer.
func (b *browsing) send(method, path, body string, headers ...string) harness.Answer {
	b.T.Helper()
	r := b.Request(method, path, body, headers...)
	if b.host != "" {
		r.Host = b.host
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	a := b.Do(r)
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		if cookie.MaxAge < 0 {
			delete(b.cookies, cookie.Name)
		} else {
			b.cookies[cookie.Name] = cookie.Value
		}
	}
	return a
}

// open is a navigation.
func (b *browsing) open(path string) harness.Answer {
	b.T.Helper()
	return b.send("GET", path, "", navigation...)
}

// fetch is a request of a page's script, from the same origin.
func (b *browsing) fetch(method, path string, headers ...string) harness.Answer {
	b.T.Helper()
	return b.send(method, path, "", append([]string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, headers...)...)
}

// origin is that of the site.
func (b *browsing) origin() string {
	if b.host != "" {
		return "http://" + b.host
	}
	return strings.TrimSuffix(b.URL("/"), "/")
}

// submit sends a form of the page.
func (b *browsing) submit(path, form string) harness.Answer {
	b.T.Helper()
	return b.send("POST", path, form, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document",
		"Origin: "+b.origin(), "Content-Type: application/x-www-form-urlencoded")
}

// navigation is what a browser says of a request from its address bar.
var navigation = []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}

const goodLogin = "username=alice&password=correct+horse"

// logIn opens a page, is sent to the form, fills it in and comes back.
func (b *browsing) logIn(path string) {
	b.T.Helper()
	asked := b.open(path)
	form := asked.Header.Get("Location")
	if asked.Status != 303 || !strings.HasPrefix(form, "/token/login") {
		b.T.Fatalf("%s: %d to %q, want the form", path, asked.Status, form)
	}
	if shown := b.open(form); shown.Status != 200 || !strings.Contains(string(shown.Body), `<form method="post">`) {
		b.T.Fatalf("%s: %d %s", form, shown.Status, shown.Body)
	}
	if in := b.submit(form, goodLogin); in.Status != 303 || in.Header.Get("Location") != path {
		b.T.Fatalf("the login: %d to %q, want %s: %s", in.Status, in.Header.Get("Location"), path, in.Body)
	}
}

func (b *browsing) wantOpen(path string, status int, body string) harness.Answer {
	b.T.Helper()
	a := b.open(path)
	if a.Status != status || body != "" && string(a.Body) != body {
		b.T.Errorf("%s: %d %q, want %d %q", path, a.Status, a.Body, status, body)
	}
	return a
}

func (b *browsing) wantFetch(method, path string, status int, headers ...string) harness.Answer {
	b.T.Helper()
	a := b.fetch(method, path, headers...)
	if a.Status != status {
		b.T.Errorf("%s %s with %v: %d %s, want %d", method, path, headers, a.Status, a.Body, status)
	}
	return a
}

// wantAlice fails the test unless the app took the last request for alice's, without
// what is not the app's.
func (b *browsing) wantAlice() {
	b.T.Helper()
	got := b.lastReceived()
	if got.Get("X-User") != "alice" || got["Cookie"] != nil || got["Authorization"] != nil {
		b.T.Errorf("the app received %v", got)
	}
}

func recipeLoginPage(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["login-site"].text)
	b := r.browser()
	wrong := b.submit("/token/login?return_to=/page", "username=alice&password=wrong")
	if text := string(wrong.Body); wrong.Status != 401 || !strings.Contains(text, `value="alice"`) || strings.Contains(text, "wrong\"") {
		t.Errorf("a wrong password: %d %s", wrong.Status, text)
	}
	if unknown := b.submit("/token/login?return_to=/page", "username=bob&password=wrong"); unknown.Status != 401 ||
		!strings.Contains(string(unknown.Body), "Wrong username or password.") || !strings.Contains(string(wrong.Body), "Wrong username or password.") {
		t.Errorf("an unknown name is answered otherwise: %d %s", unknown.Status, unknown.Body)
	}
	b.logIn("/page?a=b")
	b.wantOpen("/page", 200, "the app at /page")
	b.wantAlice()
	if shown := b.wantOpen("/token/login", 200, ""); !strings.Contains(string(shown.Body), "alice") || strings.Contains(string(shown.Body), `name="password"`) {
		t.Errorf("the page of a session: %s", shown.Body)
	}
	b.wantFetch("POST", "/page", 200)
	if asked := b.wantOpen("/token/login/logout", 200, ""); !strings.Contains(string(asked.Body), "Do you want to log out?") {
		t.Errorf("the page to log out: %s", asked.Body)
	}
	b.wantOpen("/page", 200, "the app at /page")
	kept := b.cookies["grant-default"]
	out := b.submit("/token/login/logout", "")
	if out.Status != 200 || out.Header.Get("Clear-Site-Data") != `"cache"` || len(b.cookies) > 0 {
		t.Errorf("the logout: %d %v, and the browser has %v", out.Status, out.Header, b.cookies)
	}
	b.wantOpen("/page", 303, "")
	b.cookies["grant-default"] = kept
	b.wantOpen("/page", 303, "")

	// what is not sent to the form
	stranger := r.browser()
	for _, headers := range [][]string{
		{"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, {"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"},
		{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, {"Accept: application/json"}, nil,
	} {
		if a := stranger.send("GET", "/page", "", headers...); a.Status != 401 || a.Header.Get("Location") != "" {
			t.Errorf("%v: %d %v", headers, a.Status, a.Header)
		}
	}
	if a := stranger.send("GET", "/page", "", "Accept: text/html,*/*;q=0.8"); a.Status != 303 {
		t.Errorf("a browser without Fetch Metadata: %d", a.Status)
	}
}

func recipeLoginDomain(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.Write("etc/users.htpasswd", "alice:"+harness.HashBcrypt+"\nmallory:"+harness.HashBcrypt+"\n")
	r.serve(blocks["login-domain"].text)
	const cookie = "grant-staff-example.com"
	b := r.browser().at("wiki.example.com")
	b.logIn("/page")
	if b.cookies[cookie] == "" {
		t.Errorf("the browser has the cookies %v", b.cookies)
	}
	b.at("files.example.com").wantOpen("/list", 200, "the app at /list")
	b.wantAlice()
	b.at("login.example.com").submit("/token/login/logout", "")
	b.wantOpen("/page", 303, "")

	// what a hostile host can plant, in a browser without a session and with one
	mallory := r.browser().at("files.example.com")
	if in := mallory.submit("/token/login", "username=mallory&password=correct+horse"); in.Status != 303 {
		t.Fatalf("mallory: %d", in.Status)
	}
	visitor := r.browser().at("wiki.example.com")
	visitor.cookies[cookie] = mallory.cookies[cookie]
	visitor.wantOpen("/page", 200, "the app at /page")
	if got := r.lastReceived().Get("X-User"); got != "mallory" {
		t.Errorf("the visitor is %q", got)
	}
	victim := r.browser().at("wiki.example.com")
	victim.logIn("/page")
	a := victim.send("GET", "/page", "", append(navigation, "Cookie: "+cookie+"="+mallory.cookies[cookie])...)
	if a.Status != 303 || len(victim.cookies) > 0 {
		t.Errorf("with a planted cookie beside their own: %d, cookies %v", a.Status, victim.cookies)
	}
}

func recipeLoginGrafana(t *testing.T, blocks map[string]block) {
	settings, section := make(map[string]string), ""
	for line := range strings.Lines(blocks["grafana-proxy"].text) {
		line = strings.TrimSpace(line)
		if name, value, is := strings.Cut(line, " = "); is {
			settings[section+name] = value
		} else if line != "" {
			section = strings.Trim(line, "[]") + "."
		}
	}
	for name, want := range map[string]string{
		"auth.proxy.enabled": "true", "auth.proxy.whitelist": "127.0.0.1", "server.http_addr": "127.0.0.1", "server.http_port": "9000",
		"server.root_url": "https://grafana.example.com/",
	} {
		if settings[name] != want {
			t.Errorf("%s is %q, want %q", name, settings[name], want)
		}
	}
	r := newRecipe(t)
	r.serve(blocks["login-grafana"].text)
	b := r.browser()
	b.logIn("/d/home?orgId=1")
	b.wantOpen("/login", 200, "the app at /login")
	if got := r.lastReceived().Get(settings["auth.proxy.header_name"]); got != "alice" {
		t.Errorf("Grafana gets %q", got)
	}
	b.wantFetch("GET", "/api/user", 200)
	if out := b.wantOpen("/logout", 302, ""); out.Header.Get("Location") != "/token/login/logout" {
		t.Errorf("the sign-out link leads to %s", out.Header.Get("Location"))
	}
	if a := r.browser().send("GET", "/api/user", "", "Authorization: Bearer glsa_x"); a.Status != 401 {
		t.Errorf("a token of Grafana's: %d", a.Status)
	}
}

func recipeLoginJellyfin(t *testing.T, blocks map[string]block) {
	r, app := newRecipe(t), harness.NewApp(t)
	r.backend = app.In("%APP%")
	r.serve(blocks["login-jellyfin"].text)
	const own = `MediaBrowser Client="Jellyfin Web", Token="x"`
	b := r.browser()
	b.wantFetch("GET", "/Users/Me", 401, "Authorization: "+own)
	b.logIn("/web/")
	for _, authorization := range []string{own, "Bearer of-another-issuer", harness.Basic("a", "b")[len("Authorization: "):]} {
		b.wantFetch("GET", "/Users/Me?access_token=x", 200, "Authorization: "+authorization)
		if got := app.One(t).Header.Get("Authorization"); got != authorization {
			t.Errorf("the app gets %q, want %q", got, authorization)
		}
	}

	// a WebSocket is opened with a session only, and does not end with it
	dial := func(origin string) (*websocket.Conn, error) {
		config, err := websocket.NewConfig("ws://"+r.Address()+"/ws/", origin)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range b.cookies {
			config.Header.Set("Cookie", name+"="+value)
		}
		return config.DialContext(t.Context())
	}
	echoes := func(conn *websocket.Conn) {
		t.Helper()
		var got string
		if err := websocket.Message.Send(conn, "hello"); err != nil {
			t.Fatal(err)
		}
		if err := websocket.Message.Receive(conn, &got); err != nil || got != "hello" {
			t.Fatalf("%q %v", got, err)
		}
	}
	if _, err := dial("http://evil.example.com"); err == nil {
		t.Error("a page of another origin opens a WebSocket")
	}
	conn, err := dial(b.origin())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	echoes(conn)
	kept := b.cookies["grant-default"]
	b.submit("/token/login/logout", "")
	b.cookies["grant-default"] = kept
	if _, err := dial(b.origin()); err == nil {
		t.Error("a WebSocket is opened after the logout")
	}
	echoes(conn)

	// closed by the app, so that the proxy is done with it before Caddy stops
	if err := conn.WriteClose(1000); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn)
}

func recipeLoginSignOut(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["login-signout"].text)
	b := r.browser()
	b.logIn("/page")
	link := b.wantOpen("/logout", 302, "").Header.Get("Location")
	if shown := b.wantOpen(link, 200, ""); !strings.Contains(string(shown.Body), `action="`+link+`"`) {
		t.Errorf("the page has no form that posts to %s: %s", link, shown.Body)
	}
	b.wantOpen("/page", 200, "the app at /page")
	if !strings.Contains(blocks["login-logout-form"].text, `<form method="post" action="`+link+`">`) {
		t.Errorf("the form of the app's own page does not post to %s", link)
	}
	b.wantFetch("POST", link, 303, "Origin: "+b.origin())
	b.wantOpen("/page", 303, "")
	b.logIn("/page")
	if out := b.submit(link, ""); out.Status != 303 || out.Header.Get("Location") != "/" || len(b.cookies) > 0 {
		t.Errorf("the logout: %d to %q, and the browser has %v", out.Status, out.Header.Get("Location"), b.cookies)
	}
}

func recipeLoginMigration(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["login-migration"].text)
	b := r.browser()
	r.wantUser("/page", "alice", harness.Basic("alice", "correct horse"))
	r.wantStatus("/page", 401, harness.Basic("alice", "wrong"))
	r.wantStatus("/page", 401)
	r.wantStatus("/page", 401, "Authorization: Basicx y")
	b.logIn("/page")
	b.wantOpen("/page", 200, "the app at /page")
	b.wantAlice()
	if a := b.fetch("GET", "/page", harness.Basic("alice", "wrong")); a.Status != 401 {
		t.Errorf("a wrong password beside a session: %d", a.Status)
	}
}

func recipeLoginSPA(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["login-spa"].text)
	b := r.browser()
	b.wantFetch("GET", "/api/contacts", 401)
	b.logIn("/some/page?a=b")
	b.wantOpen("/some/page", 200, "the index")
	b.wantFetch("PUT", "/api/contacts", 200, "Origin: "+b.origin())
	b.wantAlice()
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		if a := b.send(method, "/api/contacts", "", "Origin: https://evil.example.com", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"); a.Status != 403 {
			t.Errorf("%s of a hostile page: %d", method, a.Status)
		}
	}
	b.submit("/token/login/logout", "")
	b.wantFetch("GET", "/api/contacts", 401)
}

func recipeLoginOrigins(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["login-origins"].text)
	const origin = "https://app.example.com"
	b := r.browser().at("app.example.com")
	b.logIn("/some.html")
	b.wantOpen("/", 200, "the index")
	api := b.at("api.example.com")
	for _, method := range []string{"GET", "DELETE"} {
		a := api.send(method, "/contacts", "", "Origin: "+origin, "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors")
		if a.Status != 200 || a.Header.Get("Access-Control-Allow-Origin") != origin || a.Header.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s of the page: %d %v", method, a.Status, a.Header)
		}
		b.wantAlice()
	}
	if a := api.send("DELETE", "/contacts", "", "Origin: https://evil.example.com", "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors"); a.Status != 403 {
		t.Errorf("another origin: %d", a.Status)
	}
	a := r.browser().at("api.example.com").send("OPTIONS", "/contacts", "", "Origin: "+origin, "Access-Control-Request-Method: DELETE")
	if a.Status != 204 || a.Header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("the pre-flight: %d %v", a.Status, a.Header)
	}
	if a := r.browser().at("api.example.com").send("OPTIONS", "/contacts", ""); a.Status != 401 {
		t.Errorf("an OPTIONS that is not a pre-flight: %d", a.Status)
	}
}

func recipeLoginAndAPI(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["login-and-api"].text)
	b := r.browser()
	b.logIn("/page")
	bearer := r.bearer()
	r.wantUser("/page", "alice", bearer)
	b.wantFetch("DELETE", "/page", 200, bearer, "Origin: https://evil.example.com")
	revoked := r.bearer()
	r.Post("/token/revoke", "token="+strings.TrimPrefix(revoked, "Authorization: Bearer "), harness.Basic("web", "web-secret")).Want(t, 200, "")
	b.wantFetch("GET", "/page", 401, revoked)
	b.wantFetch("GET", "/page", 200)
	if a := r.browser().fetch("GET", "/page", harness.Bearer(b.cookies["grant-default"])); a.Status != 401 {
		t.Errorf("a cookie as a token: %d", a.Status)
	}
	for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
		if a := b.send("POST", path, "grant_type=password", "Content-Type: application/x-www-form-urlencoded"); a.Status/100 != 4 {
			t.Errorf("%s takes the cookie: %d %s", path, a.Status, a.Body)
		}
	}
}

func recipeLoginPWA(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["login-pwa"].text)
	for _, path := range []string{"/manifest.webmanifest", "/icons/192.png", "/apple-touch-icon.png", "/favicon.ico"} {
		r.wantBackend(path)
	}
	b := r.browser()
	if form := b.wantOpen("/token/login", 200, ""); !strings.Contains(string(form.Body), `name="remember" value="on"`) {
		t.Errorf("the form has no checkbox: %s", form.Body)
	}
	ticked := b.submit("/token/login", goodLogin+"&remember=on")
	if cookie := ticked.Header.Get("Set-Cookie"); !regexp.MustCompile(`; Max-Age=259(2000|19\d\d);`).MatchString(cookie) {
		t.Errorf("with a tick: %s", cookie)
	}
	if cookie := r.browser().submit("/token/login", goodLogin).Header.Get("Set-Cookie"); cookie == "" || strings.Contains(cookie, "Max-Age") {
		t.Errorf("without a tick: %s", cookie)
	}
}

func recipeLoginProxy(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["login-proxy"].text)
	login := func(headers ...string) *harness.Answer {
		request := r.Request("POST", "/token/login", goodLogin, append([]string{"Content-Type: application/x-www-form-urlencoded",
			"Origin: https://" + r.Address(), "Sec-Fetch-Site: same-origin", "X-Forwarded-For: 203.0.113.7"}, headers...)...)
		return r.from("10.1.2.3", request)
	}
	a := login("X-Forwarded-Proto: https")
	if a == nil || a.Status != 303 || !strings.HasPrefix(a.Header.Get("Set-Cookie"), "__Host-grant-default=") || !strings.HasSuffix(a.Header.Get("Set-Cookie"), "; Path=/; HttpOnly; Secure; SameSite=Lax") {
		t.Fatalf("through the proxy: %+v", a)
	}
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	if a := r.from("10.1.2.3", r.Request("GET", "/page", "", "Cookie: "+cookie, "X-Forwarded-Proto: https")); a == nil || a.Status != 200 || r.lastReceived().Get("X-User") != "alice" {
		t.Errorf("with the cookie: %+v", a)
	}
	if a := login(); a == nil || a.Status != 400 || r.Reason() != "not_secure" {
		t.Errorf("without X-Forwarded-Proto: %+v, %s", a, r.Reason())
	}

	// a proxy that changes Host, and says the browser's or not
	changed := func(headers ...string) *harness.Answer {
		request := r.Request("POST", "/token/login", goodLogin, append([]string{"Content-Type: application/x-www-form-urlencoded",
			"Origin: https://app.example.com", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"}, headers...)...)
		return r.from("10.1.2.3", request)
	}
	if a := changed(); a == nil || a.Status != 403 || r.Reason() != "cross_origin" {
		t.Errorf("with another Host: %+v, %s", a, r.Reason())
	}
	if a := changed("X-Forwarded-Host: app.example.com"); a == nil || a.Status != 303 {
		t.Errorf("with X-Forwarded-Host: %+v", a)
	}
}

func exampleLoginPage(t *testing.T, e *example) {
	if got := e.comments("login-page")[0]; !strings.HasPrefix(got, "HTTP/1.1 401 ") {
		t.Errorf("what is no navigation: %s", got)
	}
	for name, admin := range map[string]int{"alice": 200, "bob": 403} {
		b := (&recipe{Site: e.Site}).browser().at("localhost:" + strconv.Itoa(e.Port))
		form := string(b.open(b.open("/").Header.Get("Location")).Body)
		if !strings.Contains(form, "<h1>The example</h1>") || !strings.Contains(form, `name="remember"`) {
			t.Errorf("the form: %s", form)
		}
		if in := b.submit("/token/login", "username="+name+"&password="+name+"-password"); in.Status != 303 {
			t.Fatalf("%s: %d %s", name, in.Status, in.Body)
		}
		b.wantOpen("/", 200, "You are "+name+".\n")
		if page := b.wantOpen("/admin", admin, ""); admin == 403 && !strings.Contains(string(page.Body), "<code>admin</code>") {
			t.Errorf("the page does not name the scope: %s", page.Body)
		}
		if link := b.wantOpen("/logout", 302, "").Header.Get("Location"); b.submit(link, "").Status != 200 {
			t.Errorf("%s cannot log out at %s", name, link)
		}
		b.wantOpen("/", 303, "")
	}
	e.ask("localhost", "GET", "/healthz", "").Want(t, 200, "")
}

// What the page quotes is what people see.
func TestDocsQuoteTheLoginPage(t *testing.T) {
	words, quoted := repo.Read(t, "internal/loginpage/words_en.go"), 0
	for line := range strings.Lines(section(t, "## Troubleshooting")) {
		if cells := row(line); len(cells) == 3 && strings.HasPrefix(cells[0], `"`) {
			quoted++
			if !strings.Contains(words, cells[0]) {
				t.Errorf("the page does not say %s", cells[0])
			}
		}
	}
	if quoted < 4 {
		t.Errorf("only %d texts are quoted", quoted)
	}
}
