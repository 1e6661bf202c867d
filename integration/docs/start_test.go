package docs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

func testDemo(t *testing.T, blocks map[string]block) {
	s := harness.NewSite(t)
	port := strconv.Itoa(s.Port)
	s.Write("Caddyfile.example", strings.ReplaceAll(repo.Read(t, "Caddyfile.example"), "8080", port))
	args, ok := strings.CutPrefix(blocks["run"].text, "go run ./cmd/caddy run --config ")
	if !ok {
		t.Fatalf("not the command that runs it: %s", blocks["run"].text)
	}
	p := harness.StartProcess(t, s.Dir, strings.TrimSpace(args))

	curl := strings.ReplaceAll(blocks["curl"].text, "8080", port)
	answer := shell(t, s.Dir, curl, "")
	if strings.Count(answer, "\n") != 1 {
		t.Errorf("not one line: %q", answer)
	}
	sameMembers(t, blocks["answer"], answer)

	var got, want struct {
		TokenType    string `json:"token_type"`
		ExpiresIn    int    `json:"expires_in"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		Scope        string `json:"scope"`
	}
	unmarshal(t, answer, &got)
	unmarshal(t, blocks["answer"].text, &want)
	claims := decodePart(t, got.AccessToken, 1)
	for _, tokens := range [][2]string{{got.AccessToken, want.AccessToken}, {got.RefreshToken, want.RefreshToken}} {
		begins, cut := strings.CutSuffix(tokens[1], "…")
		if !cut || !strings.HasPrefix(tokens[0], begins[:len(begins)-1]) { // the last character is half of the key id
			t.Errorf("the docs have the token %s, the answer %.40s…", tokens[1], tokens[0])
		}
	}
	got.AccessToken, got.RefreshToken, want.AccessToken, want.RefreshToken = "", "", "", ""
	if got != want {
		t.Errorf("the docs say %+v, the answer %+v", want, got)
	}
	sameMembers(t, blocks["payload"], claims)

	if got := shell(t, s.Dir, strings.ReplaceAll(blocks["call"].text, "8080", port), ""); got != blocks["call-answer"].text {
		t.Errorf("/contacts says %q, the docs %q", got, blocks["call-answer"].text)
	}
	s.Do(s.Request("GET", "/contacts", "", "X-User: demo")).Want(t, 401, "")

	logout := shell(t, s.Dir, strings.ReplaceAll(blocks["call"].text+blocks["logout"].text, "8080", port), "")
	if after, found := strings.CutPrefix(logout, blocks["call-answer"].text+"{}\n"); !found || !strings.HasPrefix(after, "HTTP/1.1 401 ") {
		t.Errorf("logging out prints %q", logout)
	}

	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	unmarshal(t, shell(t, s.Dir, strings.ReplaceAll(blocks["jwks"].text, "8080", port), ""), &set)
	if len(set.Keys) != 1 {
		t.Errorf("there are %d keys", len(set.Keys))
	}

	shell(t, s.Dir, strings.Replace(curl, "password=demo-password", "password=wrong", 1), "")
	var refusals []string
	for line := range strings.Lines(p.Printed()) {
		if strings.Contains(line, `"logger":"http.handlers.token_endpoint"`) && strings.Contains(line, "request refused") {
			refusals = append(refusals, line)
		}
	}
	if len(refusals) != 1 {
		t.Fatalf("there are %d lines about a refused request in\n%s", len(refusals), p.Printed())
	}
	sameMembers(t, blocks["log-line"], refusals[0])
	var gotLine, wantLine map[string]any
	unmarshal(t, refusals[0], &gotLine)
	unmarshal(t, blocks["log-line"].text, &wantLine)
	for _, measured := range []string{"ts", "duration"} {
		if reflect.TypeOf(gotLine[measured]) != reflect.TypeOf(wantLine[measured]) {
			t.Errorf("%s is %v", measured, gotLine[measured])
		}
		delete(gotLine, measured)
		delete(wantLine, measured)
	}
	if !reflect.DeepEqual(gotLine, wantLine) {
		t.Errorf("the docs' log line is %v, the log's %v", wantLine, gotLine)
	}
	p.Stop()

	for _, file := range readDir(t, s.Dir) {
		if file != "Caddyfile.example" && file != ".caddy-grant-example" {
			t.Errorf("the demo left %s behind", file)
		}
	}
}

func testTestCommand(t *testing.T, blocks map[string]block) {
	if command := strings.TrimSpace(blocks["tests"].text); !strings.Contains(repo.Read(t, ".ci/run"), command) {
		t.Errorf(".ci/run does not run %q", command)
	}
}

func testBuild(t *testing.T, blocks map[string]block) {
	if command := strings.TrimSpace(blocks["xcaddy"].text); !strings.Contains(repo.Read(t, ".ci/run"), command+" ") {
		t.Errorf(".ci/run does not run %q", command)
	}

	gomod := repo.Read(t, "go.mod")
	module := regexp.MustCompile(`(?m)^module (\S+)$`).FindStringSubmatch(gomod)[1]
	version := regexp.MustCompile(`(?m)^\s*github.com/caddyserver/caddy/v2 v(\S+)$`).FindStringSubmatch(gomod)[1]
	if want := "It needs Caddy " + version + " or newer."; !strings.Contains(repo.Docs(t), want) {
		t.Errorf("the docs do not say %q", want)
	}
	published := strings.TrimSpace(blocks["xcaddy-published"].text)
	if want := "xcaddy build --with " + module; published != want {
		t.Errorf("got %q, want %q", published, want)
	}
	if want := "build v" + version + " --with " + module + "@v0.0.0=.\n"; !strings.HasSuffix(repo.Read(t, "xcaddy.txt"), "\n"+want) {
		t.Errorf("xcaddy.txt is not %q", want)
	}
}

func testFirstSite(t *testing.T, blocks map[string]block) {
	const password = "a pass+word & 100%"
	r := newRecipe(t)
	for _, file := range []string{"users.htpasswd", "web.secret"} {
		if err := os.Remove(filepath.Join(r.etc, file)); err != nil {
			t.Fatal(err)
		}
	}
	files := r.Path("files")
	if err := os.Mkdir(files, 0o700); err != nil {
		t.Fatal(err)
	}
	shell(t, files, blocks["first-files"].text, password+"\n")
	install, found := strings.CutPrefix(blocks["first-install"].text, "sudo install -o caddy -g caddy ")
	if !found {
		t.Fatalf("not the command that installs the files: %s", blocks["first-install"].text)
	}
	shell(t, files, fmt.Sprintf("install -o %d -g %d %s", os.Getuid(), os.Getgid(), strings.ReplaceAll(install, "/etc/caddy", r.etc)), "")
	for _, file := range []string{"users.htpasswd", "web.secret"} {
		if info, err := os.Stat(filepath.Join(r.etc, file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others can read %s: %v %v", file, info, err)
		}
	}
	if secret, _ := os.ReadFile(filepath.Join(r.etc, "web.secret")); !regexp.MustCompile(`^[0-9a-f]{64}$`).Match(secret) {
		t.Fatalf("not a secret: %q", secret)
	}
	r.serve(blocks["first-site"].text)

	login := strings.ReplaceAll(blocks["first-login"].text, "https://api.example.com", r.URL(""))
	var answer map[string]any
	unmarshal(t, bash(t, r.etc, blocks["first-password"].text+login, password+"\n"), &answer)
	if answer["scope"] != "" || answer["refresh_token"] == "" {
		t.Errorf("the scope is %q, the refresh token %q", answer["scope"], answer["refresh_token"])
	}

	token, _ := answer["access_token"].(string)
	call := strings.ReplaceAll(blocks["first-call"].text, "https://api.example.com", r.URL(""))
	call = strings.Replace(call, "curl ", "curl -s -H 'X-User: mallory' -H 'X_User: mallory' ", 1)
	if body := shell(t, r.etc, call, "", "TOKEN="+token); body != "the app at /contacts" {
		t.Errorf("got %q", body)
	}
	if got := r.lastReceived(); got.Get("X-User") != "alice" || got.Get("Authorization") != "" {
		t.Errorf("the app received %v", got)
	}
	r.wantStatus("/contacts", 401)

	testBothSites(t, blocks)
}

// The README adds its second site to the Caddyfile that has the first.
func testBothSites(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["first-site"].text + blocks["people"].text)
	people := r.browser().at("app.example.com")
	people.logIn("/page")
	people.wantOpen("/page", 200, "the app at /page")
	people.wantAlice()
	login := r.loginRequest()
	login.Host = "api.example.com"
	token := harness.Bearer(r.Do(login).Text(t, "access_token"))
	for host, want := range map[string]int{"api.example.com": 200, "app.example.com": 401} {
		if a := r.browser().at(host).fetch("GET", "/page", token); a.Status != want {
			t.Errorf("a token of the first site at %s: %d %s, want %d", host, a.Status, a.Body, want)
		}
	}
}

func testScopedSite(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve(blocks["scoped-site"].text)
	login := r.Do(r.loginRequest())
	if login.JSON["scope"] != "contacts.read contacts.write" {
		t.Errorf("got %s", login.Body)
	}
	narrow := r.Post("/token", "grant_type=password&username=alice&password=correct+horse&scope=contacts.write", harness.Basic("web", "web-secret"))
	r.wantStatus("/contacts", 403, harness.Bearer(narrow.Text(t, "access_token")))
	r.wantStatus("/contacts", 200, harness.Bearer(login.Text(t, "access_token")), "User-Agent: curl", "Accept: */*", "X-User: mallory")
	lines := strings.Split(strings.TrimSpace(blocks["scoped-received"].text), "\n")
	received := r.lastReceived()
	if lines[0] != "GET /contacts HTTP/1.1" || received.Get("X-User") != "alice" {
		t.Errorf("the app received %v", received)
	}
	want := make(map[string]bool)
	for _, line := range lines[1:] {
		name, _, _ := strings.Cut(line, ": ")
		want[name] = true
	}
	delete(want, "Host")
	if got := slices.Sorted(maps.Keys(received)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("the app received %v, the docs say %v", got, want)
	}
	r.wantStatus("/contacts", 401)
}

// The help says what the docs say about commands of Caddy's own.
func TestDocsHashPassword(t *testing.T) {
	for args, prefix := range map[string]string{"": "$2a$14$", "--algorithm argon2id": "$argon2id$v=19$m=47104,t=1,p=1$"} {
		cmd := harness.CaddyCommand(context.Background(), t, t.TempDir(), append([]string{"hash-password", "--plaintext", "p"}, strings.Fields(args)...)...)
		if output, err := cmd.Output(); err != nil || !strings.HasPrefix(string(output), prefix) {
			t.Errorf("caddy hash-password %s: %s %v", args, output, err)
		}
	}
}
