package admin

import (
	"io"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// On a terminal the command asks before it ends all sessions of a server.
func TestAllSessionsAreRevokedOnlyAfterAYes(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), "", "")
	for _, test := range []struct {
		answer string
		yes    bool
	}{
		{"\n", false}, {"n\n", false}, {"x\n", false}, {"\x04", false}, {"y\n", true}, {"Yes\n", true},
	} {
		s := a.login("alice", "web")
		cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), "grant", "revoke", "--all", "--address", a.admin)
		terminal, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		printed := ""
		for buffer := make([]byte, 1024); !strings.HasSuffix(printed, "[y/N] "); {
			n, err := terminal.Read(buffer)
			if printed += string(buffer[:n]); err != nil {
				t.Fatalf("%v after %q", err, printed)
			}
		}
		if printed != "Revoke all sessions of server default? [y/N] " {
			t.Errorf("it asks %q", printed)
		}
		if !a.passes(s) {
			t.Fatal("it does not wait for the answer")
		}
		if _, err := io.WriteString(terminal, test.answer); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(terminal) // Linux ends it with EIO
		terminal.Close()
		if err := cmd.Wait(); (err == nil) != test.yes {
			t.Errorf("%q: %v: %s", test.answer, err, rest)
		}
		if a.passes(s) == test.yes {
			t.Errorf("%q: the session passes: %t; it prints %s", test.answer, !test.yes, rest)
		}
		if !test.yes && !strings.Contains(string(rest), "Error: nothing was changed") {
			t.Errorf("%q: it prints %s", test.answer, rest)
		}
	}
	if lines := a.audited("sessions revoked by operator"); len(lines) != 2 {
		t.Errorf("audit lines: %v", lines)
	}
}
