package docs

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// browserGroups are blocks that are part of an example, word for word. The module
// integration/browser drives a real browser at the examples.
var browserGroups = []group{
	{"Swagger UI", []string{"swagger-ui-run", "swagger-ui-app", "swagger-ui-openapi", "swagger-ui-site", "swagger-ui-initializer"}, testSwaggerUIBlocks},
	{"FastAPI", []string{"fastapi-app", "fastapi-site", "fastapi-run", "fastapi-run-app", "fastapi-verify"}, testFastAPIBlocks},
}

func testSwaggerUIBlocks(t *testing.T, blocks map[string]block) {
	for name, file := range map[string]string{
		"swagger-ui-run":         "Caddyfile",
		"swagger-ui-app":         "Caddyfile",
		"swagger-ui-site":        "Caddyfile",
		"swagger-ui-openapi":     "openapi.json",
		"swagger-ui-initializer": "swagger-initializer.js",
	} {
		wantIn(t, blocks[name], "examples/swagger-ui/"+file)
	}
	// the browser gets the version that its module has pinned
	var packages struct{ Dependencies map[string]string }
	unmarshal(t, repo.Read(t, "integration/browser/package.json"), &packages)
	major, _, _ := strings.Cut(packages.Dependencies["swagger-ui-dist"], ".")
	if !strings.Contains(blocks["swagger-ui-run"].text, " swagger-ui-dist@"+major+"\n") {
		t.Errorf("%s: the tests have version %s of swagger-ui-dist", blocks["swagger-ui-run"].place, major)
	}
	if !strings.Contains(repo.Read(t, "examples/swagger-ui/Caddyfile"), "root examples/swagger-ui/node_modules/swagger-ui-dist\n") {
		t.Error("examples/swagger-ui does not serve what npm installs there")
	}
}

func testFastAPIBlocks(t *testing.T, blocks map[string]block) {
	for name, file := range map[string]string{
		"fastapi-site":    "Caddyfile",
		"fastapi-run":     "Caddyfile",
		"fastapi-run-app": "Caddyfile",
		"fastapi-app":     "app.py",
		"fastapi-verify":  "verify.py",
	} {
		wantIn(t, blocks[name], "examples/fastapi/"+file)
	}
}

// wantIn fails the test unless the lines of a block are in a file one after the other,
// all with the same indent before them, or in a comment.
func wantIn(t *testing.T, b block, file string) {
	t.Helper()
	text := "\n" + repo.Read(t, file)
	for _, indent := range []string{"", "  ", "    ", "#     "} {
		lines := "\n"
		for line := range strings.Lines(b.text) {
			if line != "\n" {
				lines += indent
			}
			lines += line
		}
		if strings.Contains(text, lines) {
			return
		}
	}
	t.Errorf("%s: %s does not have these lines:\n%s", b.place, file, b.text)
}

// startApp is an app behind the example that says who is there.
func (e *example) startApp() {
	e.Site.T.Helper()
	listener, err := net.Listen("tcp", e.backend)
	if err != nil {
		e.Site.T.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %q, token %q", r.URL.Path, r.Header.Get("X-User"), r.Header.Get("Authorization"))
	})}
	go func() { _ = server.Serve(listener) }()
	e.Site.T.Cleanup(func() { _ = server.Close() })
}

func exampleSwaggerUI(t *testing.T, e *example) {
	e.startApp()
	origin := "http://localhost:" + e.second
	got := e.comments("swagger-ui")[0]
	for _, want := range []string{"HTTP/1.1 204", "Access-Control-Allow-Origin: " + origin, "Authorization, Content-Type, X-Requested-With"} {
		if !strings.Contains(got, want) {
			t.Errorf("the preflight of the comment has no %q: %s", want, got)
		}
	}
	for _, client := range [][2]string{{"swagger-ui", ""}, {"web", "demo-secret"}} {
		// as Swagger UI does where no scope is selected
		a := e.token("localhost", client[0], client[1], "alice", " ", "Origin: "+origin)
		a.Want(t, 200, "")
		if a.Header.Get("Access-Control-Allow-Origin") != origin || a.Text(t, "scope") != "contacts.read" {
			t.Errorf("%s: %v %s", client[0], a.Header, a.Body)
		}
		a = e.ask("localhost", "GET", "/contacts", "", "Authorization: Bearer "+a.Text(t, "access_token"), "Origin: "+origin)
		if string(a.Body) != `/contacts for "alice", token ""` || a.Header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("the call: %d %v %s", a.Status, a.Header, a.Body)
		}
	}
	// the page's own files; those of npm are not there
	for _, name := range []string{"swagger-initializer.js", "openapi.json"} {
		content, err := os.ReadFile(filepath.Join(e.Dir, "examples/swagger-ui", name))
		if err != nil {
			t.Fatal(err)
		}
		if a := e.Do(e.Request("GET", origin+"/"+name, "")); a.Status != 200 || string(a.Body) != string(content) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	var openAPI struct {
		Servers    []struct{ URL string }
		Components struct {
			SecuritySchemes map[string]struct {
				Flows map[string]struct{ TokenURL string }
			}
		}
	}
	if err := json.Unmarshal([]byte(repo.Read(t, "examples/swagger-ui/openapi.json")), &openAPI); err != nil {
		t.Fatal(err)
	}
	if openAPI.Servers[0].URL != "http://localhost:8080" || openAPI.Components.SecuritySchemes["edge"].Flows["password"].TokenURL != "http://localhost:8080/token" {
		t.Errorf("openapi.json names another site: %+v", openAPI)
	}
}

func exampleFastAPI(t *testing.T, e *example) {
	e.startApp()
	for path, status := range map[string]int{"/docs": 200, "/openapi.json": 200, "/me": 401, "/docs/x": 401} {
		if a := e.ask("localhost", "GET", path, ""); a.Status != status {
			t.Errorf("%s without a token: %d", path, a.Status)
		}
	}
	// as the page does where nothing is filled in
	a := e.ask("localhost", "POST", "/token", harness.UserForm("password", "alice-password", "scope", " "), "Authorization: Basic Og==")
	a.Want(t, 200, "")
	a = e.ask("localhost", "GET", "/me", "", "Authorization: Bearer "+a.Text(t, "access_token"))
	if string(a.Body) != `/me for "alice", token ""` {
		t.Errorf("the call: %d %s", a.Status, a.Body)
	}
}
