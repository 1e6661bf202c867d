package command

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

var keyOnly = regexp.MustCompile(`^cgk_[0-9A-Za-z]{49}\n$`)

// key is the API key that a command printed on stdout, which must have nothing else,
// its hash as a file has it, and what is on stderr.
func (d desk) key(args ...string) (key, hash, said string) {
	d.t.Helper()
	e := d.grant("", append([]string{"key", "add"}, args...)...)
	if e.status != 0 || !keyOnly.MatchString(e.stdout) {
		d.t.Fatalf("caddy grant key add %q: exit status %d: %q\n%s", args, e.status, e.stdout, e.stderr)
	}
	key = strings.TrimSpace(e.stdout)
	sum := sha256.Sum256([]byte(key))
	hash = "sha256:" + hex.EncodeToString(sum[:])
	if strings.Contains(e.stderr, "cgk_") || strings.Contains(e.stderr, hash[7:]) {
		d.t.Errorf("the key or its hash is on stderr: %s", e.stderr)
	}
	return key, hash, e.stderr
}

func (d desk) wants(file, content string) {
	d.t.Helper()
	if got := d.read(file); got != content {
		d.t.Errorf("%s is\n%s\nwant\n%s", file, got, content)
	}
}

func TestAKeyIsPrintedOnceAndItsHashIsInTheFile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, first, said := d.key("deploy", "--user", "alice", "--scopes", "contacts.read,contacts.write", "--audience", "api", "--expires", "2999-01-31", "--note", " from CI: all ", "--file", "keys")
	wantText(t, said, "Added the key deploy of the user alice to keys.", "The file is new.", "The line for the Caddyfile: api_keys lines "+d.path("keys")+"\n")
	_, second, said := d.key("nightly", "--client", "batch", "-f", "keys")
	wantText(t, said, "of the client batch", "It has no scopes", "A running Caddy applies this within about 6 seconds, without a reload.")
	const tail = " user=alice scopes=contacts.read,contacts.write audience=api expires=2999-01-31 note=from CI: all\n"
	d.wants("keys", "deploy "+first+tail+"nightly "+second+" client=batch\n")
	if info, err := os.Stat(d.path("keys")); err != nil || info.Mode().Perm()&0o037 != 0 {
		t.Errorf("others can read the file: %v (%v)", info.Mode(), err)
	}

	wantText(t, d.do("", "key", "revoke", "nightly", "--file", "keys"), "Revoked the key nightly of keys.", "within about 6 seconds")
	d.wants("keys", "deploy "+first+tail)
	d.do("", "key", "revoke", "deploy", "--file", "keys")
	d.wants("keys", "")
	_, third, _ := d.key("another", "--user-id", "7", "--file", "keys")
	d.wants("keys", "another "+third+" user_id=7\n")
}

func TestKeysOfAJSONFileAreEditedInPlace(t *testing.T) {
	t.Parallel()
	const file = "{\n  \"users\": [\n    {\"username\": \"alice\", \"password_hash\": \"HASH\"},\n    {\"username\": \"bob\", \"password_hash\": \"OTHER\", \"id\": \"7\"}\n  ]\n}\n"
	d := newDesk(t, "all.json", file)
	_, first, said := d.key("deploy", "--user", "bob", "--scopes", "read", "--file", "all.json")
	wantText(t, said, "Added the key deploy of the user with the id 7 to all.json.", "The user bob has an id, so the key belongs to it and survives a new name.")
	_, second, said := d.key("other", "--user", "alice", "--file", "all.json")
	wantText(t, said, "of the user alice")
	var content struct {
		Users []any
		Keys  []map[string]any `json:"api_keys"`
	}
	if err := json.Unmarshal([]byte(d.read("all.json")), &content); err != nil || len(content.Users) != 2 || len(content.Keys) != 2 {
		t.Fatalf("the file is\n%s (%v)", d.read("all.json"), err)
	}
	if k := content.Keys[0]; k["hash"] != first || k["user_id"] != "7" || k["user"] != nil {
		t.Errorf("the first key is %v", k)
	}
	if k := content.Keys[1]; k["hash"] != second || k["user"] != "alice" || k["user_id"] != nil || k["scopes"] != nil {
		t.Errorf("the second key is %v", k)
	}
	wantText(t, d.grant("", "user", "list", "--file", "all.json").stdout, "alice", "bob") // it is a file of users, too
	for _, name := range []string{"deploy", "other"} {
		d.do("", "key", "revoke", name, "-f", "all.json")
	}
	d.wants("all.json", strings.Replace(fillHashes(file), "]\n}", "],\n  \"api_keys\": []\n}", 1))
}

