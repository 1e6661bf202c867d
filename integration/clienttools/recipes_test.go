// Package clienttools runs the recipes of docs/clients.md, docs/machines.md and
// docs/sites.md for other programs, each with the real program. The text of a recipe is what runs; only hosts,
// ports and paths are replaced.
package clienttools

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// need skips the test unless the variable says that the tools are there; then they must
// be.
func need(t *testing.T, tools ...string) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_CLIENTS") == "" {
		t.Skip("set CADDY_GRANT_CLIENTS where the tools of docs/clients.md are installed")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is needed for this test: .ci/run says how to install it", tool)
		}
	}
}

var fence = regexp.MustCompile("(?ms)^```[a-z]+ ([a-z0-9-]+)\n(.*?)^```$")

// recipe is the block of that name in the documentation, with pairs of texts and what
// stands in their place here. A text that is not in the block fails the test.
func recipe(t *testing.T, name string, pairs ...string) string {
	t.Helper()
	for _, page := range repo.Pages(t) {
		for _, block := range fence.FindAllStringSubmatch(page.Text, -1) {
			if block[1] != name {
				continue
			}
			for i := 0; i < len(pairs); i += 2 {
				if !strings.Contains(block[2], pairs[i]) {
					t.Fatalf("the recipe %s has no %s, which this test replaces:\n%s", name, pairs[i], block[2])
				}
			}
			return strings.NewReplacer(pairs...).Replace(block[2])
		}
	}
	t.Fatalf("no page of docs has a block %s", name)
	return ""
}

// short fails the test if a recipe has more than ten lines.
func short(t *testing.T, name string) {
	t.Helper()
	if lines := strings.Count(recipe(t, name), "\n"); lines > 10 {
		t.Errorf("the recipe %s has %d lines, and ten are enough", name, lines)
	}
}

// command runs a program until it ends and returns what it printed, of both kinds.
func command(t *testing.T, dir string, env []string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, environment(env)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// environment is that of the tests without what would change a recipe.
func environment(more []string) []string {
	var env []string
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			env = append(env, pair)
		}
	}
	return append(env, more...)
}

// typed runs a script of sh at a terminal, and types the password when it is asked for.
// It returns what the terminal showed.
func typed(t *testing.T, dir, script, password string, env ...string) (string, error) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "typed.sh"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "script", "-qec", "sh -eu typed.sh", "/dev/null")
	cmd.Dir, cmd.Env = dir, environment(append(env, "SHELL=/bin/sh"))
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	terminal := &screen{prompt: "Password: ", asked: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = terminal, terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-terminal.asked:
		_, _ = io.WriteString(keyboard, password+"\n")
		err = <-ended
	case err = <-ended:
	}
	return terminal.String(), err
}

// screen is what a terminal shows.
type screen struct {
	mu     sync.Mutex
	shown  bytes.Buffer
	prompt string
	asked  chan struct{} // closed when the prompt is there
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := bytes.Contains(s.shown.Bytes(), []byte(s.prompt))
	s.shown.Write(p)
	if !before && bytes.Contains(s.shown.Bytes(), []byte(s.prompt)) {
		close(s.asked)
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// npm installs the packages of testdata/npm once for all tests, and returns the
// directory that has them in node_modules.
func npm(t *testing.T) string {
	t.Helper()
	dir, err := npmInstalled()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var npmInstalled = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "clienttools-npm-")
	if err != nil {
		return "", err
	}
	npmDir = dir
	if err := os.CopyFS(dir, os.DirFS(repo.Path("integration/clienttools/testdata/npm"))); err != nil {
		return "", err
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if output, err := install.CombinedOutput(); err != nil {
		return "", &installError{err, string(output)}
	}
	return dir, nil
})

var npmDir string // removed by TestMain

type installError struct {
	err    error
	output string
}

func (e *installError) Error() string { return "npm ci: " + e.err.Error() + "\n" + e.output }

func TestMain(m *testing.M) {
	code := m.Run()
	if npmDir != "" {
		_ = os.RemoveAll(npmDir)
	}
	os.Exit(code)
}

// secretsIn writes the files that the recipes read, for whoever starts a tool.
func secretsIn(t *testing.T, password string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"web.secret": "web-secret", "alice.password": password} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const password = "correct horse & +%=battery" // what a tool that does not encode gets wrong

// toolSite has the client and the user of the recipes, and makes each further attempt
// wait after a single failure.
const toolSite = `http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer http://localhost
		scopes contacts.read contacts.write
		client web {
			secret web-secret
			scopes contacts.read contacts.write
		}
		user alice %HASH%
		throttle {
			failures 1
			delay %DELAY% %DELAY%
		}
	}
	bearer_auth {
		scopes contacts.read
		copy_claims sub>X-User
	}
	respond "hello {http.request.header.X-User}"
}
`

// How long the edge tells a client to wait: a tool that does has its token soon, and one
// that does not must be told so however slow the machine is.
const soon, long = "3s", "1h"

func startSite(t *testing.T, delay string) *harness.Site {
	t.Helper()
	return harness.Start(t, strings.NewReplacer("%HASH%", harness.CheapHash(t, password), "%DELAY%", delay).Replace(toolSite))
}

// origin is what stands for https://api.example.com.
func origin(s *harness.Site) string { return "http://" + s.Address() }

// waits fails the test unless a tool that is told to wait gets its token all the same.
// The attempt that fails before it is one of this test's.
func waits(t *testing.T, s *harness.Site, login func(t *testing.T) string) {
	t.Helper()
	for range 5 { // a slow machine may have waited before the tool starts
		harness.Eventually(t, "nobody has to wait", func() bool {
			return s.Login("alice", harness.WrongPassword()).Status == 400
		})
		before := len(s.Refusals())
		if printed := login(t); !strings.Contains(printed, "hello alice") {
			t.Fatalf("it printed %s", printed)
		}
		told := 0
		for _, refusal := range s.Refusals()[before:] {
			if refusal["status"] == 429.0 {
				told++
			}
		}
		if told > 1 {
			t.Errorf("it was told to wait %d times, and came back too early", told)
		}
		if told > 0 {
			return
		}
	}
	t.Fatal("it was never told to wait")
}
