package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestUsersOfAnHtpasswdFileAreEditedInPlace(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "users", "# people\nalice:HASH\n\nbob:OTHER:of ops\n")
	wants := func(content string) {
		t.Helper()
		if got := d.read("users"); got != fillHashes(content) {
			t.Errorf("the file is\n%s\nwant\n%s", got, content)
		}
	}
	wantText(t, d.do("", "user", "disable", "bob", "--file", "users"), "Disabled the user bob in users.", "within about 6 seconds")
	wants("# people\nalice:HASH\n\n# disabled: bob:OTHER:of ops\n")
	wantText(t, d.do("", "user", "disable", "bob", "-f", "users"), "is disabled already; nothing was changed")
	d.do("", "user", "enable", "bob", "-f", "users")
	wants("# people\nalice:HASH\n\nbob:OTHER:of ops\n")
	wantText(t, d.do("", "user", "rename", "bob", "robert", "-f", "users"), "Renamed the user bob of users to robert.", "The user's tokens end")
	d.do("", "user", "remove", "alice", "-f", "users")
	wants("# people\n\nrobert:OTHER:of ops\n")

	d.do("secret words\n", "user", "passwd", "robert", "-f", "users")
	_, after, _ := strings.Cut(d.read("users"), "robert:")
	hash, found := strings.CutSuffix(after, ":of ops\n")
	if !found {
		t.Errorf("the file is\n%s", d.read("users"))
	}
	wantHash(t, hash, "argon2id m=47104,t=1,p=1", "secret words")

	before := d.read("users")
	d.do("Löwe\r\n", "user", "add", "carol", "-f", "users", "--algorithm", "bcrypt", "--bcrypt-cost", "10")
	added, found := strings.CutPrefix(d.read("users"), before+"carol:")
	if !found {
		t.Errorf("the file is\n%s", d.read("users"))
	}
	wantHash(t, strings.TrimSuffix(added, "\n"), "bcrypt cost 10", "Löwe")
}

func TestUsersOfAJSONFileAreEditedInPlace(t *testing.T) {
	t.Parallel()
	const file = `{
  "users": [
    {"username": "alice", "password_hash": "HASH", "claims": {"n":1.0}}
  ],
  "clients": []
}
`
	d := newDesk(t, "users.json", file)
	wants := func(old, changed string) {
		t.Helper()
		if got, want := d.read("users.json"), fillHashes(strings.Replace(file, old, changed, 1)); got != want {
			t.Errorf("the file is\n%s\nwant\n%s", got, want)
		}
	}
	d.do("", "user", "disable", "alice", "-f", "users.json")
	wants(`1.0}}`, `1.0}, "disabled": true}`)
	d.do("", "user", "enable", "alice", "-f", "users.json")
	wants("", "")
	wantText(t, d.do("", "user", "rename", "alice", "al", "--keep-id", "-f", "users.json"), "The user's id stays alice, so their tokens stay valid.")
	wants(`"alice", "password_hash": "HASH", "claims": {"n":1.0}`, `"al", "password_hash": "HASH", "claims": {"n":1.0}, "id": "alice"`)
	wantText(t, d.do("", "user", "rename", "al", "alice", "-f", "users.json"), "The user's id stays alice")
	d.do("pw of bob\n", "user", "add", "bob", "-f", "users.json", "--id", "7", "--scopes", "read,write", "--claims", `{"email": "b@example.com"}`)
	d.do("pw of carol", "user", "add", "carol", "-f", "users.json", "--scopes", "")
	var content struct {
		Users []struct {
			Username, ID string
			Hash         string `json:"password_hash"`
			Scopes       []string
		}
	}
	if err := json.Unmarshal([]byte(d.read("users.json")), &content); err != nil || len(content.Users) != 3 {
		t.Fatalf("the file is\n%s", d.read("users.json"))
	}
	bob, carol := content.Users[1], content.Users[2]
	wantHash(t, bob.Hash, "argon2id m=47104,t=1,p=1", "pw of bob")
	wantHash(t, carol.Hash, "argon2id m=47104,t=1,p=1", "pw of carol")
	if bob.ID != "7" || len(bob.Scopes) != 2 || carol.Scopes == nil || len(carol.Scopes) != 0 {
		t.Errorf("bob is %+v, carol %+v", bob, carol)
	}
	wantText(t, d.read("users.json"), `"claims": {"email": "b@example.com"}`, `"scopes": ["read", "write"]`)
	for _, name := range []string{"alice", "bob", "carol"} {
		d.do("", "user", "remove", name, "-f", "users.json")
	}
	if got := d.read("users.json"); got != "{\n  \"users\": [],\n  \"clients\": []\n}\n" {
		t.Errorf("the file is\n%s", got)
	}
}