func TestKeysAreListedWithoutTheirHashes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, first, _ := d.key("deploy", "--user", "alice", "--scopes", "a,b", "--audience", "api", "--note", "from CI", "--file", "keys")
	_, second, _ := d.key("old", "--client", "batch", "--file", "keys")
	d.write("keys", d.read("keys")+"# gone\n")
	d.write("keys", strings.Replace(d.read("keys"), "client=batch", "client=batch expires=2020-01-31", 1))
	table, data := d.grant("", "key", "list", "--file", "keys"), d.grant("", "key", "list", "-f", "keys", "--json")
	if want := "NAME    OWNER         SCOPES  AUDIENCE  EXPIRES               NOTE\n" +
		"deploy  user alice    a b     api       -                     from CI\n" +
		"old     client batch  -       -         2020-01-31 (expired)  -\n"; table.stdout != want || table.stderr != "" {
		t.Errorf("the list is\n%s%s\nwant\n%s", table.stdout, table.stderr, want)
	}
	var listed []map[string]any
	if err := json.Unmarshal([]byte(data.stdout), &listed); err != nil || len(listed) != 2 {
		t.Fatalf("got %s (%v)", data.stdout, err)
	}
	if k := listed[1]; k["name"] != "old" || k["client"] != "batch" || k["expired"] != true || k["expires"] != "2020-01-31" || len(k["scopes"].([]any)) != 0 {
		t.Errorf("got %v", k)
	}
	for _, hash := range []string{first, second} {
		if strings.Contains(table.stdout+data.stdout, hash[7:15]) {
			t.Error("a hash is shown")
		}
	}
}

