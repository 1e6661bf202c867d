package command

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// loginSite has a default client, and one of every kind.
const loginSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		issuer          http://127.0.0.1:%PORT%
		throttle        off
		revocation_poll 5m
		refresh_grace   0s
		default_client  cli
		allow_weak_hashes
		users json %DIR%/users.json
		client cli {
			public
			scopes read write
		}
		client web {
			secret web-secret
			scopes read write
		}
		client logins {
			secret logins-secret
			scopes read
			grants password
		}
	}
	bearer_auth /app
	respond /app "in"
	respond "the app"
}
`

// person is one who types commands, with a home of their own.
type person struct {
	*harness.Site
	home string
}

func newPerson(t *testing.T) person {
	t.Helper()
	s := newSiteWith(t, loginSite, []string{"bob"})
	return person{s, t.TempDir()}
}

// command is `caddy grant` where there is no keyring.
func (p person) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := harness.CaddyCommand(t.Context(), t, p.home, append([]string{"grant"}, args...)...)
	cmd.Env = append(cmd.Env, "HOME="+p.home, "DBUS_SESSION_BUS_ADDRESS=", "XDG_RUNTIME_DIR=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without the terminal of whoever runs the tests
	return cmd
}

// do runs a command to its end.
func (p person) do(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return run(t, p.command(t, args...), stdin)
}

// want runs a command that has to succeed.
func (p person) want(t *testing.T, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	status, stdout, stderr := p.do(t, stdin, args...)
	if status != 0 {
		t.Fatalf("%v: status %d: %s%s", args, status, stdout, stderr)
	}
	return stdout, stderr
}

// wantRefused runs a command that has to say something on stderr.
func (p person) wantRefused(t *testing.T, says, stdin string, args ...string) {
	t.Helper()
	status, stdout, stderr := p.do(t, stdin, args...)
	if status != 1 || stdout != "" || !strings.Contains(stderr, says) {
		t.Errorf("%v: status %d, no %q in %s%s", args, status, says, stdout, stderr)
	}
}

// logIn logs in as alice, by stdin.
func (p person) logIn(t *testing.T, args ...string) (stderr string) {
	t.Helper()
	stdout, stderr := p.want(t, "correct horse\n", append([]string{"login", p.URL(""), "--username", "alice"}, args...)...)
	if stdout != "" || strings.Contains(stderr, "correct horse") {
		t.Errorf("it prints %s%s", stdout, stderr)
	}
	return stderr
}

// token is what a command gets.
func (p person) token(t *testing.T) string {
	t.Helper()
	stdout, _ := p.want(t, "", "login", p.URL(""), "--", "sh", "-c", `printf %s "$CADDY_GRANT_TOKEN"`)
	return stdout
}

// kept is the file with the tokens.
func (p person) kept(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.home, ".config/caddy-grant/*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	return files[0]
}

// edit changes the file with the tokens.
func (p person) edit(t *testing.T, change func(secrets map[string]any)) {
	t.Helper()
	path := p.kept(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	change(file["secrets"].(map[string]any)["tokens"].(map[string]any))
	if content, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// expire makes the access token look as if it had ended.
func (p person) expire(t *testing.T) {
	t.Helper()
	p.edit(t, func(tokens map[string]any) { tokens["expires"] = time.Now().Add(-time.Minute).Format(time.RFC3339) })
}

func TestLoginKeepsTokensThatOnlyTheUserCanRead(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	stderr := p.logIn(t)
	path := p.kept(t)
	if !strings.Contains(stderr, "as alice") || !strings.Contains(stderr, path) {
		t.Errorf("it says %s", stderr)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(content), "correct horse") {
		t.Errorf("the password is kept: %v", err)
	}
	if status := p.Edge(p.token(t)); status != 200 {
		t.Errorf("the edge answers %d to the token", status)
	}

	replaced := p.token(t)
	p.logIn(t)
	if status := p.Edge(replaced); status != 401 {
		t.Errorf("the edge answers %d to a token of the session before, which can no longer be revoked", status)
	}

	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	p.wantRefused(t, "chmod 600", "", "whoami")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	p.wantRefused(t, "chmod 700", "", "whoami")
}

func TestWhoamiTellsTheUserTheScopesAndTheEnd(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	p.wantRefused(t, "not logged in", "", "whoami")
	p.logIn(t, "--scope", "read")
	stdout, _ := p.want(t, "", "whoami")
	for _, want := range []string{"alice", "read", "cli", "from now, then it is refreshed"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in %s", want, stdout)
		}
	}
	var who struct {
		Username  string
		Sub       string
		Scopes    []string
		Refreshes bool
		Expires   time.Time
	}
	stdout, _ = p.want(t, "", "whoami", p.URL(""), "--json")
	if err := json.Unmarshal([]byte(stdout), &who); err != nil || who.Username != "alice" || who.Sub != "alice" || len(who.Scopes) != 1 || !who.Refreshes || !who.Expires.After(time.Now()) {
		t.Errorf("%v: %s", err, stdout)
	}
	// a second session has to be named
	other := newPerson(t)
	p.want(t, "correct horse", "login", other.URL("/token"), "--username", "bob")
	p.wantRefused(t, "2 URLs", "", "whoami")
	if stdout, _ := p.want(t, "", "whoami", other.URL("/token")); !strings.Contains(stdout, "bob") {
		t.Error(stdout)
	}
}

func TestTheSiteAndItsTokenEndpointAreOneLogin(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	p.want(t, "correct horse", "login", p.URL("/token"), "--username", "alice")
	if stdout, _ := p.want(t, "", "whoami", p.URL("")); !strings.Contains(stdout, "alice") {
		t.Error(stdout)
	}
	for _, url := range []string{p.URL("/"), p.URL("/token/"), strings.ToUpper(p.URL("/")[:7]) + p.URL("//")[7:]} {
		before := p.token(t)
		p.want(t, "correct horse", "login", url, "--username", "alice")
		if stdout, _ := p.want(t, "", "whoami"); !strings.Contains(stdout, "alice") || p.Edge(before) != 401 {
			t.Errorf("%s is another session: %s", url, stdout)
		}
	}
	before := p.token(t)
	p.want(t, "correct horse", "login", p.URL(""), "--username", "bob")
	if stdout, _ := p.want(t, "", "whoami", p.URL("/token")); !strings.Contains(stdout, "bob") {
		t.Error(stdout)
	}
	if status := p.Edge(before); status != 401 {
		t.Errorf("the edge answers %d to a token of the login before", status)
	}
	p.wantRefused(t, "not logged in", "", "whoami", p.URL("/elsewhere"))
}

func TestLogoutRevokesTheSessionAndForgetsIt(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	for name, flags := range map[string][]string{
		"a default client":      nil,
		"a confidential client": {"--client-id", "web", "--client-secret-file", p.Write("web.secret", "web-secret\n")},
		"no refresh token":      {"--client-id", "logins", "--client-secret-file", p.Write("logins.secret", "logins-secret")},
	} {
		p.logIn(t, flags...)
		access := p.token(t)
		if _, stderr := p.want(t, "", "logout"); !strings.Contains(stderr, "Logged out") {
			t.Errorf("%s: %s", name, stderr)
		}
		if status := p.Edge(access); status != 401 {
			t.Errorf("%s: the edge answers %d to a token after the logout", name, status)
		}
		p.wantRefused(t, "not logged in", "", "whoami", p.URL(""))
		p.wantRefused(t, "not logged in", "", "logout")
	}
	p.logIn(t)
	access := p.token(t)
	p.want(t, "", "logout", "--forget")
	if status := p.Edge(access); status != 200 {
		t.Errorf("--forget revokes: %d", status)
	}
}

func TestACommandGetsTheTokenAndItsExitStatusIsPassedOn(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	p.wantRefused(t, "no terminal to ask", "data", "login", p.URL(""), "--", "cat")
	p.logIn(t)
	if stdout, _ := p.want(t, "data", "login", p.URL(""), "--", "cat"); stdout != "data" {
		t.Errorf("stdin is not the command's: %q", stdout)
	}
	if status, stdout, _ := p.do(t, "", "login", p.URL(""), "--", "sh", "-c", "exit 7"); status != 7 || stdout != "" {
		t.Errorf("status %d", status)
	}
	if status, _, stderr := p.do(t, "", "login", p.URL(""), "--", "no-such-command"); status != 127 || !strings.Contains(stderr, "no-such-command") {
		t.Errorf("status %d: %s", status, stderr)
	}
	p.wantRefused(t, "after --", "", "login", p.URL(""), "curl")

	cmd := p.command(t, "login", p.URL(""), "--", "sh", "-c", `trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, new(string)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 9 {
		t.Errorf("the signal does not reach the command: %v", err)
	}

	// a session of another user does not do
	if status, _, stderr := p.do(t, "", "login", p.URL(""), "--username", "bob", "--", "cat"); status != 1 || !strings.Contains(stderr, "no terminal") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if status, _, stderr := p.do(t, "", "login", p.URL(""), "--scope", "admin", "--", "cat"); status != 1 || !strings.Contains(stderr, "no terminal") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// Arguments are for all users of a machine to see, so curl gets the token another way.
