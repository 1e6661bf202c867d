package command

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/password"
)

// desk is a directory in which an operator edits files of users and clients.
type desk struct {
	t   *testing.T
	dir string
}

func newDesk(t *testing.T, files ...string) desk {
	t.Helper()
	d := desk{t, t.TempDir()}
	for i := 0; i < len(files); i += 2 {
		d.write(files[i], files[i+1])
	}
	return d
}

func (d desk) path(name string) string { return filepath.Join(d.dir, name) }

func (d desk) write(name, content string) {
	d.t.Helper()
	if err := os.WriteFile(d.path(name), []byte(fillHashes(content)), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d desk) read(name string) string {
	d.t.Helper()
	content, err := os.ReadFile(d.path(name))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(content)
}

// fillHashes puts hashes of "correct horse" where a text has HASH and OTHER.
func fillHashes(text string) string {
	return strings.NewReplacer("HASH", harness.HashCheap, "OTHER", harness.HashArgon2id).Replace(text)
}

// ended is what a command did.
type ended struct {
	status         int
	stdout, stderr string
}

// grant runs `caddy grant`.
func (d desk) grant(stdin string, args ...string) ended {
	d.t.Helper()
	cmd := harness.CaddyCommand(d.t.Context(), d.t, d.dir, append([]string{"grant"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	e := ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	for _, secret := range []string{"$argon2id$", "$2a$", "$5$", strings.TrimSpace(stdin)} {
		if len(secret) > 3 && strings.Contains(e.stdout+e.stderr, secret) {
			d.t.Errorf("caddy grant %q prints %q:\n%s%s", args, secret, e.stdout, e.stderr)
		}
	}
	return e
}

// do is grant for a command that works and prints no data.
func (d desk) do(stdin string, args ...string) string {
	d.t.Helper()
	e := d.grant(stdin, args...)
	if e.status != 0 || e.stdout != "" {
		d.t.Errorf("caddy grant %q: exit status %d\n%s%s", args, e.status, e.stdout, e.stderr)
	}
	return e.stderr
}

// refuse is grant for a command that must say why it does nothing.
func (d desk) refuse(stdin, why string, args ...string) {
	d.t.Helper()
	e := d.grant(stdin, args...)
	if e.status != 1 || e.stdout != "" || !strings.HasPrefix(e.stderr, "Error: ") || strings.Count(e.stderr, "\n") != 1 || !strings.Contains(e.stderr, why) {
		d.t.Errorf("caddy grant %q: exit status %d, want %q\n%s%s", args, e.status, why, e.stdout, e.stderr)
	}
}

// wantHash fails the test unless a hash of a kind is of a password.
func wantHash(t *testing.T, text, kind, of string) {
	t.Helper()
	hash, err := password.Parse(text, false)
	if err != nil || hash.Params().Kind() != kind || !hash.Matches(of) {
		t.Errorf("a hash %s of %q is not of the kind %s, or of another password (%v)", hash.Params().Kind(), of, kind, err)
	}
}

// wantText fails the test unless a text has all parts.
func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}