func TestTheFileOfKeysAndTheOwnerAreThoseOfTheConfig(t *testing.T) {
	t.Parallel()
	endpoint := func(settings string) string {
		return `{"apps": {"http": {"servers": {"a": {"routes": [{"handle": [{"handler": "token_endpoint", ` + settings + `}]}]}}}}}`
	}
	const users = `"users": [{"source": "htpasswd", "path": "%DIR%/users"}, {"source": "json", "path": "%DIR%/users.json"}, {"source": "inline", "users": [{"username": "dave", "id": "d-1"}]}], `
	const clients = `"clients": [{"source": "inline", "clients": [{"id": "web", "public": true}]}, {"source": "json", "path": "%DIR%/users.json"}], `
	const keys = `"api_keys": [{"source": "lines", "path": "%DIR%/keys"}]`
	d := newDesk(t, "users", "alice:HASH\n", "users.json", `{"users": [{"username": "bob", "password_hash": "HASH", "id": "7"}], "clients": [{"id": "batch", "public": true}]}`,
		"keys", "# keys\n",
		"config.json", endpoint(users+clients+keys),
		"live.json", endpoint(`"users": [{"source": "sql"}], "clients": [{"source": "json", "path": "%DIR%/missing.json"}], `+keys),
		"none.json", endpoint(`"users": []`),
		"two.json", endpoint(`"api_keys": [{"source": "lines", "path": "%DIR%/keys"}, {"source": "json", "path": "%DIR%/k.json"}]`),
	)
	for _, name := range []string{"config.json", "live.json", "two.json"} {
		d.write(name, strings.ReplaceAll(d.read(name), "%DIR%", filepath.ToSlash(d.dir)))
	}
	want := "# keys\n"
	for i, test := range []struct{ config, flag, owner, line string }{
		{"config.json", "--user", "alice", "user=alice"},
		{"config.json", "--user", "bob", "user_id=7"},
		{"config.json", "--user-id", "7", "user_id=7"},
		{"config.json", "--user", "dave", "user_id=d-1"},
		{"config.json", "--client", "web", "client=web"},
		{"config.json", "--client", "batch", "client=batch"},
		{"live.json", "--user", "carol", "user=carol"}, // who may be in the database
		{"live.json", "--client", "carol", "client=carol"},
	} {
		name := "key-" + string(rune('a'+i))
		_, hash, _ := d.key(name, test.flag, test.owner, "--scopes", "a", "--config", test.config)
		want += name + " " + hash + " " + test.line + " scopes=a\n"
	}
	d.wants("keys", want)
	for args, why := range map[string]string{
		"add x --user carol -c config.json":    `config.json has no user "carol": add the owner first, or correct the name`,
		"add x --user-id alice -c config.json": `config.json has no user with the id "alice"`,
		"add x --client alice -c config.json":  `config.json has no client "alice"`,
		"add x --user alice -c none.json":      `none.json names no file of API keys: name one with --file, and in the config with "api_keys lines <path>"`,
		"list -c two.json":                     "two.json names several files of API keys: choose one with --file",
		"list":                                 "there is no Caddyfile in this directory: name the file of API keys with --file",
	} {
		d.refuse("", why, append([]string{"key"}, strings.Fields(args)...)...)
	}
	wantText(t, d.do("", "key", "revoke", "key-a", "-c", "config.json"), "Revoked the key key-a of "+filepath.ToSlash(d.path("keys")))
	d.wants("keys", strings.Replace(want, strings.Split(want, "\n")[1]+"\n", "", 1))
}

// serverOfKeys is the config of a server with two files of keys, for a desk.
func serverOfKeys(d desk) string {
	return strings.ReplaceAll(`{"apps": {"http": {"servers": {"a": {"routes": [{"handle": [{"handler": "token_endpoint", "scopes": ["contacts.read"],
		"users": [{"source": "json", "path": "%DIR%/users.json"}, {"source": "inline", "users": [{"username": "dave"}, {"username": "erin", "scopes": ["reports"]}]}],
		"clients": [{"source": "inline", "clients": [{"id": "web", "public": true}, {"id": "desk", "public": true, "scopes": ["contacts.write"]},
			{"id": "batch", "secret_hash": "x", "grants": ["client_credentials"], "scopes": ["jobs.run"]}, {"id": "dave", "secret_hash": "x"}, {"id": "7", "secret_hash": "x"}]}],
		"api_keys": [{"source": "lines", "path": "%DIR%/keys"}, {"source": "json", "path": "%DIR%/more.json"}]}]}]}}}}}`, "%DIR%", filepath.ToSlash(d.dir))
}

func TestANameInAnotherFileOfTheServerIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "users.json", `{"users": [{"username": "bob", "password_hash": "HASH", "id": "7"}]}`, "keys", "# keys\n", "more.json", `{"api_keys": []}`)
	d.write("config.json", serverOfKeys(d))
	d.key("deploy", "--user", "dave", "-f", "more.json", "-c", "config.json")
	d.refuse("", "more.json has a key \"deploy\" already, and config.json gives both files to one server", "key", "add", "deploy", "--user", "dave", "-f", "keys", "-c", "config.json")
	d.refuse("", `it has a key "deploy" already; choose another name`, "key", "add", "deploy", "--user", "dave", "-f", "more.json", "-c", "config.json")
	d.refuse("", `config.json has no user "nobody"`, "key", "add", "x", "--user", "nobody", "-f", "keys", "-c", "config.json")
	d.wants("keys", "# keys\n")
	d.key("deploy", "--user", "dave", "-f", "other", "-c", "config.json") // which no server has
	d.refuse("", "no such file", "key", "add", "x", "--user", "dave", "-f", "keys", "-c", "missing.json")
}

