package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/configreview"
)

// checkedSite has nothing that a check would find.
const checkedSite = `example.com {
	token_endpoint {
		issuer https://example.com
		scopes read write
		client web {
			secret {file.%DIR%/secret}
		}
		users htpasswd %DIR%/users
	}
	bearer_auth {
		scopes read
	}
	reverse_proxy app:9000
}
`

// checkCase is a config with a finding, and one that is mended.
type checkCase struct {
	name  string
	rule  string
	bad   []string          // replacements in checkedSite, old and new; # HERE marks the line
	files map[string]string // by name; .mode is one of the file before it
	at    string            // file:line, where it is not in the Caddyfile
	says  string            // in the message or the remedy
	good  []string          // replacements in checkedSite, which mend it; nil for none
	also  []string          // other rules that find the same mistake

	severity configreview.Severity // empty for any
}

// checkFixture is a directory with a config and what it names.
func checkFixture(t *testing.T, caddyfile string, files map[string]string) string {
	t.Helper()
	dir := publicDir(t)
	all := map[string]string{
		"secret": "long-enough-secret", "users": "alice:" + harness.HashBcrypt + "\n", "Caddyfile": caddyfile,
	}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		if strings.HasSuffix(name, ".mode") {
			continue
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(content, "%DIR%", dir)), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range all {
		name, isMode := strings.CutSuffix(name, ".mode")
		if !isMode {
			continue
		}
		bits, err := strconv.ParseUint(mode, 8, 32)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), fs.FileMode(bits)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// publicDir is a directory to which all users of the machine get: that of a test is for
// its user only.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "caddy-grant-check-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// replaced is the site with old texts replaced by new ones.
func replaced(t *testing.T, site string, pairs []string) string {
	t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.Contains(site, pairs[i]) {
			t.Fatalf("the site has no %q", pairs[i])
		}
		site = strings.Replace(site, pairs[i], pairs[i+1], 1)
	}
	return site
}

// grantCommand runs `caddy grant` and returns its output and its status.
func grantCommand(t *testing.T, dir, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := harness.CaddyCommand(t.Context(), t, dir, append([]string{"grant"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// checked runs the check of a directory's Caddyfile.
func checked(t *testing.T, dir string, args ...string) []configreview.Finding {
	t.Helper()
	stdout, stderr, status := grantCommand(t, dir, "", append([]string{"check", "--format", "json"}, args...)...)
	var answer struct {
		Findings []configreview.Finding
		Summary  string
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	if stderr != "" {
		t.Errorf("stderr has %s", stderr)
	}
	if want := min(len(answer.Findings), 1); status != want {
		t.Errorf("the status is %d with %s", status, answer.Summary)
	}
	return answer.Findings
}

func TestEachFindingIsMadeAtItsLineAndGoneOnceItIsMended(t *testing.T) {
	weak := harness.CheapHash(t, "correct horse")
	if findings := checked(t, checkFixture(t, checkedSite, nil)); len(findings) > 0 {
		t.Fatalf("where nothing is wrong: %+v", findings)
	}
	found := make(map[string]bool)
	for _, test := range checkCases(t, weak) {
		found[test.rule] = true
		for _, rule := range test.also {
			found[rule] = true
		}
		t.Run(test.name, func(t *testing.T) {
			bad := replaced(t, checkedSite, test.bad)
			dir := checkFixture(t, bad, test.files)
			at := strings.ReplaceAll(test.at, "%DIR%", dir)
			if at == "" {
				before, _, marked := strings.Cut(bad, "# HERE")
				if !marked {
					t.Fatal("no line is marked")
				}
				at = fmt.Sprintf("Caddyfile:%d", 1+strings.Count(before, "\n"))
			}
			findings := checked(t, dir)
			i := slices.IndexFunc(findings, func(f configreview.Finding) bool { return f.Rule == test.rule })
			if i < 0 {
				t.Fatalf("there is no %s in %+v", test.rule, findings)
			}
			f := findings[i]
			place := f.File
			if f.Line > 0 {
				place += fmt.Sprintf(":%d", f.Line)
			}
			if place != at {
				t.Errorf("it is at %s, want %s: %s", place, at, f.Message)
			}
			if !strings.Contains(f.Message+" "+f.Remedy, strings.ReplaceAll(test.says, "%DIR%", dir)) {
				t.Errorf("it does not say %q: %+v", test.says, f)
			}
			if test.severity != "" && f.Severity != test.severity {
				t.Errorf("it is %s, want %s", f.Severity, test.severity)
			}
			if f.Severity == "" || f.Remedy == "" {
				t.Errorf("it has no severity or no remedy: %+v", f)
			}
			for _, other := range findings {
				if other.Rule != test.rule && !slices.Contains(test.also, other.Rule) {
					t.Errorf("it also finds %+v", other)
				}
			}
			if strings.Contains(fmt.Sprint(findings), weak) {
				t.Error("a hash is printed")
			}

			if test.good == nil {
				return // the site itself, which is good
			}
			for _, f := range checked(t, checkFixture(t, replaced(t, checkedSite, test.good), test.files)) {
				if !slices.Contains(test.also, f.Rule) {
					t.Errorf("once it is mended: %+v", f)
				}
			}
		})
	}
	for _, rule := range configreview.Rules {
		if !found[rule.ID] && untested[rule.ID] == "" {
			t.Errorf("no config shows %s", rule.ID)
		}
		if found[rule.ID] && untested[rule.ID] != "" {
			t.Errorf("%s is tested", rule.ID)
		}
	}
}

// untested says why no Caddyfile here has a finding.
var untested = map[string]string{
	"startup-warning":      "each warning that there is has a rule of its own",
	"refused-entries":      "needs a source of another module",
	"unread-source":        "needs a source of another module",
	"duplicate-id":         "needs a source of another module: a config with files of which this is true is refused",
	"dead-matcher":         "needs a bearer_auth with several matchers, which only JSON can have",
	"client-of-login-page": "is refused when a config is loaded, and logged when a file changes later",
}
