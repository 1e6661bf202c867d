package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
	"github.com/caddygrant/caddy-grant/internal/password"
)

// imports is a directory in which files are imported.
type imports struct {
	t   *testing.T
	dir string
}

func newImports(t *testing.T, files ...string) imports {
	i := imports{t, t.TempDir()}
	for at := 0; at < len(files); at += 2 {
		i.write(files[at], files[at+1])
	}
	return i
}

func (i imports) write(name, text string) {
	i.t.Helper()
	text = strings.NewReplacer("HASH", harness.HashBcrypt, "OTHER", harness.HashArgon2id).Replace(text)
	if err := os.WriteFile(filepath.Join(i.dir, name), []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
}

// read is a file, or "" if there is none.
func (i imports) read(name string) string {
	content, _ := os.ReadFile(filepath.Join(i.dir, name))
	return string(content)
}

// run is `caddy grant user import`. Nothing that it prints may have a hash or a password.
func (i imports) run(stdin string, args ...string) (status int, stdout, stderr string) {
	i.t.Helper()
	cmd := harness.CaddyCommand(i.t.Context(), i.t, i.dir, append([]string{"grant", "user", "import"}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		i.t.Fatal(err)
	}
	for _, secret := range []string{harness.HashBcrypt[8:], harness.HashArgon2id[30:], "hunter2", "correct horse"} {
		if strings.Contains(out.String()+errOut.String(), secret) {
			i.t.Errorf("%q prints a hash or a password:\n%s%s", args, out.String(), errOut.String())
		}
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

// want runs an import and compares its status and the beginnings of its lines.
func (i imports) want(status int, args []string, lines ...string) (stderr string) {
	i.t.Helper()
	got, stdout, stderr := i.run("", args...)
	printed := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if got != status || len(printed) != len(lines) {
		i.t.Fatalf("%q: exit status %d, want %d, and %d lines\n%s%s", args, got, status, len(lines), stdout, stderr)
	}
	for at, line := range printed {
		if !strings.HasPrefix(line+"\n", lines[at]) {
			i.t.Errorf("it says\n%s\nwant\n%s", line, lines[at])
		}
	}
	return stderr
}

const oldHtpasswd = "alice:HASH\nbob:hunter2!x\ncarol:{SHA}MNLW6wfRtawHZ/atRhQOJCUt398=\nno colon\ndan:$2y$05$96ej/TgDxZDyNhEfh27lA.FeOcmKUFnJSNYuLFsPBQLkUjDALj8Fq\n"

func TestAnImportSaysForEachLineWhatBecameOfIt(t *testing.T) {
	i := newImports(t, "old", oldHtpasswd)
	lines := []string{
		"old:1: alice: added (bcrypt cost 10)",
		"old:2: bob: skipped: it looks like a plaintext password; --plaintext",
		"old:3: carol: skipped: {SHA} is one round of SHA-1",
		"old:4: skipped: no colon in it",
		"old:5: dan: added (bcrypt cost 5); bcrypt with a cost below 10, quick to guess\n",
	}
	stderr := i.want(2, []string{"old", "--from", "htpasswd", "--file", "users.htpasswd"}, lines...)
	if !strings.Contains(stderr, "Imported 2 of 5 users into users.htpasswd.\n") || strings.Count(stderr, `"caddy grant user add"`) != 1 {
		t.Errorf("it says %s", stderr)
	}
	want := "alice:" + harness.HashBcrypt + "\n" + strings.SplitAfter(oldHtpasswd, "\n")[4]
	if got := i.read("users.htpasswd"); got != want {
		t.Errorf("the file is\n%swant\n%s", got, want)
	}

	// again: all stay as they are
	i.want(2, []string{"old", "--from", "htpasswd", "--file", "users.htpasswd"},
		"old:1: alice: kept: ", lines[1], lines[2], lines[3], "old:5: dan: kept: ")
	if got := i.read("users.htpasswd"); got != want {
		t.Errorf("a second import changed the file to\n%s", got)
	}

	i.want(2, []string{"old", "--from", "htpasswd", "--file", "users.htpasswd", "--replace", "--plaintext", "--allow-weak-hashes"},
		"old:1: alice: replaced (bcrypt cost 10)", "old:2: bob: added (its plaintext password is hashed); the password is weak: ",
		"old:3: carol: added (", lines[3], "old:5: dan: replaced (bcrypt cost 5)")
	_, bobs, _ := strings.Cut(i.read("users.htpasswd"), "bob:")
	bobs, _, _ = strings.Cut(bobs, "\n")
	if hash, err := password.Parse(bobs, false); err != nil || hash.Params().Kind() != "argon2id m=47104,t=1,p=1" || !hash.Matches("hunter2!x") {
		t.Errorf("bob has %v, %v", hash, err)
	}
}

// What is replaced is what the source has: an old file without the mark of a disabled
// user must not let the user in again, nor one without scopes widen them.
func TestAReplacedUserKeepsWhatTheSourceDoesNotSay(t *testing.T) {
	const before = `{"users": [
  {"username": "alice", "password_hash": "OTHER", "id": "7", "scopes": ["read"], "claims": {"team": "x"}, "disabled": true},
  {"username": "bob", "password_hash": "OTHER"}
]}
`
	i := newImports(t, "old", "bob:HASH\nalice:HASH\n", "users.json", before,
		"users.htpasswd", "# the team\n# disabled: alice:OTHER\n\nbob:OTHER\n# end\n",
		"staff.csv", "username,password_hash,id,scopes,disabled,email,team\nalice,HASH,8,*,no,a@example.com,\nbob,HASH,,,yes,,y\n")
	args := []string{"old", "--from", "htpasswd", "--file", "users.json", "--replace"}
	i.want(0, append(args, "--dry-run"),
		"old:1: bob: would be replaced (bcrypt cost 10)", "old:2: alice: would be replaced (bcrypt cost 10; stays disabled; id kept; scopes kept; claims kept)")
	i.want(0, args, "old:1: bob: replaced (bcrypt cost 10)", "old:2: alice: replaced (bcrypt cost 10; stays disabled; id kept; scopes kept; claims kept)")
	want := strings.ReplaceAll(before, "OTHER", harness.HashBcrypt)
	if got := i.read("users.json"); got != want {
		t.Errorf("the JSON file is\n%swant\n%s", got, want)
	}
	i.want(0, append(args[:4:4], "users.htpasswd", "--replace"),
		"old:1: bob: replaced (bcrypt cost 10)", "old:2: alice: replaced (bcrypt cost 10; stays disabled)")
	if got, want := i.read("users.htpasswd"), "# the team\n# disabled: alice:"+harness.HashBcrypt+"\n\nbob:"+harness.HashBcrypt+"\n# end\n"; got != want {
		t.Errorf("the htpasswd file is\n%swant\n%s", got, want)
	}
	i.want(0, []string{"staff.csv", "--from", "csv", "--file", "users.json", "--replace", "--claims", "email,team"},
		`staff.csv:2: alice: replaced (bcrypt cost 10; stays disabled; the id was "7" and is now "8", so the tokens end; scopes were read and are now any; claims changed: "email")`,
		`staff.csv:3: bob: replaced (bcrypt cost 10; scopes were any and are now none; claims changed: "team")`)
	users := []map[string]any{
		{"username": "alice", "password_hash": harness.HashBcrypt, "id": "8", "claims": map[string]any{"email": "a@example.com", "team": "x"}, "disabled": true},
		{"username": "bob", "password_hash": harness.HashBcrypt, "scopes": []any{}, "claims": map[string]any{"team": "y"}, "disabled": true},
	}
	if got := jsonUsers(t, i.read("users.json")); !reflect.DeepEqual(got, users) {
		t.Errorf("the users are %v", got)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	i := newImports(t, "old", "alice:HASH\nbob:HASH\n", "users.htpasswd", "bob:OTHER\n")
	before := i.read("users.htpasswd")
	stderr := i.want(0, []string{"old", "--from", "htpasswd", "--file", "users.htpasswd", "--dry-run"},
		"old:1: alice: would be added (bcrypt cost 10)", "old:2: bob: would be kept: ")
	if stderr != "A dry run: 1 would come over, 1 would be kept, 0 would be skipped.\n" || i.read("users.htpasswd") != before {
		t.Errorf("it says %s, the file is %s", stderr, i.read("users.htpasswd"))
	}
	// it tells of weak passwords, too
	i.write("table.csv", "username,password\ncarol,hunter2\n")
	i.want(0, []string{"table.csv", "--from", "csv", "--file", "users.htpasswd", "--dry-run"},
		"table.csv:2: carol: would be added (its plaintext password is hashed); the password is weak: it has fewer than 8 characters")

	// and needs no file to tell
	i.want(0, []string{"old", "--from", "htpasswd", "--dry-run"}, "old:1: alice: would be added", "old:2: bob: would be added")
	if files, _ := os.ReadDir(i.dir); len(files) != 3 {
		t.Errorf("there are the files %v", files)
	}
}

func TestAFileThatCannotHoldAUserLeavesTheUserOut(t *testing.T) {
	i := newImports(t, "staff.csv", "username,password_hash,scopes,disabled,email\nalice,HASH,a b,,alice@example.com\nbob,HASH,*,yes,\n\"c:d\",HASH,*,,\nerin,HASH,*,,\n")
	i.want(2, []string{"staff.csv", "--from", "csv", "--file", "users.htpasswd"},
		"staff.csv:2: alice: skipped: the htpasswd format holds names and hashes and no scopes; use a JSON file",
		"staff.csv:3: bob: added (bcrypt cost 10); disabled",
		`staff.csv:4: "c:d": skipped: a name with a colon`, "staff.csv:5: erin: added")
	if got, want := i.read("users.htpasswd"), "# disabled: bob:"+harness.HashBcrypt+"\nerin:"+harness.HashBcrypt+"\n"; got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	stderr := i.want(0, []string{"staff.csv", "--from", "csv", "--file", "users.json"},
		"staff.csv:2: alice: added", "staff.csv:3: bob: added", `staff.csv:4: "c:d": added`, "staff.csv:5: erin: added")
	if !strings.Contains(stderr, "Left behind: email. --claims takes them over as claims, --scopes-from as scopes.\n") {
		t.Errorf("it says %s", stderr)
	}
	users := jsonUsers(t, i.read("users.json"))
	want := []map[string]any{
		{"username": "alice", "password_hash": harness.HashBcrypt, "scopes": []any{"a", "b"}},
		{"username": "bob", "password_hash": harness.HashBcrypt, "disabled": true},
		{"username": "c:d", "password_hash": harness.HashBcrypt},
		{"username": "erin", "password_hash": harness.HashBcrypt},
	}
	if !reflect.DeepEqual(users, want) {
		t.Errorf("the users are %v", users)
	}
}

func jsonUsers(t *testing.T, text string) []map[string]any {
	t.Helper()
	var file struct{ Users []map[string]any }
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return file.Users
}

func TestAnImportIsJSONWhereThatIsAskedFor(t *testing.T) {
	i := newImports(t)
	status, stdout, stderr := i.run("mail:{PLAIN}correct horse battery::::::\nx:{CRAM-MD5}00:1:1\n", "-", "--from", "dovecot", "--file", "users.json", "--json")
	var got struct {
		File  string
		Users []map[string]any
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || status != 2 || got.File != "users.json" || len(got.Users) != 2 {
		t.Fatalf("exit status %d, %v: %s%s", status, err, stdout, stderr)
	}
	if u := got.Users[0]; u["line"] != 1.0 || u["name"] != "mail" || u["status"] != "added" || u["hash"] != "plaintext" {
		t.Errorf("the first is %v", u)
	}
	if u := got.Users[1]; u["status"] != "skipped" || u["reason"] == "" {
		t.Errorf("the second is %v", u)
	}
	hash, err := password.Parse(jsonUsers(t, i.read("users.json"))[0]["password_hash"].(string), false)
	if err != nil || !hash.Matches("correct horse battery") {
		t.Errorf("mail has %v, %v", hash, err)
	}
}

func TestAnImportThatCannotBeIsOneError(t *testing.T) {
	i := newImports(t, "old", "alice:HASH\n", "broken.json", `{"users": [{"username": "x"}]}`, "list.json", `{"users": []}`)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"old", "--file", "a"}, "say what the source is with --from: htpasswd, authelia, dovecot, csv"},
		{[]string{"old", "--from", "passwd", "--file", "a"}, "--from passwd: it must be one of htpasswd, authelia, dovecot, csv"},
		{[]string{"missing", "--from", "htpasswd", "--file", "a"}, "no such file"},
		{[]string{"list.json", "--from", "htpasswd", "--file", "a"}, "list.json: it is JSON"},
		{[]string{"old", "--from", "authelia", "--file", "a"}, `old: it has no "users:"`},
		{[]string{"old", "--from", "htpasswd", "--file", "broken.json"}, "broken.json: correct the file first"},
		{[]string{"old", "--from", "htpasswd", "--file", "a", "--claims", "email"}, "no user has the attribute"},
		{[]string{"old", "--from", "htpasswd", "--file", "a", "--claims", "sub"}, "it has a meaning of its own"},
		{[]string{"old", "--from", "htpasswd", "--file", "a", "--algorithm", "md5"}, "it must be argon2id or bcrypt"},
		{[]string{"--from", "htpasswd", "--file", "a"}, "name the file to read, or - for stdin: caddy grant user import SOURCE"},
	} {
		status, stdout, stderr := i.run("", test.args...)
		if status != 1 || stdout != "" || !strings.HasPrefix(stderr, "Error: ") || !strings.Contains(stderr, test.want) {
			t.Errorf("%q: exit status %d, want %q\n%s%s", test.args, status, test.want, stdout, stderr)
		}
	}
	if i.read("a") != "" || i.read("broken.json") != `{"users": [{"username": "x"}]}` {
		t.Error("a file was changed")
	}
}

// The users files of the examples are what the commands of docs/migrating.md make.
func TestTheExamplesHaveWhatAnImportMakes(t *testing.T) {
	for _, test := range []struct {
		example string
		imports [][]string
	}{
		{"from-nginx", [][]string{
			{"users.htpasswd", "--from", "htpasswd", "--file", "users.json", "--scopes", "staff"},
			{"admins.htpasswd", "--from", "htpasswd", "--file", "users.json", "--scopes", "staff,admin", "--replace"},
		}},
		{"from-authelia", [][]string{
			{"users_database.yml", "--from", "authelia", "--file", "users.json", "--claims", "email,groups,name", "--scopes-from", "groups"},
		}},
	} {
		i := newImports(t)
		if err := os.CopyFS(i.dir, os.DirFS(repo.Path("examples/"+test.example))); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(i.dir, "users.json")); err != nil {
			t.Fatal(err)
		}
		for _, args := range test.imports {
			if status, stdout, stderr := i.run("", args...); status != 0 {
				t.Fatalf("%q: exit status %d\n%s%s", args, status, stdout, stderr)
			}
		}
		if test.example == "from-nginx" && i.read("users.json") != repo.Read(t, "examples/from-nginx/users.json") {
			t.Errorf("the commands make\n%s", i.read("users.json"))
		}
		want := jsonUsers(t, repo.Read(t, "examples/"+test.example+"/users.json"))
		if got := jsonUsers(t, i.read("users.json")); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the commands make %v", test.example, got)
		}
	}
}
