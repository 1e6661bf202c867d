package house

import (
	"os"
	"path"
	"strings"
	"testing"
)

// An image that lacks a package is only found out where there is a Docker or a Podman.
func TestImagesAreBuiltFromAllThatTheRootPackageNeeds(t *testing.T) {
	text, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			rules = append(rules, line)
		}
	}
	ours := 0
	for _, p := range list(t, "-deps", ".") {
		name, is := local(p.ImportPath)
		if !is {
			continue
		}
		ours++
		for _, file := range append(p.GoFiles, p.EmbedFiles...) {
			if file := path.Join(name, file); ignored(rules, file) {
				t.Errorf("%s is not in the image, says .dockerignore", file)
			}
		}
	}
	if ours < 20 {
		t.Errorf("only %d packages", ours)
	}
	for _, file := range []string{"Caddyfile.example", "bench/main.go", "internal/password/testdata/x", "internal/oauth/error_test.go"} {
		if !ignored(rules, file) {
			t.Errorf("%s is in the image", file)
		}
	}
}

// ignored tells whether the last rule that is about a file, or about a folder that it is
// in, leaves it out.
func ignored(rules []string, file string) (is bool) {
	for _, rule := range rules {
		pattern, keeps := strings.CutPrefix(rule, "!")
		anywhere := strings.HasPrefix(pattern, "**/")
		pattern = strings.TrimPrefix(pattern, "**/")
		for at := file; at != "."; at = path.Dir(at) {
			of := at
			if anywhere {
				of = path.Base(at)
			}
			if matches, err := path.Match(pattern, of); err == nil && matches {
				is = !keeps
			}
		}
	}
	return is
}
