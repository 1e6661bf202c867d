package docs

import (
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// The page's commands, with an editor that does what the page says to do in it.
func testChangeUsers(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	hash := func(password string) string {
		printed := shell(t, r.Dir, blocks["new-hash"].text, password+"\n")
		return strings.TrimSpace(printed)
	}
	edit := func(sed string) {
		t.Helper()
		command := strings.ReplaceAll(blocks["edit-users"].text, "/etc/caddy", r.etc)
		shell(t, r.Dir, "sudoedit() { sed '"+sed+"' \"$1\" > edited; cat edited > \"$1\"; }\n"+command, "")
	}
	r.Write("etc/Caddyfile", ":8080 {\n\ttoken_endpoint {\n\t\tusers htpasswd "+r.etc+"/users.htpasswd\n\t\tclient web {\n\t\t\tpublic\n\t\t}\n\t}\n}\n")
	check := func() (valid bool, printed string) {
		t.Helper()
		command, found := strings.CutPrefix(strings.ReplaceAll(blocks["check-users"].text, "/etc/caddy", r.etc), "sudo -u caddy ")
		if !found {
			t.Fatalf("not the command that checks the file: %s", blocks["check-users"].text)
		}
		printed = shell(t, r.Dir, strings.TrimSpace(command)+" 2>&1 || true", "")
		return strings.HasSuffix(printed, "Valid configuration\n"), printed
	}

	// a user is added
	bob := "bob:" + hash("battery staple")
	shown, _, _ := strings.Cut(blocks["new-user"].text, "p=1$")
	if !strings.HasPrefix(bob, shown) {
		t.Errorf("the docs have a line %s…, Caddy makes %s", shown, bob)
	}
	edit("$a\\\n" + strings.ReplaceAll(bob, `\`, `\\`))
	if valid, printed := check(); !valid {
		t.Errorf("the check of the file with bob says %s", printed)
	}

	// alice's password changes
	r.serve("http://api.example.com {\n\timport tokens\n}\n")
	refresh := r.Login("alice", "correct horse").Text(t, "refresh_token")
	edit("s|^alice:.*|alice:" + hash("another horse") + "|")
	if valid, printed := check(); !valid {
		t.Errorf("the check of the file with alice's new password says %s", printed)
	}
	harness.Eventually(t, "alice's new password is taken", func() bool { return r.Login("alice", "another horse").Status == 200 })
	r.Login("alice", "correct horse").Want(t, 400, "invalid_grant")
	r.Login("bob", "battery staple").Want(t, 200, "")
	r.Post("/token", "grant_type=refresh_token&refresh_token="+refresh, harness.Basic("web", "web-secret")).Want(t, 400, "invalid_grant")

	// a second line of one name
	edit("$a\\\nalice:" + hash("third horse"))
	said := regexp.MustCompile("the log says `([^`]+)`").FindStringSubmatch(repo.Read(t, "docs/users-and-clients.md"))
	if said == nil {
		t.Fatal("the page does not say what the log says of a second line")
	}
	if valid, printed := check(); valid || !strings.Contains(strings.ReplaceAll(printed, `\"`, `"`), said[1]) {
		t.Errorf("the page says %q of two lines of alice, the check %s", said[1], printed)
	}
}

// What is typed at a prompt to add a user or change a password has nothing in it that
// one shell reads in another way than the next.
func TestCommandsForUsersAreTheSameInEveryShell(t *testing.T) {
	plain := regexp.MustCompile(`\A[A-Za-z0-9 ./_-]+\n\z`)
	found := 0
	for _, b := range allBlocks(t) {
		switch b.name {
		case "new-hash", "edit-users", "check-users":
			found++
			if !plain.MatchString(b.text) {
				t.Errorf("%s: shells differ in %q", b.place, b.text)
			}
		}
	}
	if found != 3 {
		t.Errorf("%d of 3 commands were found", found)
	}
}

// Shells of Debian, in a terminal. A checkout does not need them, so the variable says
// that they are there; then they must be.
func TestShellsAskForAPasswordWithoutShowingIt(t *testing.T) {
	if os.Getenv("CADDY_GRANT_SHELLS") == "" {
		t.Skip("set CADDY_GRANT_SHELLS where script, dash, bash, zsh and fish are installed")
	}
	binary, err := harness.CaddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	var command string
	for _, b := range allBlocks(t) {
		if b.name == "new-hash" {
			command = b.text
		}
	}
	for _, name := range []string{"dash", "bash", "zsh", "fish"} {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(name)
			if err != nil {
				t.Fatal(err)
			}
			// what is typed between the prompt and the end of the echo is shown
			var shown string
			for range 5 {
				if shown = hashAPassword(t, path, binary, command); !strings.Contains(shown, "horse") {
					return
				}
			}
			t.Errorf("the terminal shows the password: %q", shown)
		})
	}
}

// hashAPassword types a command in a shell that has a terminal, and the password twice.
// It returns what the terminal shows.
func hashAPassword(t *testing.T, shell, binary, command string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".zshrc"), nil, 0o600); err != nil { // or zsh asks for one
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "script", "-qefc", shell, filepath.Join(dir, "typescript"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"HOME="+dir, "ZDOTDIR="+dir, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=", "TERM=dumb")
	terminal := newTerminal(t, cmd)
	terminal.enter(command)
	terminal.answer("Enter password: ", "correct horse\n")
	terminal.answer("Confirm password: ", "correct horse\n")
	shown := terminal.wait(regexp.MustCompile(`\$argon2id\$v=19\$m=47104,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}`))
	terminal.enter("exit\n")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v", shell, err)
	}
	return shown
}

// `caddy reload` asks the admin endpoint of the config. Without one it would ask that of
// another Caddy on the machine, and replace what runs there.
func TestExamplesHaveAnAdminEndpointThatOnlyThisMachineReaches(t *testing.T) {
	check := func(place, text string) {
		for _, match := range regexp.MustCompile(`(?m)^\tadmin (.*)$`).FindAllStringSubmatch(text, -1) {
			address, err := caddy.ParseNetworkAddress(strings.TrimSuffix(match[1], " {"))
			local := err == nil && (address.IsUnixNetwork() || address.Host == "localhost" || net.ParseIP(address.Host).IsLoopback())
			if !local {
				t.Errorf("%s: with \"admin %s\" caddy reload does not get here, or others get in: name a socket or a loopback address", place, match[1])
			}
		}
	}
	files := 0
	for _, dir := range []string{"examples", "sources"} {
		if err := filepath.WalkDir(repo.Path(dir), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && strings.HasPrefix(entry.Name(), "Caddyfile") {
				files++
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				check(path, string(content))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if files < 9 {
		t.Errorf("only %d Caddyfiles were found", files)
	}
	check("Caddyfile.example", repo.Read(t, "Caddyfile.example"))
	for _, b := range allBlocks(t) {
		if b.lang == "caddyfile" && strings.HasPrefix(b.text, "{\n") {
			check(b.place, b.text)
		}
	}
}