func TestCurlSendsTheTokenAndItsArgumentsDoNotHaveIt(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	p.logIn(t)
	access := p.token(t)
	fake := filepath.Join(t.TempDir(), "curl")
	script := `#!/bin/sh
echo "arguments $*"
while [ "$1" != --config ]; do shift; done
cat "$2"
`
	if err := os.WriteFile(fake, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, quiet := range []string{"-q ", ""} {
		args := append([]string{"login", p.URL(""), "--", fake}, strings.Fields(quiet+"--fail "+p.URL("/app"))...)
		stdout, _ := p.want(t, "", args...)
		arguments, config, _ := strings.Cut(stdout, "\n")
		if strings.Contains(arguments, access[:20]) || !strings.HasPrefix(arguments, "arguments "+quiet+"--config /dev/fd/") || config != "oauth2-bearer = \""+access+"\"\n" {
			t.Errorf("curl gets %s", stdout)
		}
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		return // the docs' test has it where it must be there
	}
	if stdout, _ := p.want(t, "", "login", p.URL(""), "--", curl, "-sS", "--fail", p.URL("/app")); stdout != "in" {
		t.Errorf("the app answers %q", stdout)
	}
}

func TestProcessesAtTheSameTimeRefreshOnce(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	p.logIn(t, "--client-id", "web", "--client-secret-file", p.Write("web.secret", "web-secret\n"))
	before := p.token(t)
	p.expire(t)
	var together sync.WaitGroup
	got := make([]string, 8)
	for i := range got {
		cmd := p.command(t, "login", p.URL(""), "--", "sh", "-c", `printf %s "$CADDY_GRANT_TOKEN"`)
		together.Go(func() {
			output, err := cmd.Output()
			if err != nil {
				t.Errorf("%v: %s", err, output)
			}
			got[i] = string(output)
		})
	}
	together.Wait()
	for _, token := range got {
		if token != got[0] || token == before {
			t.Error("more than one process, or none, has refreshed")
		}
	}
	// a refresh token that is used twice would have ended the session
	if status := p.Edge(got[0]); status != 200 {
		t.Errorf("the edge answers %d to the token", status)
	}
	p.expire(t)
	if after := p.token(t); after == got[0] || p.Edge(after) != 200 {
		t.Error("the session does not go on")
	}
}

func TestASessionThatIsOverSaysToLogInAgain(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	p.logIn(t)
	var refresh string
	p.edit(t, func(tokens map[string]any) { refresh = tokens["refresh_token"].(string) })
	p.Public("cli").Revoke(refresh).Want(t, 200, "")
	p.expire(t)
	p.wantRefused(t, "the session is over: log in again, with caddy grant login "+p.URL(""), "", "whoami")
	p.wantRefused(t, "not logged in", "", "whoami", p.URL(""))

	p.logIn(t)
	p.edit(t, func(tokens map[string]any) { refresh = tokens["refresh_token"].(string) })
	p.Public("cli").Revoke(refresh).Want(t, 200, "")
	p.expire(t)
	p.wantRefused(t, "log in first", "", "login", p.URL(""), "--", "cat")

	p.logIn(t, "--client-id", "logins", "--client-secret-file", p.Write("logins.secret", "logins-secret"))
	p.expire(t)
	p.wantRefused(t, "the session is over", "", "whoami") // it has no refresh token
}

func TestWhoamiSaysWhenTheServerWasLastAskedAndAsksItIfItHasTo(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	p.logIn(t)
	before := p.token(t)
	if stdout, _ := p.want(t, "", "whoami"); !strings.Contains(stdout, "when the server gave the tokens") || p.token(t) != before {
		t.Errorf("it says %s", stdout)
	}
	p.want(t, "", "whoami", "--check")
	if p.token(t) == before {
		t.Error("--check did not refresh")
	}
	p.want(t, "", "revoke", "--user", "alice", "--address", p.Admin())
	if stdout, _ := p.want(t, "", "whoami"); !strings.Contains(stdout, "alice") {
		t.Error(stdout)
	}
	p.wantRefused(t, "the session is over: log in again", "", "whoami", "--check")
	p.wantRefused(t, "not logged in", "", "whoami")

	p.logIn(t, "--client-id", "logins", "--client-secret-file", p.Write("logins.secret", "logins-secret"))
	p.wantRefused(t, "no refresh token", "", "whoami", "--check")
	p.want(t, "", "whoami")
}

func TestAWrongPasswordIsRefusedWithoutShowingIt(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	status, stdout, stderr := p.do(t, "hunter2-wrong\n", "login", p.URL(""), "--username", "alice")
	if status != 1 || stdout != "" || !strings.Contains(stderr, "the username or password is wrong") || strings.Contains(stderr, "hunter2") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	p.wantRefused(t, "--username", "correct horse", "login", p.URL(""))
	p.wantRefused(t, "unknown flag", "", "login", p.URL(""), "--password", "x")
	if _, err := os.Stat(filepath.Join(p.home, ".config/caddy-grant")); err == nil {
		if files, _ := filepath.Glob(filepath.Join(p.home, ".config/caddy-grant/*.json")); len(files) > 0 {
			t.Errorf("something is kept: %v", files)
		}
	}
}

func TestALoginWithoutTheRightClientNamesTheFlag(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	p.wantRefused(t, "client authentication failed; if the client has a secret, add --client-secret-file", "correct horse\n",
		"login", p.URL(""), "--username", "alice", "--client-id", "web")
	p.Reload("", strings.Replace(loginSite, "\t\tdefault_client  cli\n", "", 1))
	p.wantRefused(t, "/token has no default client: add --client-id, and --client-secret-file if", "correct horse\n",
		"login", p.URL(""), "--username", "alice")
}
