// Package house holds the code to its layout: which package may import which, and how
// the files of the root package need each other. Its figures are shown by
//
//	go test -v ./internal/house
package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// module is the path of this one: the package is two folders below it.
var module = strings.TrimSuffix(reflect.TypeFor[listed]().PkgPath(), "/internal/house")

// listed is what the go command says about a package.
type listed struct {
	ImportPath string
	Dir        string
	Export     string // the file with its export data
	GoFiles    []string
	EmbedFiles []string
	Imports    []string

	TestImports, XTestImports []string
}

// list runs the go command from the root of the module.
func list(t *testing.T, args ...string) (packages []listed) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Export,GoFiles,EmbedFiles,Imports,TestImports,XTestImports"}, args...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages
		case err != nil:
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// local is the path of a package below the module, "." for the root, or not a package
// of ours.
func local(path string) (name string, ours bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	for _, p := range list(t, "./...") {
		name, _ := local(p.ImportPath)
		if len(p.GoFiles) == 0 || isForTests(name) || name == "." {
			continue // the root may import everything
		}
		may, listed := arrows[name]
		if !listed {
			t.Errorf("%s has no line in the table of packages", name)
		}
		for _, path := range p.Imports {
			if imported, ours := local(path); ours && !slices.Contains(may, imported) {
				t.Errorf("%s imports %s, which it must not know", name, imported)
			}
		}
	}
	for name, may := range arrows {
		if slices.Contains(may, ".") && name != "cmd/caddy" {
			t.Errorf("%s may import the root package, which imports it", name)
		}
	}
}

// Only the root package and caddyargs read the Caddyfile, and only the root counts for
// Prometheus. The check of a config looks for the lines of a Caddyfile.
func TestOnlyTheRootKnowsCaddyfileAndPrometheus(t *testing.T) {
	for _, p := range list(t, "./...") {
		name, _ := local(p.ImportPath)
		if isForTests(name) {
			continue
		}
		for what, allowed := range map[string][]string{
			"github.com/prometheus/client_golang/prometheus":              {"."},
			"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile":       {".", "internal/caddyargs", "internal/configreview"},
			"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile":   {".", "internal/configreview"},
			"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth": {"internal/configcheck"},
		} {
			if slices.Contains(p.Imports, what) && !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s", name, what)
			}
		}
	}
}

func isForTests(name string) bool {
	return name == "internal/standin" || name == "internal/realserver" || name == "integration" || strings.HasPrefix(name, "integration/")
}

// What is below the root can be tested without it, and without all that it needs.
func TestNoPackageBelowTheRootNeedsItEvenInItsTests(t *testing.T) {
	for _, p := range list(t, "./internal/...", "./directory/...") {
		if slices.Contains(slices.Concat(p.Imports, p.TestImports, p.XTestImports), module) {
			t.Errorf("%s imports the root", p.ImportPath)
		}
	}
}
