package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/standin"
)

func exampleSessions(t *testing.T, e *example) {
	// by hand, as in the comment
	printed := e.comments("sessions")
	if len(printed) != 2 {
		t.Fatalf("the comment has %d paragraphs with curl", len(printed))
	}
	var retried map[string]any
	unmarshal(t, printed[0], &retried)
	if retried["refresh_token"] == nil || retried["expires_in"] != 60.0 {
		t.Errorf("the retry got %v", retried)
	}
	lines := strings.Split(strings.TrimSpace(printed[1]), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"active":true`) || lines[1] != "{}" || lines[2] != `{"active":false}` {
		t.Errorf("the app was told %q", lines)
	}
	e.token("localhost", "contacts-app", "app-secret", "alice", "").Want(t, 400, "unauthorized_client")

	// the script
	home, url := t.TempDir(), "SESSION_URL=http://localhost:"+strconv.Itoa(e.Port)
	file := filepath.Join(home, ".contacts-session")
	session := func(command, stdin string) string {
		return shell(t, e.Dir, "sh examples/sessions/session.sh "+command, stdin, "HOME="+home, url)
	}
	fails := func(command, stdin string, env ...string) string {
		cmd := exec.CommandContext(t.Context(), "sh", append([]string{"examples/sessions/session.sh"}, strings.Fields(command)...)...)
		cmd.Dir = e.Dir
		cmd.Env = append(append(os.Environ(), "PATH="+standin.SearchPath(t), "HOME="+home, url), env...)
		cmd.Stdin = strings.NewReader(stdin)
		output, err := cmd.CombinedOutput()
		if _, failed := err.(*exec.ExitError); !failed {
			t.Errorf("%s: %v\n%s", command, err, output)
		}
		return string(output)
	}
	tokens := func() string {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}

	fails("login alice", "wrong\n")
	session("login alice", "alice-password\n")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the tokens: %v %v", info, err)
	}
	if got := session("call /contacts", ""); got != "hello alice\n" {
		t.Errorf("the app says %q", got)
	}

	// an access token that has expired, and then an answer that was lost
	first := tokens()
	var answer map[string]any
	unmarshal(t, first, &answer)
	expired := strings.Replace(first, answer["access_token"].(string), "expired", 1)
	for _, when := range []string{"first", "again"} {
		if err := os.WriteFile(file, []byte(expired), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := session("call /contacts", ""); got != "hello alice\n" {
			t.Errorf("%s: the app says %q", when, got)
		}
		if tokens() == expired {
			t.Error("the tokens are those of the login")
		}
	}
	session("refresh", "")

	// a logout, and one that does not get through before it
	if got := fails("logout", "", "SESSION_URL=http://127.0.0.1:1"); !strings.Contains(got, "may live on") {
		t.Errorf("it says %s", got)
	}
	last := tokens()
	session("logout", "")
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the tokens are still there (%v)", err)
	}
	for _, command := range []string{"call /contacts", "refresh", "logout"} {
		if got := fails(command, ""); got != "not logged in: run \"session.sh login <username>\"\n" {
			t.Errorf("%s says %q", command, got)
		}
	}
	if err := os.WriteFile(file, []byte(last), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := fails("call /contacts", ""); !strings.Contains(got, "log in again") {
		t.Errorf("after the logout it says %s", got)
	}
}