func TestAScopeThatTheOwnerCannotHaveIsSaid(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "users.json", `{"users": [{"username": "bob", "password_hash": "HASH", "id": "7", "scopes": ["contacts.read"]}]}`, "keys", "# keys\n", "more.json", `{"api_keys": []}`)
	d.write("config.json", serverOfKeys(d))
	for i, test := range []struct{ owner, scopes, lacking string }{
		{"--user dave", "contacts.read,contacts.write", ""},
		{"--user dave", "contacts.read,contact.read,jobs.run", "the user dave cannot have the scopes contact.read jobs.run"},
		{"--user erin", "reports,contacts.read", "the user erin cannot have the scopes contacts.read"},
		{"--user bob", "contacts.read,contacts.write", "the user with the id 7 cannot have the scopes contacts.write"},
		{"--client batch", "jobs.run,contacts.read", "the client batch cannot have the scopes contacts.read"},
		{"--client web", "contacts.read", ""},
	} {
		name := "key-" + string(rune('a'+i))
		_, _, said := d.key(append(strings.Fields(test.owner), name, "--scopes", test.scopes, "-f", "keys", "-c", "config.json")...)
		if (test.lacking == "") == strings.Contains(said, "Warning") || !strings.Contains(said, test.lacking) {
			t.Errorf("%s with %s: %s", test.owner, test.scopes, said)
		}
	}
	// without a config, or with clients that it does not know, nothing is said
	d.write("live.json", strings.Replace(serverOfKeys(d), `"source": "inline", "clients"`, `"source": "sql", "clients"`, 1))
	for _, more := range [][]string{nil, {"-c", "live.json"}} {
		if _, _, said := d.key(append([]string{"unknown-" + string(rune('a'+len(more))), "--user", "dave", "--scopes", "nonsense", "-f", "keys"}, more...)...); strings.Contains(said, "Warning") {
			t.Errorf("%q: %s", more, said)
		}
	}
}

func TestAKeyOfAClientThatIsNamedLikeAUserIsSaidToBeRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "users.json", `{"users": [{"username": "bob", "password_hash": "HASH", "id": "7"}]}`, "keys", "# keys\n")
	d.write("config.json", serverOfKeys(d))
	for _, client := range []string{"dave", "7"} {
		_, _, said := d.key("key-"+client, "--client", client, "-f", "keys", "-c", "config.json")
		wantText(t, said, "Warning: the client "+client+" has the name or the id of a user, so the key is always refused")
	}
	if _, _, said := d.key("key-web", "--client", "web", "-f", "keys", "-c", "config.json"); strings.Contains(said, "Warning") {
		t.Error(said)
	}
}

func TestNamesOfKeysAreCompleted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.key("deploy", "--user", "alice", "--file", "keys")
	d.key("nightly", "--user", "alice", "--file", "keys")
	cmd := harness.CaddyCommand(t.Context(), t, d.dir, "__complete", "grant", "key", "revoke", "--file", "keys", "")
	if output, err := cmd.Output(); err != nil || string(output) != "deploy\nnightly\n:4\n" {
		t.Errorf("it is completed by %q (%v)", output, err)
	}
}

// Real processes, all of which make a key in one file or revoke one.
func TestKeysMadeAtTheSameTimeAreAllThere(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"keys", "keys.json"} {
		d := newDesk(t)
		var mutex sync.Mutex
		made := make(map[string]bool)
		var group sync.WaitGroup
		const n = 12
		for i := range n {
			group.Go(func() {
				name := "k" + string(rune('a'+i))
				e := d.grant("", "key", "add", name, "--file", file, "--user", "alice")
				if e.status != 0 || !keyOnly.MatchString(e.stdout) {
					t.Errorf("exit status %d: %s", e.status, e.stderr)
				}
				mutex.Lock()
				made[e.stdout] = true
				mutex.Unlock()
				if i%3 == 0 {
					d.do("", "key", "revoke", name, "--file", file)
				}
			})
		}
		group.Wait()
		var keys []struct{ Name string }
		if err := json.Unmarshal([]byte(d.grant("", "key", "list", "--file", file, "--json").stdout), &keys); err != nil || len(keys) != n-n/3 || len(made) != n {
			t.Errorf("%s: %d keys were made, and there are %d (%v)", file, len(made), len(keys), err)
		}
	}
}

