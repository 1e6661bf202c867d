package deploy

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// loadCompose reads a compose file as Docker Compose does, and checks it against the
// schema of the Compose Specification.
func loadCompose(ctx context.Context, file string, env ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithEnv(env), cli.WithResolvedPaths(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

func TestComposeFileIsHardened(t *testing.T) {
	project, err := loadCompose(t.Context(), inRepo(t, "examples/compose/compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if names := project.ServiceNames(); !slices.Equal(names, []string{"app", "edge"}) {
		t.Fatalf("the services are %v", names)
	}
	for name, service := range project.Services {
		if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || len(service.CapAdd) > 0 ||
			service.Privileged || !slices.Equal(service.SecurityOpt, []string{"no-new-privileges:true"}) {
			t.Errorf("%s may do too much: %+v", name, service)
		}
	}
	edge, app := project.Services["edge"], project.Services["app"]
	if networks := app.NetworksByPriority(); !slices.Equal(networks, []string{"inside"}) || !project.Networks["inside"].Internal || len(app.Ports) > 0 {
		t.Errorf("the app can be reached around the edge: networks %v, ports %v", networks, app.Ports)
	}
	for _, port := range edge.Ports {
		if port.HostIP != "127.0.0.1" {
			t.Errorf("before anything is changed, others can reach port %d", port.Target)
		}
	}
	for _, secret := range edge.Secrets {
		if file := project.Secrets[secret.Source].File; !strings.HasPrefix(file, filepath.Dir(inRepo(t, "examples/compose/compose.yaml"))) {
			t.Errorf("the secret %s is read from %s", secret.Source, file)
		} else if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
		if place := "{file./run/secrets/" + secret.Source + "}"; !strings.Contains(read(t, "examples/compose/caddy/Caddyfile"), place) {
			t.Errorf("the Caddyfile does not read %s", place)
		}
	}
	if len(edge.Secrets) != 1 {
		t.Errorf("%d secrets", len(edge.Secrets))
	}
}

// The .env file of the docs opens the site to the world, under its own name.
func TestComposeFileTakesTheSiteFromEnv(t *testing.T) {
	project, err := loadCompose(t.Context(), inRepo(t, "examples/compose/compose.yaml"),
		strings.Fields(docsBlock(t, "ini compose-env"))...)
	if err != nil {
		t.Fatal(err)
	}
	edge := project.Services["edge"]
	if site := edge.Environment["SITE"]; site == nil || *site != "api.example.com" {
		t.Errorf("SITE is %v", site)
	}
	for _, port := range edge.Ports {
		if port.HostIP != "0.0.0.0" {
			t.Errorf("port %d is published at %s", port.Target, port.HostIP)
		}
	}
}

func TestComposeFileWithAMistakeIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "compose.yaml")
	text := strings.Replace(read(t, "examples/compose/compose.yaml"), "cap_drop:", "cap_dropp:", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadCompose(t.Context(), file); err == nil {
		t.Error("an unknown key is accepted")
	}
}
