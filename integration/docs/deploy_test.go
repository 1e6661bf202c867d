package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

var deployGroups = []group{
	{"integration/deploy runs what docs/deploy.md says", []string{
		"image-build", "image-owner", "compose-up", "compose-token", "compose-answer", "compose-secret", "compose-user", "compose-reload", "compose-env",
		"systemd-install", "systemd-restart", "systemd-secret", "systemd-site",
	}, testDeploy},
}

// Podman and systemd execute these blocks in a module of their own, with a step of
// .ci/run that fails if they did not.
func testDeploy(t *testing.T, blocks map[string]block) {
	files, err := filepath.Glob(repo.Path("integration/deploy/*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	for name, b := range blocks {
		if strings.HasPrefix(b.place, "docs/deploy.md:") && !strings.Contains(tests.String(), `docsBlock(t, "`+b.lang+" "+name+`")`) {
			t.Errorf("%s: integration/deploy does not run the block %q", b.place, name)
		}
	}
	if !strings.Contains(repo.Read(t, ".ci/run"), "CADDY_GRANT_PODMAN=1 go -C integration/deploy test") {
		t.Error(".ci/run does not run integration/deploy with Podman")
	}
}
