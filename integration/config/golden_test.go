// Package config tests configs, the files that they name and the warnings about both.
package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// update writes what comes out into the goldens: go test ./integration/config -run Golden
// -update
var update = flag.Bool("update", false, "rewrite the expectations in testdata/adapt")

const (
	goldenDir       = "testdata/adapt"
	goldenExtension = ".caddyfiletest"
	goldenSeparator = "----------\n"
)

// Each golden is a Caddyfile, a line of dashes, and the JSON or the error that comes of
// it, as in Caddy's own tests. Unlike there, the error is the whole one.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(goldenDir, "*"+goldenExtension))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 || len(files) != len(entries) {
		t.Fatalf("%s has %d goldens among %d entries", goldenDir, len(files), len(entries))
	}
	var configs, errors int
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), goldenExtension)
		t.Run(strings.ReplaceAll(name, "-", " "), func(t *testing.T) {
			if testGolden(t, file) {
				configs++
			} else {
				errors++
			}
		})
	}
	if !t.Failed() && flag.Lookup("test.run").Value.String() == "" && (configs == 0 || errors == 0) {
		t.Errorf("there are %d goldens of a config and %d of an error", configs, errors)
	}
}

// testGolden tells whether the golden expects a config rather than an error.
func testGolden(t *testing.T, file string) bool {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	input, expected, found := strings.Cut(string(content), goldenSeparator)
	if !found {
		t.Fatalf("%s has no line %q", file, strings.TrimSpace(goldenSeparator))
	}
	if warning, different := caddyfile.FormattingDifference("Caddyfile", []byte(input)); different {
		t.Errorf("line %d of the input is not as `caddy fmt` writes it", warning.Line)
	}
	wantConfig := strings.HasPrefix(expected, "{")

	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), nil)
	if len(warnings) > 0 {
		t.Errorf("the adapter warns: %v", warnings)
	}
	var got string
	switch {
	case err == nil && !wantConfig:
		t.Fatalf("expected this error, but there was none: %s", expected)
	case err != nil && wantConfig:
		t.Fatalf("expected a config, but there was this error: %v", err)
	case err != nil:
		got = err.Error() + "\n"
		for _, secret := range secretsIn(input) {
			if strings.Contains(got, secret) {
				t.Errorf("the error repeats a secret of the input: %s", got)
			}
		}
		if !strings.Contains(got, ", at Caddyfile:") {
			t.Errorf("the error does not name file and line: %s", got)
		}
	default:
		var indented bytes.Buffer
		if err := json.Indent(&indented, config, "", "\t"); err != nil {
			t.Fatal(err)
		}
		got = indented.String() + "\n"
	}
	if got == expected {
		return wantConfig
	}
	if !*update {
		t.Fatalf("got:\n%s\nwant:\n%s\nIf what came out is right, run: go test ./integration/config -run TestGolden -update", got, expected)
	}
	if err := os.WriteFile(file, []byte(input+goldenSeparator+got), 0o644); err != nil {
		t.Fatal(err)
	}
	return wantConfig
}

// secretsIn returns what no error may repeat: every hash, and every word that says it
// is a secret. All secrets of the goldens do.
func secretsIn(caddyfile string) []string {
	return secretWord.FindAllString(caddyfile, -1)
}

var secretWord = regexp.MustCompile(`\$(?:2y|argon2id|apr1)\$[^\s"]+|[^\s"]*s3cret[^\s"]*`)

// rateLimit stands for the rate limiters of others, with the place in the order that
// caddy-ratelimit has.
type rateLimit struct{}

func init() {
	caddy.RegisterModule(rateLimit{})
	httpcaddyfile.RegisterHandlerDirective("rate_limit", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return rateLimit{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("rate_limit", httpcaddyfile.Before, "basic_auth")
}

func (rateLimit) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.rate_limit",
		New: func() caddy.Module { return rateLimit{} },
	}
}

func (rateLimit) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}
