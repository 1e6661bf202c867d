//go:build linux

package command

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// startKeyring runs a session bus with a GNOME keyring that is unlocked, and returns the
// environment of those who use it.
func startKeyring(t *testing.T, home string) []string {
	t.Helper()
	if os.Getenv("CADDY_GRANT_KEYRING") == "" {
		t.Skip("CADDY_GRANT_KEYRING is not set: it needs dbus-daemon and gnome-keyring")
	}
	start := func(stdin string, env []string, name string, args ...string) *bufio.Reader {
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), append(env, "HOME="+home, "XDG_DATA_HOME="+home+"/data", "XDG_RUNTIME_DIR="+home)...)
		cmd.Stdin = strings.NewReader(stdin)
		output, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		return bufio.NewReader(output)
	}
	line := func(r *bufio.Reader) string {
		text, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(text)
	}
	bus := "DBUS_SESSION_BUS_ADDRESS=" + line(start("", nil, "dbus-daemon", "--session", "--nofork", "--print-address"))
	start("the password of the keyring", []string{bus}, "gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	harness.Eventually(t, "the keyring answers", func() bool {
		cmd := exec.Command("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.GetNameOwner", "string:org.freedesktop.secrets")
		cmd.Env = append(os.Environ(), bus)
		return cmd.Run() == nil
	})
	return []string{bus, "XDG_RUNTIME_DIR=" + home}
}

func TestTheKeyringHasTheTokensAndNoFileDoes(t *testing.T) {
	home := t.TempDir()
	env := startKeyring(t, home)
	p := person{newSiteWith(t, loginSite, nil), home}
	do := func(stdin string, args ...string) (int, string, string) {
		t.Helper()
		cmd := p.command(t, args...)
		cmd.Env = append(cmd.Env, env...)
		return run(t, cmd, stdin)
	}
	want := func(says, stdin string, args ...string) string {
		t.Helper()
		status, stdout, stderr := do(stdin, args...)
		if status != 0 || !strings.Contains(stdout+stderr, says) {
			t.Fatalf("%v: status %d, no %q: %s%s", args, status, says, stdout, stderr)
		}
		return stdout
	}
	want("kept in your keyring", "correct horse", "login", p.URL(""), "--username", "alice")
	content, err := os.ReadFile(p.kept(t))
	if err != nil || strings.Contains(string(content), "token\":\"ey") || strings.Contains(string(content), "secrets") {
		t.Errorf("the file has %s (%v)", content, err)
	}
	token := want("", "", "login", p.URL(""), "--", "sh", "-c", `printf %s "$CADDY_GRANT_TOKEN"`)
	if status := p.Edge(token); status != 200 {
		t.Errorf("the edge answers %d", status)
	}
	want("keyring", "", "whoami")
	want("Logged out", "", "logout")
	if status := p.Edge(token); status != 401 {
		t.Errorf("the edge answers %d after the logout", status)
	}
	if status, _, stderr := do("", "whoami", p.URL("")); status != 1 || !strings.Contains(stderr, "not logged in") {
		t.Errorf("status %d: %s", status, stderr)
	}

	want(home, "correct horse", "login", p.URL(""), "--username", "alice", "--no-keyring")
	want("alice", "", "whoami")
	want("Logged out", "", "logout")
}
