package docs

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

func exampleEdge(t *testing.T, e *example) {
	// the app of the comment, on a port of its own: the one of the example is replaced too
	app := regexp.MustCompile(`(?m)^#     go run ./cmd/caddy respond --listen (\S+) '(.*)'$`).FindStringSubmatch(repo.Read(t, "examples/edge/Caddyfile"))
	if app == nil {
		t.Fatal("the comment does not say how to run an app")
	}
	text := repo.Read(t, "examples/edge/Caddyfile")
	if !strings.Contains(text, "reverse_proxy "+app[1]+"\n") {
		t.Fatalf("the example does not proxy to %s", app[1])
	}
	cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), "respond", "--listen", e.backend, app[2])
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	harness.Eventually(t, "the app listens", func() bool { return e.ask("localhost", "GET", "/healthz", "").Status == 200 })

	if got := e.comments("edge")[0]; got != "user alice, groups staff,ops" {
		t.Errorf("the app says %q", got)
	}
	tokens := make(map[string]string)
	for _, user := range []string{"alice", "bob"} {
		a := e.token("localhost", "web", "demo-secret", user, "")
		a.Want(t, 200, "")
		tokens[user] = a.Text(t, "access_token")
	}
	for _, test := range []struct {
		name, method, path, token string
		status                    int
		body                      string
	}{
		{"no token", "GET", "/contacts", "", 401, ""},
		{"an altered token", "GET", "/contacts", "x" + tokens["alice"], 401, ""},
		{"alice reads", "GET", "/contacts", tokens["alice"], 200, "user alice, groups staff,ops"},
		{"alice writes", "POST", "/contacts", tokens["alice"], 200, "user alice, groups staff,ops"},
		{"bob reads", "GET", "/contacts", tokens["bob"], 200, "user bob, groups staff"},
		{"bob writes", "POST", "/contacts", tokens["bob"], 403, ""},
		{"a health check", "GET", "/healthz", "", 200, "user , groups "},
		{"what some apps take for another path", "DELETE", "/healthz;x", "", 401, ""},
		{"what Caddy's matchers take for it", "GET", "//healthz", "", 401, ""},
	} {
		headers := []string{"X-User: mallory", "X-Groups: admins"}
		if test.token != "" {
			headers = append(headers, "Authorization: Bearer "+test.token)
		}
		if a := e.ask("localhost", test.method, test.path, "", headers...); a.Status != test.status || string(a.Body) != test.body {
			t.Errorf("%s: %d %q, want %d %q", test.name, a.Status, a.Body, test.status, test.body)
		}
	}

	// a user who is removed is out within seconds, without a reload
	users := repo.Read(t, "examples/edge/users.json")
	e.Write("examples/edge/users.json", strings.Replace(users, `"bob"`, `"robert"`, 1))
	changed := time.Now()
	harness.Eventually(t, "bob is out", func() bool {
		return e.ask("localhost", "GET", "/contacts", "", "Authorization: Bearer "+tokens["bob"]).Status == 401
	})
	if took := time.Since(changed); took > 15*time.Second {
		t.Errorf("it took %v, the docs say some 4 to 6 seconds", took)
	}
	if a := e.ask("localhost", "GET", "/contacts", "", "Authorization: Bearer "+tokens["alice"]); a.Status != 200 {
		t.Errorf("alice is out too: %d", a.Status)
	}
}

func exampleFromBasicAuth(t *testing.T, e *example) {
	for i, got := range e.comments("from-basic-auth") {
		if got != "You are alice.\n" {
			t.Errorf("%d: got %q", i, got)
		}
	}
	a := e.token("localhost", "web", "demo-secret", "alice", "")
	a.Want(t, 200, "")
	for _, test := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"a password", []string{harness.Basic("alice", "alice-password")}, 200},
		{"a token", []string{"Authorization: Bearer " + a.Text(t, "access_token")}, 200},
		{"nothing", nil, 401},
		{"a wrong password", []string{harness.Basic("alice", "wrong")}, 401},
		{"a bad token", []string{"Authorization: Bearer x"}, 401},
		{"neither scheme", []string{"Authorization: Bearerx y"}, 401},
		{"both", []string{harness.Basic("alice", "wrong"), "Authorization: Bearer " + a.Text(t, "access_token")}, 400},
	} {
		got := e.ask("localhost", "GET", "/", "", append(test.headers, "X-User: mallory")...)
		if got.Status != test.status || test.status == 200 && string(got.Body) != "You are alice.\n" {
			t.Errorf("%s: %d %q", test.name, got.Status, got.Body)
		}
	}
}
