// Package migration runs the examples of other servers' set-ups: the old config with the
// real server of Debian, and the new one with Caddy, in front of the same content and
// with the same users.
package migration

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// example is the new side of an example, in a clean copy of its directory.
type example struct {
	*harness.Site
	*harness.Process
	app *harness.App
	dir string
}

// startExample runs the Caddyfile of an example, with an app of the tests behind it.
// What replaces says is replaced, too.
func startExample(t *testing.T, name string, replaces ...string) *example {
	t.Helper()
	s := harness.NewSite(t)
	s.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	e := &example{Site: s, app: harness.NewApp(t), dir: filepath.Join(s.Dir, "examples", name)}
	if err := os.CopyFS(e.dir, os.DirFS(repo.Path("examples/"+name))); err != nil {
		t.Fatal(err)
	}
	config := "examples/" + name + "/Caddyfile"
	pairs := append([]string{"8080", strconv.Itoa(s.Port), "127.0.0.1:9000", e.app.In("%APP%")}, replaces...)
	s.Write(config, strings.NewReplacer(pairs...).Replace(repo.Read(t, config)))
	e.Process = harness.StartProcess(t, s.Dir, config)
	return e
}

// ask sends a request to the example.
func (e *example) ask(method, path, body string, headers ...string) harness.Answer {
	e.T.Helper()
	r := e.Request(method, path, body, headers...)
	r.Host = "localhost:" + strconv.Itoa(e.Port)
	return e.Do(r)
}

// token asks for a token as the script of the example does.
func (e *example) token(username, password string) harness.Answer {
	e.T.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}}
	return e.ask("POST", "/token", form.Encode(), harness.FormType, harness.Basic("scripts", "demo-secret"))
}

// bearer is the header of a user who logs in as a script.
func (e *example) bearer(username string) string {
	e.T.Helper()
	a := e.token(username, username+"-password")
	a.Want(e.T, 200, "")
	return "Authorization: Bearer " + a.Text(e.T, "access_token")
}

// session logs a user in on the page, as a browser does, and returns its cookie, or the
// answer of the page if it has none.
func (e *example) session(username, password string) (cookie string, page harness.Answer) {
	e.T.Helper()
	form := url.Values{"username": {username}, "password": {password}, "return_to": {"/"}}
	page = e.ask("POST", "/token/login", form.Encode(), harness.FormType, "Origin: http://localhost:"+strconv.Itoa(e.Port),
		"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
	for _, c := range (&http.Response{Header: page.Header}).Cookies() {
		if c.Value != "" && c.MaxAge >= 0 {
			return "Cookie: " + c.Name + "=" + c.Value, page
		}
	}
	return "", page
}

// member is a user of the example, and what each may open.
type member struct {
	name   string
	status map[string]int // by path
}

// wantSameUsers checks that users get in on both ways, with their passwords and no
// others, and may open what they may.
func (e *example) wantSameUsers(members ...member) {
	t := e.T
	t.Helper()
	for _, m := range members {
		bearer := e.bearer(m.name)
		cookie, page := e.session(m.name, m.name+"-password")
		if cookie == "" {
			t.Fatalf("%s cannot log in on the page: %d %s", m.name, page.Status, page.Body)
		}
		for path, status := range m.status {
			for way, header := range map[string]string{"a token": bearer, "a session": cookie} {
				if a := e.ask("GET", path, "", header); a.Status != status {
					t.Errorf("%s opens %s with %s: %d, want %d", m.name, path, way, a.Status, status)
				}
			}
		}
		e.token(m.name, "wrong").Want(t, 400, "invalid_grant")
		if cookie, _ := e.session(m.name, "wrong"); cookie != "" {
			t.Errorf("%s logs in on the page with a wrong password", m.name)
		}
		for path := range m.status {
			for what, header := range map[string]string{
				"nothing": "Accept: */*", "the password": harness.Basic(m.name, m.name+"-password"), "an altered token": bearer + "x",
			} {
				if a := e.ask("GET", path, "", header); a.Status != 401 {
					t.Errorf("%s opens %s with %s: %d", m.name, path, what, a.Status)
				}
			}
		}
	}
	e.token("mallory", "mallory-password").Want(t, 400, "invalid_grant")
}