func TestAUsersFileIsCreatedWithTheFirstUser(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, line := range map[string]string{"users.htpasswd": "users htpasswd ", "users": "users htpasswd ", "users.json": "users json "} {
		wantText(t, d.do("correct horse\n", "user", "add", "alice", "--file", name), "Added the user alice to "+name+".", "The line for the Caddyfile: "+line+d.path(name)+"\n")
		info, err := os.Stat(d.path(name))
		if err != nil || info.Mode().Perm()&0o037 != 0 {
			t.Errorf("others can read %s: %v (%v)", name, info.Mode(), err)
		}
		wantText(t, d.grant("", "user", "list", "--file", name).stdout, "alice  -   enabled  -       argon2id m=47104,t=1,p=1\n")
	}
	d.refuse("", "no such file or directory", "user", "passwd", "alice", "--file", "missing")
	d.refuse("", "no such file or directory", "user", "list", "--file", "missing")
	if _, err := os.Stat(d.path("missing")); !os.IsNotExist(err) {
		t.Errorf("there is a file: %v", err)
	}
}

func TestACommandThatFailsSaysWhyOnStderr(t *testing.T) {
	t.Parallel()
	const users = "alice:HASH\nbob:OTHER\n"
	d := newDesk(t, "users", users)
	d.refuse("x\n", `users: it has a user "alice" already; to change the password, run "caddy grant user passwd"`, "user", "add", "alice", "-f", "users")
	d.refuse("secret\nsecret\n", "the password must be the only line on stdin", "user", "passwd", "alice", "-f", "users")
	d.refuse("", "correct the file first, which Caddy refuses as it is", "client", "remove", "carol", "-f", "users", "--format", "json")
	if got := d.read("users"); got != fillHashes(users) {
		t.Errorf("the file is\n%s", got)
	}
}

func TestUsersAreListedWithoutTheirHashes(t *testing.T) {
	t.Parallel()
	d := newDesk(t,
		"users", "alice:HASH\n# disabled: bob:OTHER\n",
		"users.json", `{"users": [{"username": "alice", "password_hash": "HASH", "id": "7", "scopes": ["read", "write"]}, {"username": "bob", "password_hash": "OTHER", "scopes": [], "disabled": true}]}`)
	for args, want := range map[string]string{
		"-f users":             "NAME   ID  STATE     SCOPES  HASH\nalice  -   enabled   -       bcrypt cost 4\nbob    -   disabled  -       argon2id m=47104,t=1,p=1\n",
		"-f users.json":        "NAME   ID  STATE     SCOPES      HASH\nalice  7   enabled   read write  bcrypt cost 4\nbob    -   disabled  none        argon2id m=47104,t=1,p=1\n",
		"-f users --json":      `[{"username":"alice","disabled":false,"hash":"bcrypt cost 4"},{"username":"bob","disabled":true,"hash":"argon2id m=47104,t=1,p=1"}]`,
		"-f users.json --json": `[{"username":"alice","id":"7","disabled":false,"scopes":["read","write"],"hash":"bcrypt cost 4"},{"username":"bob","disabled":true,"scopes":[],"hash":"argon2id m=47104,t=1,p=1"}]`,
	} {
		e := d.grant("", append([]string{"user", "list"}, strings.Split(args, " ")...)...)
		got := e.stdout
		if strings.Contains(args, "--json") {
			got = strings.NewReplacer("\n", "", "  ", "", `": `, `":`).Replace(got)
		}
		if got != want || e.status != 0 || e.stderr != "" {
			t.Errorf("%s prints\n%s%s\nwant\n%s", args, got, e.stderr, want)
		}
	}
}

