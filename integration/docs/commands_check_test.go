package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/configreview"
)

var checkGroups = []group{
	{"a config is checked, and findings are left out", []string{"check", "check-output", "check-ignore"}, testCheck},
	{"a workflow that checks the Caddyfile", []string{"check-workflow"}, testCheckWorkflow},
}

// flawed is the site that the page shows the findings of.
const flawed = `api.example.com {
	token_endpoint {
		issuer https://api.example.com
		client web {
			secret ohng4ieShoh7aequ
			scopes contacts.read
		}
		users htpasswd /etc/caddy/users.htpasswd
	}
	bearer_auth
	reverse_proxy localhost:9000
}
`

// flawedFiles writes the site, and a users file with one weak hash.
func flawedFiles(t *testing.T) (etc string) {
	t.Helper()
	etc = t.TempDir()
	for name, content := range map[string]string{
		"Caddyfile":      strings.ReplaceAll(flawed, "/etc/caddy", etc),
		"users.htpasswd": "# staff\n\ncarol:" + harness.HashCheap + "\n",
	} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return etc
}

func testCheck(t *testing.T, blocks map[string]block) {
	etc := flawedFiles(t)
	command := func(name string) string {
		text := strings.TrimSpace(strings.TrimPrefix(blocks[name].text, "sudo -u caddy "))
		return strings.ReplaceAll(text, "/etc/caddy", etc) + " || echo status $?\n"
	}
	want := strings.ReplaceAll(blocks["check-output"].text, "/etc/caddy", etc) + "status 1\n"
	if got := shell(t, t.TempDir(), command("check"), ""); got != want {
		t.Errorf("it prints\n%s, the docs have\n%s", got, want)
	}
	if got, want := shell(t, t.TempDir(), command("check-ignore"), ""), "plaintext-secret"; strings.Count(got, "[") != 1 || !strings.Contains(got, want) {
		t.Errorf("want only %s: %s", want, got)
	}
}

// The step of the workflow that makes the check is executed, with Caddy where the step
// before leaves it.
func testCheckWorkflow(t *testing.T, blocks map[string]block) {
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses, Run string
				With      map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(blocks["check-workflow"].text), &workflow); err != nil {
		t.Fatal(err)
	}
	etc := flawedFiles(t)
	binary, err := harness.CaddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(etc, "caddy")); err != nil {
		t.Fatal(err)
	}
	uploaded, checked := "", false
	for _, step := range workflow.Jobs["check"].Steps {
		if strings.Contains(step.Run, "grant check") {
			checked = true
			if got := shell(t, etc, strings.TrimSpace(step.Run)+" || echo status $?", ""); got != "status 1\n" {
				t.Errorf("%s: %s", step.Run, got)
			}
		}
		if strings.HasPrefix(step.Uses, "github/codeql-action/upload-sarif@") {
			uploaded = step.With["sarif_file"]
		}
	}
	if !checked || uploaded == "" {
		t.Fatalf("the workflow checks nothing or uploads nothing: %+v", workflow)
	}
	content, err := os.ReadFile(filepath.Join(etc, uploaded))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), `"version": "2.1.0"`) || !strings.Contains(string(content), `"uri": "Caddyfile"`) {
		t.Errorf("what is uploaded is not SARIF: %s", content)
	}
}

// The table of rules is that of the code.
func TestTheRulesInTheDocsAreThoseOfTheCode(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (error|warning|note) \\| (.+) \\|$")
	rows := row.FindAllStringSubmatch(section(t, "### What it finds"), -1)
	if len(rows) != len(configreview.Rules) {
		t.Errorf("the docs have %d rules, the code has %d", len(rows), len(configreview.Rules))
	}
	for i, rule := range configreview.Rules[:min(len(rows), len(configreview.Rules))] {
		if rows[i][1] != rule.ID || rows[i][2] != string(rule.Severity) || rows[i][3] != rule.Summary {
			t.Errorf("row %d is %q, want %+v", i+1, rows[i][0], rule)
		}
	}
}
