package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/token"
)

const (
	cheapHash = `$2a$04$ed8IqXwtgreEpivswSJnkuEzxjfWqAijxnCI.1FDAQe2PAIBWBD7O`
	otherHash = `$argon2id$v=19$m=47104,t=1,p=1$XpGAlxhBAzCw0tXVRWgB9A$K2/RtPx/qbRuCc8ACsfATUO3bF+Iy9ZbHRCGMRZoPU0`
)

// filled puts hashes where a text has HASH and OTHER.
func filled(text string) string {
	return strings.NewReplacer("HASH", cheapHash, "OTHER", otherHash).Replace(text)
}

// desk is a directory with files of users and clients.
type desk struct {
	t   *testing.T
	dir string
}

func newDesk(t *testing.T, files ...string) desk {
	t.Helper()
	d := desk{t, t.TempDir()}
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(d.dir, files[i]), []byte(filled(files[i+1])), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// refuse runs a command that must say why it does nothing. FILE/ in an argument is the
// directory.
func (d desk) refuse(stdin, why string, args ...string) {
	d.t.Helper()
	grant := &cobra.Command{Use: "grant", SilenceUsage: true}
	Build(grant)
	for i, arg := range args {
		args[i] = strings.Replace(arg, "FILE/", d.dir+string(os.PathSeparator), 1)
	}
	var stdout, stderr bytes.Buffer
	grant.SetIn(strings.NewReader(stdin))
	grant.SetOut(&stdout)
	grant.SetErr(&stderr)
	grant.SetArgs(args)
	err := grant.ExecuteContext(d.t.Context())
	if err == nil || stdout.Len() > 0 || !strings.Contains(err.Error(), why) {
		d.t.Errorf("%q: %v, want %q\n%s%s", args, err, why, stdout.String(), stderr.String())
	}
	for _, secret := range []string{"$argon2id$", "$2a$", "$5$", strings.TrimSpace(stdin)} {
		if len(secret) > 3 && strings.Contains(stdout.String()+stderr.String(), secret) {
			d.t.Errorf("%q prints %q: %s", args, secret, stderr.String())
		}
	}
}

// unchanged fails the test unless the files are as they were, and no others are there.
func (d desk) unchanged(files ...string) {
	d.t.Helper()
	for i := 0; i < len(files); i += 2 {
		if got, err := os.ReadFile(filepath.Join(d.dir, files[i])); err != nil || string(got) != filled(files[i+1]) {
			d.t.Errorf("%s is\n%s (%v)", files[i], got, err)
		}
	}
	if names, err := filepath.Glob(filepath.Join(d.dir, "*")); err != nil || len(names) != len(files)/2 {
		d.t.Errorf("the directory holds %v (%v)", names, err)
	}
}

func TestWhatCannotBeDoneIsSaidAndLeavesTheFileAlone(t *testing.T) {
	const users, one, people = "alice:HASH\nbob:OTHER\n# disabled: carol:HASH\n", "alice:HASH\n", `{"users": [{"username": "alice", "password_hash": "HASH"}]}`
	files := []string{"users", users, "one", one, "users.json", people, "broken", "alice:HASH\nalice:OTHER\n", "plain", "alice:hunter2\nbob:HASH\n"}
	d := newDesk(t, files...)
	for _, test := range []struct{ stdin, why, args string }{
		{"x\n", `users: it has a user "alice" already; to change the password, run "caddy grant user passwd"`, "add alice -f FILE/users"},
		{"x\n", `it has a user "carol" already, and is disabled; `, "add carol -f FILE/users"},
		{"x\n", `users: it has no user "dave"; to add the user, run "caddy grant user add"`, "passwd dave -f FILE/users"},
		{"", `users: it has no user "dave"`, "remove dave -f FILE/users"},
		{"", `it has a user "bob" already`, "rename alice bob -f FILE/users"},
		{"", "the htpasswd format has no ids", "rename alice al -f FILE/users --keep-id"},
		{"", `no users would be left, and such a file is not valid: Caddy would keep its last version, with the user; to lock the user out, set another password`, "disable alice -f FILE/one"},
		{"", `no users would be left`, "remove alice -f FILE/one"},
		{"", "the password is empty", "passwd alice -f FILE/users"},
		{"\n", "the password is empty", "passwd alice -f FILE/users"},
		{"a\nb\n", "the password must be the only line on stdin", "passwd alice -f FILE/users"},
		{"a\x00b\n", "NUL", "passwd alice -f FILE/users"},
		{"gr\xfcn\n", "not UTF-8 text", "passwd alice -f FILE/users"},
		{strings.Repeat("x", 73), "the password has 73 bytes, and the maximum with bcrypt is 72", "passwd alice -f FILE/users --algorithm bcrypt"},
		{strings.Repeat("x", 1025), "the maximum with argon2id is 1024", "passwd alice -f FILE/users"},
		{"x\n", "--algorithm md5: it must be argon2id or bcrypt", "passwd alice -f FILE/users --algorithm md5"},
		{"x\n", "--bcrypt-cost is for --algorithm bcrypt", "passwd alice -f FILE/users --bcrypt-cost 14"},
		{"x\n", "--bcrypt-cost 4: it must be from 10 to 16", "passwd alice -f FILE/users --algorithm bcrypt --bcrypt-cost 4"},
		{"x\n", "names and hashes and no scopes; use a JSON file", "add dave -f FILE/users --scopes read"},
		{"x\n", "a name with a colon", "add a:b -f FILE/users"},
		{"x\n", "control characters", "add a\nb -f FILE/users"},
		{"x\n", "--claims: it is not JSON", "add dave -f FILE/users.json --claims {"},
		{"x\n", `claims: "sub" is the user's "id": set that instead`, `add dave -f FILE/users.json --claims {"sub":1}`},
		{"x\n", `correct the file first, which Caddy refuses as it is: line 2: "alice" is already on line 1`, "passwd alice -f FILE/broken"},
		{"x\n", "correct the file first, which Caddy refuses as it is: line 1", "passwd bob -f FILE/plain"},
		{"", "line 1", "list -f FILE/plain"},
		{"x\n", "it has the htpasswd format, not JSON", "add dave -f FILE/users --format json"},
		{"x\n", "--format yaml: it must be htpasswd or json", "add dave -f FILE/users --format yaml"},
		{"x\n", "--config and --file cannot be used together", "add dave -f FILE/users --config Caddyfile"},
		{"x\n", "name the user: grant user add NAME", "add -f FILE/users"},
	} {
		d.refuse(test.stdin, test.why, append([]string{"user"}, strings.Split(test.args, " ")...)...)
	}
	d.unchanged(files...)
}

func TestWhatClientsCannotHaveIsRefused(t *testing.T) {
	const file = `{"clients": [{"id": "kiosk", "public": true}]}`
	d := newDesk(t, "clients.json", file)
	for args, why := range map[string]string{
		"add kiosk":                                  `it has a client "kiosk" already; for a new secret, run "caddy grant client rotate-secret"`,
		"add kiosk --public":                         `it has a client "kiosk" already`,
		"add ü":                                      "printable ASCII",
		"add web --grants implicit":                  `client "web": grants: no such grant type "implicit": there are`,
		"add web --grants client_credential":         `client "web": grants: no such grant type "client_credential": did you mean client_credentials?`,
		"add web --public --grants pasword":          `client "web": grants: no such grant type "pasword": did you mean password?`,
		"add web --access-token-ttl soon":            "soon",
		"add web --default-scopes a --scopes b":      `"a" is not among the client's scopes`,
		"add web --public --introspect x":            "a public client may not ask about tokens",
		"add web --public --algorithm bcrypt":        "--algorithm and --public cannot be used together",
		"add web --algorithm md5":                    "--algorithm md5: it must be sha256-crypt, argon2id or bcrypt",
		"add web --algorithm bcrypt --bcrypt-cost 4": "--bcrypt-cost 4: it must be from 10 to 16",
		"add web --bcrypt-cost 12":                   "--bcrypt-cost is for --algorithm bcrypt",
		"add web --public --bcrypt-cost 12":          "--bcrypt-cost and --public cannot be used together",
		"rotate-secret kiosk --bcrypt-cost 12":       "--bcrypt-cost is for --algorithm bcrypt",
		"add " + token.LoginPage:                     "login_page is the id of the login page itself",
		"rotate-secret kiosk":                        `client "kiosk" is public: it has no secret`,
		"rotate-secret web":                          `it has no client "web"`,
		"remove web":                                 `it has no client "web"`,
	} {
		d.refuse("", why, append(append([]string{"client"}, strings.Fields(args)...), "--file", "FILE/clients.json")...)
	}
	d.unchanged("clients.json", file)
}

func TestWhatIsWrongWithAFlagIsNotBlamedOnTheFile(t *testing.T) {
	for args, want := range map[string]string{
		"client add web --grants client_credential":               `client "web": grants: no such grant type "client_credential": did you mean client_credentials?`,
		"client add web --public --access-token-ttl 1ms":          `client "web": access_token_ttl: it must be whole seconds, at least 1s and at most 10 years`,
		"client add web --grants=password|refresh_token":          `--grants: "password refresh_token" contains a space: put a comma between two of them, and no space`,
		"user add bob --scopes=read|write":                        `--scopes: "read write" contains a space: put a comma between two of them, and no space`,
		"key add rep --client web --scopes=contacts.read|write,a": `--scopes: "contacts.read write" contains a space: put a comma between two of them, and no space`,
	} {
		grant := &cobra.Command{Use: "grant", SilenceUsage: true, SilenceErrors: true}
		Build(grant)
		grant.SetIn(strings.NewReader("x\n"))
		words := strings.Fields(args)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "|", " ")
		}
		grant.SetArgs(append(words, "--file", filepath.Join(t.TempDir(), "new.json")))
		if err := grant.ExecuteContext(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
