package clienttools

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// person is a browser that has logged in at a site, and follows redirects as one does.
type person struct {
	*harness.Site
}

func newPerson(t *testing.T, s *harness.Site) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Client.Jar = jar
	return &person{s}
}

func (p *person) send(method, path, body string, headers ...string) harness.Answer {
	p.T.Helper()
	return p.Do(p.Request(method, path, body, append([]string{"Accept: text/html", "Origin: " + origin(p.Site)}, headers...)...))
}

// A real TiddlyWiki takes the user from the header, and nobody gets past the page.
func TestTiddlyWikiBehindTheLoginPage(t *testing.T) {
	need(t, "node", "npm")
	bin := filepath.Join(npm(t), "node_modules", ".bin")
	app := freeAddress(t)
	_, port, _ := strings.Cut(app, ":")

	dir := t.TempDir()
	path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
	initialize, listen, found := strings.Cut(recipe(t, "tiddlywiki-run", "port=9000", "port="+port), "\n")
	if !found {
		t.Fatal("the recipe does not have two commands")
	}
	if printed, err := command(t, dir, []string{path}, "sh", "-eu", "-c", initialize); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	daemon(t, dir, app, "env", path, "sh", "-eu", "-c", "exec "+listen)

	users := filepath.Join(dir, "users.htpasswd")
	if err := os.WriteFile(users, []byte("alice:"+harness.CheapHash(t, password)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, recipe(t, "login-tiddlywiki", "notes.example.com {", "http://127.0.0.1:%PORT% {", "/etc/caddy/users.htpasswd", users, "localhost:9000", app))
	p := newPerson(t, s)
	if form := p.send("GET", "/", ""); !strings.Contains(string(form.Body), "<h1>Notes</h1>") || !strings.Contains(string(form.Body), `name="password"`) {
		t.Fatalf("without a session: %d %s", form.Status, form.Body)
	}
	wiki := p.send("POST", "/token/login", url.Values{"username": {"alice"}, "password": {password}}.Encode())
	if wiki.Status != 200 || !strings.Contains(string(wiki.Body), "tiddlywiki") {
		t.Fatalf("after the login: %d %.500s", wiki.Status, wiki.Body)
	}
	if status := p.send("GET", "/status", "", "X-User: mallory"); status.JSON["username"] != "alice" || status.JSON["read_only"] != false {
		t.Errorf("TiddlyWiki says %s", status.Body)
	}
	const note = "/recipes/default/tiddlers/Hello"
	if saved := p.send("PUT", note, `{"title":"Hello","text":"from alice"}`, "Content-Type: application/json", "X-Requested-With: TiddlyWiki"); saved.Status != 204 {
		t.Errorf("saving: %d %s", saved.Status, saved.Body)
	}
	if read := p.send("GET", note, ""); read.JSON["text"] != "from alice" {
		t.Errorf("reading: %d %s", read.Status, read.Body)
	}
	if out := p.send("POST", "/token/login/logout", "", "Content-Type: application/x-www-form-urlencoded"); out.Status != 200 {
		t.Errorf("the logout: %d", out.Status)
	}
	if read := p.send("GET", note, "", "X-Requested-With: XMLHttpRequest"); read.Status != 401 {
		t.Errorf("after the logout: %d %s", read.Status, read.Body)
	}
	direct, err := http.Get("http://" + app + note)
	if err != nil {
		t.Fatal(err)
	}
	direct.Body.Close()
	if direct.StatusCode != 401 {
		t.Errorf("past the edge: %d", direct.StatusCode)
	}
}

// runScript runs a script of the page in node, after what stands for the browser and
// before what is asked of it.
func runScript(t *testing.T, before, script, after string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "script.mjs"), []byte(before+script+after), 0o600); err != nil {
		t.Fatal(err)
	}
	printed, err := command(t, dir, nil, "node", "script.mjs")
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	return strings.TrimSpace(printed)
}

func TestScriptOfAPageGoesToTheFormWhenItsSessionIsOver(t *testing.T) {
	need(t, "node")
	users := filepath.Join(t.TempDir(), "users.htpasswd")
	if err := os.WriteFile(users, []byte("alice:"+harness.CheapHash(t, password)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, strings.NewReplacer("%USERS%", users).Replace(`http://127.0.0.1:%PORT% {
	token_endpoint {
		users htpasswd %USERS%
		login_page
	}
	bearer_auth {
		open /open
	}
	respond "hello"
}
`))
	before := fmt.Sprintf(`const location = { pathname: "/app", search: "?a=b&c=d", hash: "#/route", assign(to) { console.log("to", to); } };
const real = globalThis.fetch;
const fetch = (path, options) => real(%q + path, options);
`, origin(s))
	went := runScript(t, before, recipe(t, "login-fetch"), "console.log((await call(\"/api\")).status);\n")
	const form = "/token/login?return_to=%2Fapp%3Fa%3Db%26c%3Dd"
	if went != "to "+form+"#/route\n401" {
		t.Fatalf("it prints %s", went)
	}
	p := newPerson(t, s)
	p.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	in := p.send("POST", form, url.Values{"username": {"alice"}, "password": {password}}.Encode())
	if in.Status != 303 || in.Header.Get("Location") != "/app?a=b&c=d" {
		t.Errorf("after the login: %d to %s", in.Status, in.Header.Get("Location"))
	}
	if stays := runScript(t, before, recipe(t, "login-fetch"), "console.log(await (await call(\"/open\")).text());\n"); stays != "hello" {
		t.Errorf("where there is an answer it prints %s", stays)
	}
}

func TestServiceWorkerLeavesNavigationsToTheNetwork(t *testing.T) {
	need(t, "node")
	const before = `let on;
const self = { addEventListener(type, listener) { on = listener; } };
const caches = { match: async (request) => (request.url === "/kept.js" ? "kept" : undefined) };
const fetch = async (request) => "fetched " + request.url;
`
	const after = `for (const request of [{ mode: "navigate", url: "/" }, { mode: "cors", url: "/kept.js" }, { mode: "cors", url: "/api" }]) {
	let answer = "left alone";
	on({ request, respondWith(promise) { answer = promise; } });
	console.log(await answer);
}
`
	if printed := runScript(t, before, recipe(t, "login-service-worker"), after); printed != "left alone\nkept\nfetched /api" {
		t.Errorf("it prints %s", printed)
	}
}
