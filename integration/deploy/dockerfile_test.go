package deploy

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/opencontainers/go-digest"
)

// noRegistry stands for the registry that the linter asks about the base images.
type noRegistry struct{}

func (noRegistry) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return ref, digest.FromString(ref), []byte(`{"architecture":"amd64","os":"linux"}`), nil
}

// lint is what `docker build --check` says.
func lint(t *testing.T, dockerfile string) []string {
	t.Helper()
	source := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", []byte(dockerfile))
	source.Definition = &llb.Definition{}
	results, err := dockerfile2llb.DockerfileLint(t.Context(), []byte(dockerfile), dockerfile2llb.ConvertOpt{
		MetaResolver: noRegistry{},
		SourceMap:    source,
	})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	if results.Error != nil {
		found = append(found, results.Error.Message)
	}
	for _, warning := range results.Warnings {
		found = append(found, warning.RuleName+": "+warning.Detail)
	}
	return found
}

func TestDockerfilePassesItsLinter(t *testing.T) {
	if found := lint(t, read(t, "Dockerfile")); len(found) > 0 {
		t.Error(strings.Join(found, "\n"))
	}
	// and the linter finds something where there is something
	for _, wrong := range []string{"FROM caddy AS a\nCMD caddy run\n", "FROM caddy\nCOPYY . .\n", "FROM caddy\nENV WEB_SECRET=x\n"} {
		if len(lint(t, wrong)) == 0 {
			t.Errorf("nothing found in\n%s", wrong)
		}
	}
}

func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	parsed, err := parser.Parse(strings.NewReader(read(t, "Dockerfile")))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stages
}

func TestBaseImagesAreTheVersionsOfGoMod(t *testing.T) {
	goMod := read(t, "go.mod")
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(goMod)
	caddyVersion := regexp.MustCompile(`(?m)^\tgithub.com/caddyserver/caddy/v2 v(\S+)$`).FindStringSubmatch(goMod)
	if goVersion == nil || caddyVersion == nil {
		t.Fatal("go.mod has no version of Go or Caddy")
	}
	var got []string
	for _, stage := range stages(t) {
		got = append(got, stage.BaseName)
	}
	if want := []string{"golang:" + goVersion[1], "caddy:" + caddyVersion[1]}; !slices.Equal(got, want) {
		t.Errorf("the base images are %v, want %v", got, want)
	}
}

// Only code gets into the image's build, so that no secret can.
// embedded are the kinds of files that the code embeds: pages, their style, and the list of
// common passwords.
var embedded = []string{".gohtml", ".css", ".gz"}

func TestBuildContextIsCodeAlone(t *testing.T) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(read(t, ".dockerignore")))
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	ignored := func(name string) bool {
		t.Helper()
		is, err := matcher.MatchesOrParentMatches(name)
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	root := inRepo(t, ".")
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name == ".git" || entry.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		base := filepath.Base(name)
		code := filepath.Ext(name) == ".go" || slices.Contains(embedded, filepath.Ext(name)) || base == "go.mod" || base == "go.sum" || name == "xcaddy.txt"
		if !code && !ignored(name) {
			t.Errorf("%s gets into the build", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		".git/config", ".env", "web.secret", "users.htpasswd", "users.json", "key.pem", "caddy", "tools/key.pem",
		"internal/token/web.secret", "directory/users.json", ".caddy-grant-example/grant/key", "examples/compose/secrets/web.secret",
	} {
		if !ignored(name) {
			t.Errorf("%s would get into the build", name)
		}
	}
	for _, name := range []string{"go.mod", "module.go", "tools/go.sum", "internal/token/claims.go"} {
		if _, err := os.Stat(filepath.Join(root, filepath.Dir(name))); err != nil {
			t.Fatal(err)
		}
		if ignored(name) {
			t.Errorf("%s does not get into the build", name)
		}
	}
}
