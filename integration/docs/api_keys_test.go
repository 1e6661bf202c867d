package docs

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// apiKeyGroups execute docs/api-keys.md, and the section of docs/commands.md on keys.
var apiKeyGroups = []group{
	{"a key is made, listed and revoked", []string{"key-add", "key-revoke"}, testKeyCommands},
	{"a script has a key", []string{"api-key-first", "api-keys", "api-key-call", "api-key-rotate"}, testAPIKeys},
	{"a key comes in a header of its own", []string{"api-key-header"}, testAPIKeyHeader},
	{"both files of keys say the same", []string{"api-keys-lines", "api-keys-file"}, testAPIKeyFiles},
	{"a hash is made by hand", []string{"api-key-hash"}, testAPIKeyHash},
	{"leaked keys are found", []string{"api-key-pattern", "api-key-gitleaks"}, testLeakedKeys},
}

func testKeyCommands(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	list := shell(t, r.Dir, blocks["key-add"].text, "")
	if !regexp.MustCompile(`^NAME .*\ndeploy +user alice +contacts.read +- +\S+Z +-\nnightly +client web +- +- +- +the nightly report\n$`).MatchString(list) {
		t.Errorf("the list is\n%s", list)
	}
	for _, file := range []string{"deploy.key", "nightly.key"} {
		content, err := os.ReadFile(filepath.Join(r.Dir, file))
		if err != nil || !apikey.WellFormed(strings.TrimSuffix(string(content), "\n")) {
			t.Errorf("%s is %q (%v)", file, content, err)
		}
	}
	shell(t, r.Dir, blocks["key-revoke"].text, "")
	content, err := os.ReadFile(filepath.Join(r.Dir, "keys.txt"))
	if err != nil || strings.Count(string(content), "\n") != 1 || !strings.HasPrefix(string(content), "nightly sha256:") {
		t.Errorf("the file is\n%s (%v)", content, err)
	}
}

func testAPIKeys(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	key := strings.TrimSpace(shell(t, r.Dir, r.here(blocks["api-key-first"].text), ""))
	r.serve(blocks["api-keys"].text)
	call := strings.Replace(strings.ReplaceAll(blocks["api-key-call"].text, "https://api.example.com", r.URL("")), "curl ", "curl -s ", 1)
	if body := shell(t, r.Dir, call, "", "KEY="+key); body != "the app at /contacts" {
		t.Errorf("got %q", body)
	}
	if got := r.lastReceived(); got.Get("X-User") != "alice" || got.Get("Authorization") != "" {
		t.Errorf("the app received %v", got)
	}
	r.wantStatus("/contacts", 401, harness.Bearer(key[:len(key)-1]+"_"))
	r.wantStatus("/contacts", 401, harness.Bearer(apikey.Make()))

	second := strings.Fields(shell(t, r.Dir, r.here(blocks["api-key-rotate"].text), ""))
	if len(second) != 1 {
		t.Fatalf("printed %q", second)
	}
	status := func(key string) int { return r.Do(r.Request("GET", "/contacts", "", harness.Bearer(key))).Status }
	harness.Eventually(t, "the second key is taken", func() bool { return status(second[0]) == 200 })
	harness.Eventually(t, "the first key ends", func() bool { return status(key) == 401 })
	shell(t, r.etc, "caddy grant key revoke deploy-2 --file keys.txt", "") // which leaves an empty file
	harness.Eventually(t, "the last key ends", func() bool { return status(second[0]) == 401 })
}

func testAPIKeyHeader(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	key := apikey.Make()
	r.Write("etc/keys.txt", "deploy "+apikey.DigestOf(key).Hash()+" user=alice\n")
	options, site, found := strings.Cut(blocks["api-key-header"].text, "\n\t}\n}\n")
	if !found {
		t.Fatal("it has no log in its options")
	}
	for name, options := range map[string]string{"filtered.json": options, "whole.json": "{\n\tlog {"} {
		r.serveLogged(t, options, site, "", name)
		r.Client.CloseIdleConnections()
		r.wantUser("/contacts", "alice", "X-Api-Key: "+key)
		if got := r.lastReceived(); got.Get("X-Api-Key") != "" {
			t.Errorf("the app received %v", got)
		}
		r.wantStatus("/contacts", 401, harness.Bearer(key))
		r.wantStatus("/contacts", 400, harness.Bearer(key), "X-Api-Key: "+key)
		r.wantStatus("/contacts", 400, "X-Api-Key: "+key, "X-Api-Key: "+key)
		log := func() string { return harness.ReadIfThere(t, r.Path(name)) }
		harness.Eventually(t, "the access log has all requests", func() bool { return strings.Count(log(), "handled request") == 4 })
		if strings.Contains(log(), key[len(apikey.Prefix):]) != (name == "whole.json") || !strings.Contains(log(), `"api_key":"deploy"`) {
			t.Errorf("%s: %s", name, log())
		}
	}
}

func testAPIKeyFiles(t *testing.T, blocks map[string]block) {
	lines, err := apikey.ParseLines([]byte(blocks["api-keys-lines"].text))
	if err != nil {
		t.Fatal(err)
	}
	list, err := apikey.ParseJSON([]byte(blocks["api-keys-file"].text))
	if err != nil {
		t.Fatal(err)
	}
	if lines.Len() != 2 || list.Len() != 2 {
		t.Errorf("%d lines, and %d in the list", lines.Len(), list.Len())
	}
	for k := range lines.All() {
		other := list.ByDigest(k.Digest())
		if other == nil || other.Name != k.Name || other.Note != k.Note || strings.Join(other.Scopes, " ") != strings.Join(k.Scopes, " ") {
			t.Errorf("%v is %v in JSON", k, other)
		}
	}
}

func testAPIKeyHash(t *testing.T, blocks map[string]block) {
	key := apikey.Make()
	sum := sha256.Sum256([]byte(key))
	got := shell(t, t.TempDir(), blocks["api-key-hash"].text, "", "KEY="+key)
	if want := hex.EncodeToString(sum[:]); !strings.HasPrefix(got, want) || apikey.DigestOf(key).Hash() != "sha256:"+want {
		t.Errorf("it prints %q, want %s", got, want)
	}
}

func testLeakedKeys(t *testing.T, blocks map[string]block) {
	pattern := strings.TrimSpace(blocks["api-key-pattern"].text)
	if pattern != apikey.Pattern {
		t.Errorf("the pattern is %s", pattern)
	}
	quoted := regexp.MustCompile(`(?m)^regex = '''(.*)'''$`).FindStringSubmatch(blocks["api-key-gitleaks"].text)
	if quoted == nil {
		t.Fatal("there is no regex")
	}
	key := apikey.Make()
	for _, expression := range []string{pattern, quoted[1]} {
		if got := regexp.MustCompile(expression).FindString("KEY=" + key + "\n"); got != key {
			t.Errorf("%s finds %q", expression, got)
		}
	}
}
