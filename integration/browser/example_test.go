package browser

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// packages is a directory with the node_modules of package-lock.json, for all tests.
// npm works on a copy, so that the checkout stays as it is.
var packages = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "caddy-grant-npm-")
	if err != nil {
		return "", err
	}
	removePackages = func() { _ = os.RemoveAll(dir) }
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return "", err
		}
	}
	npm := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	npm.Stderr = os.Stderr
	return filepath.Join(dir, "node_modules"), npm.Run()
})

var removePackages = func() {}

// npmFile is the path of a file or directory in node_modules.
func npmFile(t *testing.T, name string) string {
	t.Helper()
	dir, err := packages()
	if err != nil {
		t.Fatalf("npm ci: %v", err)
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

// example is a directory of examples in a copy, on ports of its own.
type example struct {
	t     *testing.T
	name  string
	dir   string            // the root of the copy
	ports map[string]string // what stands in the files, and what is there in truth
	caddy *harness.Process
}

// copyExample puts ports of its own in place of all in the files, and of those with the
// additional replacements.
func copyExample(t *testing.T, name string, replacements ...string) *example {
	t.Helper()
	e := &example{t: t, name: name, dir: t.TempDir(), ports: make(map[string]string)}
	for _, port := range []string{"8080", "8081", "9000"} {
		e.ports[port] = strconv.Itoa(harness.FreePort(t))
		replacements = append(replacements, port, e.ports[port])
	}
	source := repo.Path("examples/" + name)
	entries, err := os.ReadDir(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(e.path(""), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() { // node_modules, where someone tried the example
			continue
		}
		text := strings.NewReplacer(replacements...).Replace(repo.Read(t, "examples/"+name+"/"+entry.Name()))
		if err := os.WriteFile(e.path(entry.Name()), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// start runs the edge.
func (e *example) start() {
	e.t.Helper()
	e.caddy = harness.StartProcess(e.t, e.dir, "examples/"+e.name+"/Caddyfile")
}

func (e *example) path(file string) string {
	return filepath.Join(e.dir, "examples", e.name, file)
}

// url of a path at what the files call localhost:<port>.
func (e *example) url(port, path string) string { return "http://localhost:" + e.ports[port] + path }

// app stands behind the edge, where the files have localhost:9000, and keeps the
// requests that come to it.
type app struct {
	mu   sync.Mutex
	seen []http.Header
}

func (e *example) startApp() *app {
	e.t.Helper()
	a := new(app)
	listener, err := net.Listen("tcp", "127.0.0.1:"+e.ports["9000"])
	if err != nil {
		e.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.seen = append(a.seen, r.Header.Clone())
		a.mu.Unlock()
		_, _ = w.Write([]byte("hello " + r.Header.Get("X-User")))
	})}
	go func() { _ = server.Serve(listener) }()
	e.t.Cleanup(func() { _ = server.Close() })
	return a
}

// take returns what came since the last call.
func (a *app) take() []http.Header {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen
	a.seen = nil
	return seen
}
