package command

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// badSite has an error, a warning and a note, and secrets that no output may have.
const badSite = `example.com {
	token_endpoint {
		issuer https://example.com
		scopes read write
		client web {
			secret canary-of-a-client
		}
		signing_key HS256 canary-of-a-key-0123456789abcdef
		users htpasswd %DIR%/users
	}
	bearer_auth
	reverse_proxy app:9000
}
b.example.com {
	bearer_auth {
		off
	}
	reverse_proxy b:9000
}
`

func TestFindingsAreALineEachAndASummaryInWords(t *testing.T) {
	dir := checkFixture(t, badSite, nil)
	stdout, stderr, status := grantCommand(t, dir, "", "check")
	if status != 1 || stderr != "" {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if last := lines[len(lines)-1]; last != "4 findings: 2 errors, 1 warning, 1 note" {
		t.Errorf("the summary is %q", last)
	}
	finding := regexp.MustCompile(`^Caddyfile:\d+: (error|warning|note): .+ \[[a-z-]+\]$`)
	for i, line := range lines[:len(lines)-1] {
		if i%2 == 0 && !finding.MatchString(line) || i%2 == 1 && !strings.HasPrefix(line, "    ") {
			t.Errorf("line %d is %q", i+1, line)
		}
	}
	if !strings.HasPrefix(lines[0], "Caddyfile:6: error: the secret of client \"web\" is written in the config") {
		t.Errorf("the first line is %q", lines[0])
	}

	stdout, _, status = grantCommand(t, checkFixture(t, checkedSite, nil), "", "check")
	if stdout != "no findings\n" || status != 0 {
		t.Errorf("without findings: status %d, stdout %q", status, stdout)
	}
}

func TestFindingsAreLeftOutBySeverityAndByRule(t *testing.T) {
	dir := checkFixture(t, badSite, nil)
	rules := func(args ...string) (ids []string) {
		for _, f := range checked(t, dir, args...) {
			ids = append(ids, f.Rule)
		}
		return ids
	}
	for _, test := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"plaintext-secret", "plaintext-secret", "no-scopes", "check-off"}},
		{[]string{"--level", "warning"}, []string{"plaintext-secret", "plaintext-secret", "no-scopes"}},
		{[]string{"--level", "error"}, []string{"plaintext-secret", "plaintext-secret"}},
		{[]string{"--ignore", "plaintext-secret,check-off"}, []string{"no-scopes"}},
		{[]string{"--ignore", "plaintext-secret", "--ignore", "check-off", "--ignore", "no-scopes"}, nil},
	} {
		if got := rules(test.args...); !slices.Equal(got, test.want) {
			t.Errorf("%v: %v, want %v", test.args, got, test.want)
		}
	}
}

func TestNoSecretAndNoHashIsPrinted(t *testing.T) {
	weak := harness.CheapHash(t, "secret")
	site := strings.NewReplacer("canary-of-a-client", "canary-1", "\tbearer_auth\n", "\tbearer_auth nowhere\n",
		"users htpasswd %DIR%/users", "users htpasswd %DIR%/users\n\t\tclient b {\n\t\t\tsecret_hash "+weak+"\n\t\t}\n\t\tclient c {\n\t\t\tsecret {file.%DIR%/c}\n\t\t}").Replace(badSite)
	files := map[string]string{"users": "alice:" + weak + "\n" + weak + ":alice\nbob:canary-plain\n", "c": " \"canary-file\" "}
	for _, format := range []string{"text", "json", "sarif"} {
		for _, broken := range []bool{false, true} {
			all := map[string]string{"c": files["c"]}
			if broken {
				all["users"] = files["users"]
			}
			stdout, stderr, status := grantCommand(t, checkFixture(t, site, all), "", "check", "--verbose", "--format", format)
			if status != 1 {
				t.Errorf("status %d: %s", status, stderr)
			}
			for _, secret := range []string{"canary-1", "canary-of-a-key", "canary-file", "canary-plain", weak, weak[7:]} {
				if strings.Contains(stdout+stderr, secret) {
					t.Errorf("%s, broken %v: %q is printed", format, broken, secret)
				}
			}
		}
	}
}

func TestACheckThatCannotBeMadeSaysWhyWithStatus2(t *testing.T) {
	dir := checkFixture(t, checkedSite, map[string]string{
		"loop":       "import loop2\n",
		"loop2":      "import loop\n",
		"broken":     "example.com {\n\tno_such_directive\n}\n",
		"list.json":  "[]",
		"bad.json":   "{\"apps\": {\n}",
		"other.conf": "example.com {\n}\n",
	})
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"no such file", []string{"--config", "nowhere"}, "no such file"},
		{"a directory", []string{"--config", "."}, "is a directory"},
		{"imports in a circle", []string{"--config", "loop", "--adapter", "caddyfile"}, "cycle"},
		{"a mistake", []string{"--config", "broken", "--adapter", "caddyfile"}, "broken:2"},
		{"JSON of another kind", []string{"--config", "list.json"}, "JSON"},
		{"broken JSON", []string{"--config", "bad.json"}, "line 2"},
		{"a Caddyfile by another name", []string{"--config", "other.conf"}, "--adapter"},
		{"no such adapter", []string{"--adapter", "nothing"}, "no config adapter"},
		{"no such format", []string{"--format", "xml"}, "text, json or sarif"},
		{"no such severity", []string{"--level", "fatal"}, "error, warning or note"},
		{"no such rule", []string{"--ignore", "nothing"}, "no such rule"},
		{"no such flag", []string{"--nothing"}, "unknown flag"},
		{"an argument", []string{"Caddyfile"}, "it takes no arguments"},
		{"two formats", []string{"--json", "--format", "sarif"}, "choose one"},
		{"what has no end", []string{"--config", "/dev/zero", "--adapter", "caddyfile"}, "larger than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, status := grantCommand(t, dir, "", append([]string{"check"}, test.args...)...)
			if status != 2 || stdout != "" || !strings.Contains(stderr, test.says) {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
		})
	}
	empty := publicDir(t)
	if _, stderr, status := grantCommand(t, empty, "", "check"); status != 2 || !strings.Contains(stderr, "--config") {
		t.Errorf("without a Caddyfile: status %d, stderr %q", status, stderr)
	}
}