// At three in the morning there is a config, and the operator does not know where the
// file is.
func TestTheFileIsTheOneThatTheConfigNames(t *testing.T) {
	t.Parallel()
	site := func(lines string) string {
		return ":8080 {\n\ttoken_endpoint {\n\t\tclient app {\n\t\t\tpublic\n\t\t}\n\t\t" + lines + "\n\t}\n}\n"
	}
	d := newDesk(t, "users.htpasswd", "alice:HASH\n", "people.json", `{"users": [{"username": "alice", "password_hash": "HASH"}]}`,
		"Caddyfile", site("users htpasswd users.htpasswd\n\t\tclients json clients.json")+strings.Replace(site("users htpasswd users.htpasswd\n\t\tclients json clients.json"), "8080", "8081", 1),
		"several", site("users htpasswd users.htpasswd\n\t\tusers json people.json"),
		"none", site("user alice HASH"),
		"broken", site("user"),
		"placeholder", site("users json {env.CADDY_GRANT_TEST_NO_SUCH}/users.json"),
		"config.json", `{"apps": {"http": {"servers": {"a": {"routes": [{"handle": [{"handler": "subroute", "routes": [{"handle": [{"handler": "token_endpoint", "users": [{"source": "json", "path": "`+filepath.Join("%DIR%", "people.json")+`"}]}]}]}]}]}}}}}`)
	d.write("config.json", strings.ReplaceAll(d.read("config.json"), "%DIR%", d.dir))
	if err := os.MkdirAll(d.path("etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.write("etc/Caddyfile", site("users htpasswd ./users.htpasswd"))
	d.write("etc/absolute.caddyfile", site("users htpasswd "+d.path("users.htpasswd")))

	for _, config := range []string{"", "--config Caddyfile", "-c config.json", "-c etc/absolute.caddyfile"} {
		d.do("", append([]string{"user", "rename", "alice", "al"}, strings.Fields(config)...)...)
		d.do("", append([]string{"user", "rename", "al", "alice"}, strings.Fields(config)...)...)
	}
	for config, why := range map[string]string{
		"several -a caddyfile":     "several names several files of users: choose one with --file: people.json, users.htpasswd",
		"none -a caddyfile":        "none names no file of users: name one with --file",
		"broken -a caddyfile":      "; correct it, or name the file of users with --file",
		"placeholder -a caddyfile": "the environment variable of {env.CADDY_GRANT_TEST_NO_SUCH}/users.json is not set, or empty; name the file with --file",
		"none":                     "none: it is not JSON: invalid character ':' looking for beginning of value; if it has another format, name it with --adapter",
		"missing":                  "missing: no such file or directory",
		"Caddyfile -a yaml":        `there is no config adapter "yaml"`,
		"etc/Caddyfile":            "names the file ./users.htpasswd, and where that is depends on where Caddy was started: name the file with --file",
	} {
		d.refuse("", why, append([]string{"user", "rename", "alice", "al", "-c"}, strings.Fields(config)...)...)
	}
	newDesk(t).refuse("", "there is no Caddyfile in this directory: name the file of users with --file, or the config with --config", "user", "list")
	if e := d.grant("", "client", "add", "web"); e.status != 0 || len(e.stdout) != 65 {
		t.Errorf("a client of the config: %+v", e)
	}
	wantText(t, d.read("clients.json"), `"id": "web"`)
}

func TestNamesAreCompleted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "users", "alice:HASH\n# disabled: bob:OTHER\n")
	for _, command := range []string{"passwd", "disable", "enable", "rename", "remove"} {
		cmd := harness.CaddyCommand(t.Context(), t, d.dir, "__complete", "grant", "user", command, "--file", "users", "")
		if output, err := cmd.Output(); err != nil || string(output) != "alice\nbob\n:4\n" {
			t.Errorf("%s is completed by %q (%v)", command, output, err)
		}
	}
}

// Real processes, all of which add a user to one file: no user is lost.
func TestCommandsAtTheSameTimeLoseNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var group sync.WaitGroup
	const n = 24
	for i := range n {
		group.Go(func() {
			if e := d.grant("", "client", "add", "c"+string(rune('a'+i)), "--file", "clients.json", "--public"); e.status != 0 {
				t.Errorf("exit status %d: %s", e.status, e.stderr)
			}
		})
	}
	group.Wait()
	var clients []struct{ ID string }
	if err := json.Unmarshal([]byte(d.grant("", "client", "list", "--file", "clients.json", "--json").stdout), &clients); err != nil || len(clients) != n {
		t.Errorf("there are %d clients of %d (%v)", len(clients), n, err)
	}
}
