//go:build unix

package command

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe that nothing writes to would have the command wait without a word.
func TestAPipeIsNotAFileOfUsers(t *testing.T) {
	d := newDesk(t, "old", "alice:HASH\n")
	if err := syscall.Mkfifo(filepath.Join(d.dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	const why = "pipe: it is not a regular file"
	d.refuse("", why, "user", "list", "-f", "FILE/pipe")
	d.refuse("some words\n", why, "user", "add", "alice", "-f", "FILE/pipe")
	d.refuse("some words\n", why, "user", "passwd", "alice", "-f", "FILE/pipe", "--format", "json")
	d.refuse("", why, "user", "import", "FILE/old", "--from", "htpasswd", "-f", "FILE/pipe")
	d.refuse("", why, "client", "add", "web", "-f", "FILE/pipe")
	d.refuse("", why, "client", "list", "-f", "FILE/pipe")
}
