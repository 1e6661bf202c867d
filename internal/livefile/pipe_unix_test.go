//go:build unix

package livefile

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// Opening a pipe that nobody writes to blocks for ever.
func TestAPipeIsRefusedWithoutOpeningIt(t *testing.T) {
	x := newFixture(t, "one")
	x.must(os.Remove(x.path))
	x.must(syscall.Mkfifo(x.path, 0o600))
	x.polls(2)
	x.want("one", "it is not a regular file")

	_, err := Open(x.options())
	if err == nil || !strings.Contains(err.Error(), "it is not a regular file") {
		t.Error(err)
	}
}