// A shell has the key in a variable, and a person sees the rest.
func TestAShellCatchesTheKeyAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	binary, err := harness.CaddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", `KEY=$("$0" grant key add deploy --user alice --file keys); printf '[%s]' "$KEY"`, binary)
	cmd.Dir = d.dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if output, err := cmd.Output(); err != nil || !regexp.MustCompile(`^\[cgk_[0-9A-Za-z]{49}\]$`).Match(output) {
		t.Errorf("the shell has %q (%v)", output, err)
	}
	wantText(t, stderr.String(), "Added the key deploy")
}

func TestAKeyThatCannotBePrintedIsSaid(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	cmd := harness.CaddyCommand(t.Context(), t, d.dir, "grant", "key", "add", "deploy", "--user", "alice", "--file", "keys")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = full, &stderr
	if err := cmd.Run(); err == nil {
		t.Error("it does not fail")
	}
	wantText(t, stderr.String(), "the key could not be printed, and is lost: run \"caddy grant key revoke deploy\"")
}

// Names that are placeholders are known where Caddy runs; secrets and hashes that are do
// not matter.
func TestSecretsThatArePlaceholdersKeepNoOwnerFromBeingKnown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "keys", "# keys\n")
	d.write("config.json", strings.ReplaceAll(`{"apps": {"http": {"servers": {"a": {"routes": [{"handle": [{"handler": "token_endpoint", "scopes": ["contacts.read"],
		"users": [{"source": "inline", "users": [{"username": "alice", "password_hash": "{env.ALICE}"}, {"username": "bob", "id": "7"}]}],
		"clients": [{"source": "inline", "clients": [{"id": "web", "secret": "{file./etc/caddy/web.secret}"}]}],
		"api_keys": [{"source": "lines", "path": "%DIR%/keys"}]}]}]}}}}}`, "%DIR%", filepath.ToSlash(d.dir)))
	config := []string{"-f", "keys", "-c", "config.json"}
	for _, owner := range []string{"--user=alcie", "--client=wbe", "--user-id=alice"} {
		d.refuse("", "config.json has no ", append([]string{"key", "add", "x", owner}, config...)...)
	}
	for owner, lacking := range map[string]string{"--user=alice": "the user alice", "--client=web": "the client web"} {
		_, _, said := d.key(append([]string{"of-" + strings.TrimPrefix(owner, "--")[:3], owner, "--scopes", "contacts.reed"}, config...)...)
		wantText(t, said, lacking+" cannot have the scopes contacts.reed", "The"+lacking[3:]+" is in config.json itself: if the running Caddy does not have this", "yet, the key is refused until you reload it.")
	}
	_, _, said := d.key(append([]string{"of-bob", "--user", "bob"}, config...)...)
	wantText(t, said, "The user with the id 7 is in config.json itself: if the running Caddy does not have this user yet, the key is refused until you reload it.")
	if _, _, said := d.key("new", "--user", "alice", "-f", "new", "-c", "config.json"); strings.Contains(said, "itself") {
		t.Errorf("of a file that no running Caddy has: %s", said)
	}

	d.write("config.json", strings.Replace(d.read("config.json"), `"web"`, `"{env.WEB}"`, 1))
	d.key(append([]string{"live", "--client", "whoever"}, config...)...)
	d.refuse("", `config.json has no user "alcie"`, append([]string{"key", "add", "x", "--user", "alcie"}, config...)...)
}
