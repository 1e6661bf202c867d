package livefile

import (
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestReasonsSayWhatToDoAndNotThePath(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"no permission", &fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}, "permission denied: it must be readable by the user that Caddy runs as"},
		{"not there", &fs.PathError{Op: "stat", Path: "/x", Err: syscall.ENOENT}, "no such file or directory"},
		{"another error", os.ErrClosed, "file already closed"},
	} {
		if got := reason(test.err).Error(); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
