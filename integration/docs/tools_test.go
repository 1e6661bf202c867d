package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// toolGroups are recipes for other programs. integration/clienttools executes them,
// where the programs are.
var toolGroups = []group{
	{"tools at a prompt", []string{"type-password", "curl-login", "httpie-login", "newman-run"}, executedByTools},
	{"libraries", []string{"requests-login", "requests-oauthlib-login", "axios-login", "x-oauth2-login"}, executedByTools},
	{"nginx and Traefik in front", []string{"nginx-caddy", "nginx-server", "traefik-caddy", "traefik-dynamic"}, executedByTools},
}

// executedByTools fails the test unless a test there takes each block by its name.
func executedByTools(t *testing.T, _ map[string]block) {
	files, err := filepath.Glob(repo.Path("integration/clienttools/*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var taken []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`"([a-z0-9]+(?:-[a-z0-9]+)+)"`).FindAllStringSubmatch(string(content), -1) {
			taken = append(taken, name[1])
		}
	}
	for _, group := range toolGroups {
		for _, name := range group.blocks {
			if !slices.Contains(taken, name) {
				t.Errorf("no test of integration/clienttools executes the block %q", name)
			}
		}
	}
}
