package command

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// intended are the findings of the examples, apart from secrets in the config, which
// are there to be tried out without another file.
var intended = map[string][]string{
	"examples/htpasswd/Caddyfile": {"no-audience"}, // its app checks no tokens
}

func TestTheExamplesHaveNoFindingsThatAreNotIntended(t *testing.T) {
	dir := publicDir(t)
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS(repo.Path("examples"))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile.example"), []byte(repo.Read(t, "Caddyfile.example")), 0o640); err != nil {
		t.Fatal(err)
	}
	configs := []string{"Caddyfile.example"}
	err := filepath.WalkDir(filepath.Join(dir, "examples"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if entry.Name() == "Caddyfile" && filepath.Base(filepath.Dir(path)) != "events" { // which needs another module
			name, _ := filepath.Rel(dir, path)
			configs = append(configs, filepath.ToSlash(name))
		}
		return os.Chmod(path, 0o640) // a checkout cannot keep that
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(configs) < 15 {
		t.Fatalf("there are only %v", configs)
	}
	for _, name := range configs {
		config := filepath.Join(dir, name)
		content, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		// where the container has them
		inside := strings.NewReplacer("/etc/caddy/", filepath.Dir(config)+"/", "/run/secrets/web_secret", filepath.Join(dir, "examples/compose/secrets/web.secret"))
		if err := os.WriteFile(config, []byte(inside.Replace(string(content))), 0o640); err != nil {
			t.Fatal(err)
		}
		var rules []string
		findings := checked(t, dir, "--config", name, "--adapter", "caddyfile", "--ignore", "plaintext-secret", "--level", "warning")
		for _, f := range findings {
			rules = append(rules, f.Rule)
		}
		if !slices.Equal(rules, intended[name]) {
			t.Errorf("%s: %+v, want %v", name, findings, intended[name])
		}
	}
}
