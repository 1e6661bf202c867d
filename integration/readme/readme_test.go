// Package readme tests that the README and the examples are as the code is.
package readme

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
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// block is a fenced block of the README. Its info string has two words: the language
// and the name under which a test executes it.
type block struct {
	line       int
	lang, name string
	text       string
}

// readmeGroup is blocks that one test executes together.
type readmeGroup struct {
	name   string
	blocks []string
	run    func(*testing.T, map[string]block)
}

var readmeGroups = append([]readmeGroup{
	{"the demo runs, and answers as printed", []string{"run", "curl", "answer", "payload", "call", "call-answer", "logout", "jwks", "log-line"}, readmeDemo},
	{"the test command is that of .ci/run", []string{"tests"}, readmeTestCommand},
	{"the build commands are those of xcaddy.txt and .ci/run", []string{"xcaddy", "xcaddy-published", "image"}, readmeBuild},
	{"the first site", []string{"first-files", "first-install", "first-site", "first-password", "first-login", "first-call", "first-received"}, readmeFirstSite},
	{"the Caddyfile reference is what the parser accepts", []string{"reference", "bearer-reference"}, readmeReference},
	{"the JSON is complete and works", []string{"config", "bearer-config", "users-file", "clients-file"}, readmeJSON},
	{"the metadata", []string{"metadata"}, readmeMetadata},
	{"the challenge", []string{"challenge"}, readmeChallenge},
	{"the htpasswd commands make a users file", []string{"htpasswd"}, readmeHtpasswd},
	{"a site with several keys", []string{"signing-keys"}, readmeSigningKeys},
	{"a session goes on, is introspected and ends", []string{"refresh", "revoke", "introspect", "introspection"}, readmeSessions},
	{"an app that introspects", []string{"introspecting"}, readmeIntrospecting},
	{"the benchmark has the flags of its command", []string{"bench"}, readmeBench},
	{"the filter of the access log", []string{"access-log"}, readmeAccessLog},
	{"a back end that names its users' addresses", []string{"end-user-ip", "end-user-login", "throttled"}, readmeUnderAttack},
}, slices.Concat(recipeGroups, bearerRecipeGroups)...)

// Every command, Caddyfile and JSON of the README is executed: a block without a test,
// or a test without its block, fails here.
func TestReadmeBlocks(t *testing.T) {
	blocks := make(map[string]block)
	for _, b := range readmeBlocks(t) {
		if b.name == "" {
			t.Errorf("README.md:%d: the block has no name: write ```%s <name> and a test that executes it", b.line, b.lang)
		}
		if other, again := blocks[b.name]; again {
			t.Errorf("README.md:%d: the name %q is that of the block at line %d", b.line, b.name, other.line)
		}
		blocks[b.name] = b
	}
	executed := make(map[string]bool)
	for _, group := range readmeGroups {
		for _, name := range group.blocks {
			executed[name] = true
			if _, there := blocks[name]; !there {
				t.Errorf("README.md has no block %q, which %q executes", name, group.name)
			}
		}
	}
	for name, b := range blocks {
		if !executed[name] {
			t.Errorf("README.md:%d: no test executes the block %q", b.line, name)
		}
	}
	if t.Failed() {
		return
	}
	for _, group := range readmeGroups {
		t.Run(group.name, func(t *testing.T) { group.run(t, blocks) })
	}
}

func readmeBlocks(t *testing.T) []block {
	t.Helper()
	var (
		blocks []block
		b      *block
	)
	for i, line := range strings.Split(repo.Read(t, "README.md"), "\n") {
		info, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && b == nil:
			b = &block{line: i + 1}
			b.lang, b.name, _ = strings.Cut(info, " ")
		case fence:
			blocks = append(blocks, *b)
			b = nil
		case b != nil:
			b.text += line + "\n"
		}
	}
	if b != nil {
		t.Fatalf("README.md:%d: the block does not end", b.line)
	}
	return blocks
}

// shell runs a command of the README in a directory, with the caddy of this checkout in
// the path.
func shell(t *testing.T, dir, command, stdin string, env ...string) string {
	t.Helper()
	binary, err := harness.CaddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", command)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"HOME="+t.TempDir(), "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", command, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// bash is shell for what is typed at a prompt: sh has no read that does not echo.
func bash(t *testing.T, dir, command, stdin string) string {
	t.Helper()
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
		t.Errorf("README.md:%d: it has the members %v, in truth they are %v", b.line, want, have)
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
