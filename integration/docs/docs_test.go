// Package docs tests that the docs and the examples are as the code is.
package docs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/standin"
)

// group is blocks that one test executes together.
type group struct {
	name   string
	blocks []string
	run    func(*testing.T, map[string]block)
}

var groups = append([]group{
	{"the demo runs, and answers as printed", []string{"run", "curl", "answer", "payload", "call", "call-answer", "logout", "jwks", "log-line"}, testDemo},
	{"the test command is that of .ci/run", []string{"tests"}, testTestCommand},
	{"the build commands are those of xcaddy.txt and .ci/run", []string{"xcaddy", "xcaddy-published"}, testBuild},
	{"the first site", []string{"first-files", "first-install", "first-site", "first-password", "first-login", "first-call", "people"}, testFirstSite},
	{"a site with scopes", []string{"scoped-site", "scoped-received"}, testScopedSite},
	{"the Caddyfile reference is what the parser accepts", []string{"reference", "bearer-reference"}, testReference},
	{"the JSON is complete and works", []string{"config", "bearer-config", "users-file", "clients-file", "login-template"}, testJSON},
	{"the metadata", []string{"metadata"}, testMetadata},
	{"the challenge", []string{"challenge"}, testChallenge},
	{"a user is added, and a password changed", []string{"new-hash", "edit-users", "new-user", "check-users"}, testChangeUsers},
	{"the htpasswd commands make a users file", []string{"htpasswd"}, testHtpasswd},
	{"a site with several keys", []string{"signing-keys"}, testSigningKeys},
	{"a session goes on, is introspected and ends", []string{"refresh", "revoke", "introspect", "introspection"}, testSessions},
	{"an app that introspects", []string{"introspecting"}, testIntrospecting},
	{"the benchmark has the flags of its command", []string{"bench"}, testBench},
	{"counting refusals", []string{"refusals"}, testCountingRefusals},
	{"the filter of the access log", []string{"access-log"}, testAccessLog},
	{"what every client sends", []string{"token-request"}, testTokenRequest},
	{"a back end that names its users' addresses", []string{"end-user-ip", "end-user-login", "throttled"}, testUnderAttack},
}, slices.Concat(recipeGroups, bearerRecipeGroups, loginGroups, browserGroups, deployGroups, toolGroups, monitoringGroups, adminGroups, editGroups, migrationGroups, checkGroups, tokenCommandGroups, watchGroups, eventGroups, leavingGroups, issuerGroups, apiKeyGroups, machineGroups, engineGroups)...)

// Every command, Caddyfile and JSON of the docs is executed: a block without a test,
// or a test without its block, fails here.
func TestDocsBlocks(t *testing.T) {
	blocks := make(map[string]block)
	for _, b := range allBlocks(t) {
		if b.name == "" {
			t.Errorf("%s: the block has no name: write ```%s <name> and a test that executes it", b.place, b.lang)
		}
		if other, again := blocks[b.name]; again {
			t.Errorf("%s: the name %q is that of the block at %s", b.place, b.name, other.place)
		}
		blocks[b.name] = b
	}
	executed := make(map[string]bool)
	for _, group := range groups {
		for _, name := range group.blocks {
			executed[name] = true
			if _, there := blocks[name]; !there {
				t.Errorf("the docs have no block %q, which %q executes", name, group.name)
			}
		}
	}
	for name, b := range blocks {
		if !executed[name] {
			t.Errorf("%s: no test executes the block %q", b.place, name)
		}
	}
	if t.Failed() {
		return
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) { group.run(t, blocks) })
	}
}

// shell runs a command of the docs in a directory, with the caddy of this checkout, curl
// and htpasswd in the path.
func shell(t *testing.T, dir, command, stdin string, env ...string) string {
	t.Helper()
	binary, err := harness.CaddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", command)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+standin.SearchPath(t),
		"HOME="+t.TempDir(), "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", command, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// bash is shell for what is typed at a prompt of bash: not every sh has a read that does
// not echo. Where bash may be missing, sh ignores that: no one types here.
func bash(t *testing.T, dir, command, stdin string) string {
	t.Helper()
	if !standin.Real() {
		return shell(t, dir, `read() { [ "$1" = -rs ] && shift; command read -r "$@"; }`+"\n"+command, stdin)
	}
	return shell(t, dir, "exec bash -eu -c '"+strings.ReplaceAll(command, "'", `'\''`)+"'", stdin)
}

// members are the names in a JSON object, in order.
func members(t *testing.T, object string) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(object))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		t.Fatalf("not a JSON object: %s", object)
	}
	var names []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func sameMembers(t *testing.T, b block, got string) {
	t.Helper()
	if want, have := members(t, b.text), members(t, got); !slices.Equal(want, have) {
		t.Errorf("%s: it has the members %v, in truth they are %v", b.place, want, have)
	}
}

func readDir(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func unmarshal(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// decodePart is a part of a JWT as JSON.
func decodePart(t *testing.T, jwt string, part int) string {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %d parts", len(parts))
	}
	decoded, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err != nil {
		t.Fatal(err)
	}
	return string(decoded)
}
