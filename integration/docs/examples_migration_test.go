package docs

import (
	"regexp"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// moved are the examples of sites that moved here: what the script of the comment gets.
// integration/migration has what they keep of before.
var moved = map[string]string{
	"from-apache":    "Only alice reads this\n",
	"from-lighttpd":  "Only alice reads this\n",
	"from-nginx":     "user alice",
	"from-traefik":   "user alice",
	"from-authelia":  "user alice of admins,staff",
	"basic-upstream": "alice came with Basic ZWRnZTppbm5lci1zZWNyZXQ=",
}

func exampleMoved(name string) func(*testing.T, *example) {
	return func(t *testing.T, e *example) {
		if app := appOfComment(t, name); app != nil {
			cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), "respond", "--listen", e.backend, app[2])
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			})
			bearer := e.token("localhost", "scripts", "demo-secret", "alice", "").Text(t, "access_token")
			harness.Eventually(t, "the app listens", func() bool {
				return e.ask("localhost", "GET", "/", "", harness.Bearer(bearer)).Status == 200
			})
		}
		if got := e.comments(name)[0]; got != moved[name] {
			t.Errorf("the script of the comment gets %q, want %q", got, moved[name])
		}
		if a := e.ask("localhost", "GET", "/", ""); a.Status != 401 {
			t.Errorf("it is open: %d", a.Status)
		}
	}
}

// appOfComment is the command of the comment that runs an app: where it listens, and
// what it answers.
func appOfComment(t *testing.T, name string) []string {
	t.Helper()
	return regexp.MustCompile(`(?m)^#     go run ./cmd/caddy respond --listen (127\.0\.0\.1:9000) '(.*)'$`).
		FindStringSubmatch(repo.Read(t, "examples/"+name+"/Caddyfile"))
}
