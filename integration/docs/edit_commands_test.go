package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// editGroups execute the commands of docs/commands.md that edit files.
var editGroups = []group{
	{"users are added and changed", []string{"user-add", "user-config", "user-change", "add-user", "change-password"}, testUserCommands},
	{"a script adds a user", []string{"user-script"}, testUserScript},
	{"clients are added, and get another secret", []string{"client-add", "client-rotate"}, testClientCommands},
}

// here is a command of the docs for the files of a test, by someone who may write them.
func (r *recipe) here(command string) string {
	return strings.ReplaceAll(strings.ReplaceAll(command, "sudo ", ""), "/etc/caddy", r.etc)
}

// answered runs each line of a command with what is typed for it.
func (r *recipe) answered(t *testing.T, command string, typed ...string) (printed []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(r.here(command)), "\n")
	for i, line := range lines {
		stdin := ""
		if i < len(typed) {
			stdin = typed[i]
		}
		printed = append(printed, shell(t, r.Dir, line, stdin))
	}
	return printed
}

func testUserCommands(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	const site = "http://api.example.com {\n\ttoken_endpoint {\n\t\tusers htpasswd /etc/caddy/users.htpasswd\n\t\tclient web {\n\t\t\tsecret web-secret\n\t\t}\n\t}\n}\n"
	r.Write("etc/Caddyfile", strings.ReplaceAll(site, "/etc/caddy", r.etc))
	r.serve(site)
	r.answered(t, blocks["user-add"].text, "battery staple\n", "another horse\n")
	harness.Eventually(t, "the change applies", func() bool { return r.Login("alice", "another horse").Status == 200 })
	r.Login("bob", "battery staple").Want(t, 200, "")
	r.Login("alice", "correct horse").Want(t, 400, "invalid_grant")
	r.answered(t, blocks["user-config"].text, "third horse\n")
	harness.Eventually(t, "the change applies", func() bool { return r.Login("alice", "third horse").Status == 200 })

	printed := r.answered(t, blocks["user-change"].text) // which removes bob
	r.answered(t, blocks["add-user"].text+blocks["change-password"].text, "battery staple\n", "correct horse\n")
	harness.Eventually(t, "the change applies", func() bool { return r.Login("alice", "correct horse").Status == 200 })
	r.Login("bob", "battery staple").Want(t, 200, "")
	list := printed[len(printed)-1]
	if !regexp.MustCompile(`^NAME +ID +STATE +SCOPES +HASH\nalice +- +enabled +- +argon2id m=47104,t=1,p=1\n$`).MatchString(list) {
		t.Errorf("the list is\n%s", list)
	}
}

func testUserScript(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	shell(t, r.Dir, "pass() { [ \"$*\" = 'show web/bob' ] && echo battery staple; }\n"+blocks["user-script"].text, "")
	if content, err := os.ReadFile(filepath.Join(r.Dir, "users.json")); err != nil || !strings.Contains(string(content), `"scopes": ["contacts.read"]`) {
		t.Errorf("the file is\n%s (%v)", content, err)
	}
	r.serve("http://api.example.com {\n\ttoken_endpoint {\n\t\tscopes contacts.read contacts.write\n\t\tusers json " + r.Path("users.json") + "\n\t\tclient web {\n\t\t\tsecret web-secret\n\t\t}\n\t}\n}\n")
	a := r.Login("bob", "battery staple")
	if a.Want(t, 200, ""); a.Text(t, "scope") != "contacts.read" {
		t.Errorf("got %s", a.Body)
	}
}

func testClientCommands(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	list := shell(t, r.Dir, blocks["client-add"].text, "")
	if !regexp.MustCompile(`\nweb +contacts.read contacts.write .*sha256-crypt rounds=5000\nkiosk +contacts.read .*public\n$`).MatchString(list) {
		t.Errorf("the list is\n%s", list)
	}
	secret := func() string {
		content, err := os.ReadFile(r.Path("web.secret"))
		if err != nil || !regexp.MustCompile(`^[0-9a-f]{64}\n$`).Match(content) {
			t.Fatalf("the secret is %q (%v)", content, err)
		}
		return strings.TrimSpace(string(content))
	}
	old := secret()
	r.serve("http://api.example.com {\n\ttoken_endpoint {\n\t\tscopes contacts.read contacts.write\n\t\tusers htpasswd /etc/caddy/users.htpasswd\n\t\tclients json " + r.Path("clients.json") + "\n\t}\n}\n")
	login := func(secret string) harness.Answer {
		return r.Login("alice", "correct horse", "client_secret", secret)
	}
	login(old).Want(t, 200, "")
	r.Login("alice", "correct horse", "client_id", "kiosk", "client_secret", "").Want(t, 200, "")
	shell(t, r.Dir, blocks["client-rotate"].text, "")
	harness.Eventually(t, "the new secret is taken", func() bool { return login(secret()).Status == 200 })
	login(old).Want(t, 400, "invalid_client")
	harness.Eventually(t, "the second edit is applied, too", func() bool {
		return r.Login("alice", "correct horse", "client_id", "kiosk", "client_secret", "").Status == 400
	})
	r.Login("alice", "correct horse", "client_id", "kiosk", "client_secret", "").Want(t, 400, "invalid_client")
}