func TestACheckLeavesNoTraceAndDoesNotListen(t *testing.T) {
	port := harness.FreePort(t)
	site := fmt.Sprintf("{\n\tadmin 127.0.0.1:%d\n\tstorage file_system %%DIR%%/storage\n\tlog {\n\t\toutput file %%DIR%%/caddy.log\n\t}\n}\n", harness.FreePort(t)) +
		strings.Replace(checkedSite, "example.com {", fmt.Sprintf("http://127.0.0.1:%d {\n\tlog {\n\t\toutput file %%DIR%%/access.log\n\t}", port), 1)
	dir := checkFixture(t, site, nil)
	tree := func(root string) (names []string) {
		_ = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			names = append(names, strings.TrimPrefix(path, root))
			return err
		})
		return names
	}
	before, home := tree(dir), t.TempDir()
	cmd := harness.CaddyCommand(t.Context(), t, dir, "grant", "check")
	cmd.Env = append(cmd.Env, "HOME="+home)
	output, err := cmd.CombinedOutput()
	if err != nil || string(output) != "no findings\n" {
		t.Fatalf("%v: %s", err, output)
	}
	if after := tree(dir); !slices.Equal(after, before) {
		t.Errorf("the directory has %v, and had %v", after, before)
	}
	if after := tree(home); len(after) != 1 {
		t.Errorf("the home has %v", after)
	}
	// it would not start where the port is taken; the check does not care
	listener := taken(t, port)
	defer listener.Close()
	if findings := checked(t, dir); len(findings) > 0 {
		t.Errorf("where the port is taken: %+v", findings)
	}
}

func TestVerboseShowsCaddysLog(t *testing.T) {
	dir := checkFixture(t, checkedSite, nil)
	_, stderr, status := grantCommand(t, dir, "", "check", "--verbose")
	if status != 0 || !strings.Contains(stderr, "users loaded") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
}

func TestJSONAndStdinAreChecked(t *testing.T) {
	dir := checkFixture(t, badSite, nil)
	adapted, err := harness.Adapt(strings.ReplaceAll(badSite, "%DIR%", dir))
	if err != nil {
		t.Fatal(err)
	}
	var parsed any
	if err := json.Unmarshal(adapted, &parsed); err != nil {
		t.Fatal(err)
	}
	indented, err := json.MarshalIndent(parsed, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	// a matcher more, as only JSON can have it
	config := strings.ReplaceAll(string(indented), `"defined_at": `, `"@id": `)
	config = strings.Replace(config, "\"handler\": \"bearer_auth\"\n", `"handler": "bearer_auth", "match": [{"path": ["*"]}, {"path": ["admin"]}]`+"\n", 1)
	if err := os.WriteFile(filepath.Join(dir, "caddy.json"), []byte(config), 0o640); err != nil {
		t.Fatal(err)
	}
	line := func(n int) string {
		lines := bufio.NewScanner(strings.NewReader(config))
		for ; lines.Scan(); n-- {
			if n == 1 {
				return lines.Text()
			}
		}
		return ""
	}
	want := map[string]string{
		"plaintext-secret": `[`, "no-scopes": "{", "check-off": "{", "dead-matcher": "{",
	}
	found := make(map[string]bool)
	for _, f := range checked(t, dir, "--config", "caddy.json") {
		text, wanted := want[f.Rule]
		if !wanted || f.File != "caddy.json" || !strings.Contains(line(f.Line), text) {
			t.Errorf("at %q: %+v", line(f.Line), f)
		}
		found[f.Rule] = true
	}
	if len(found) != len(want) {
		t.Errorf("found %v, want %v", found, want)
	}

	inJSON, _, _ := grantCommand(t, dir, "", "check", "--json")
	if same, _, _ := grantCommand(t, dir, "", "check", "--format", "json"); inJSON != same || !json.Valid([]byte(inJSON)) {
		t.Errorf("--json prints %s", inJSON)
	}

	for what, stdin := range map[string]string{"a Caddyfile": strings.ReplaceAll(badSite, "%DIR%", dir), "JSON": config} {
		stdout, stderr, status := grantCommand(t, dir, stdin, "check", "--config", "-")
		if status != 1 || !strings.HasPrefix(stdout, "stdin:") || stderr != "" {
			t.Errorf("%s on stdin: status %d, %s%s", what, status, stdout, stderr)
		}
	}
}

func taken(t *testing.T, port int) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// What does not need the config to be loaded is found in any case.
func TestAConfigThatCaddyRefusesHasItsOtherFindings(t *testing.T) {
	dir := checkFixture(t, strings.Replace(badSite, "%DIR%/users", "%DIR%/nobody", 1), nil)
	var rules []string
	for _, f := range checked(t, dir) {
		rules = append(rules, f.Rule)
	}
	if want := []string{"config-refused", "plaintext-secret", "plaintext-secret", "no-scopes", "check-off"}; !slices.Equal(rules, want) {
		t.Errorf("found %v, want %v", rules, want)
	}
}
