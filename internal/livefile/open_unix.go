//go:build unix

package livefile

import (
	"os"
	"syscall"
)

// open opens a file to read it. It does not wait if a pipe has taken its place, and
// does not make a terminal the controlling one.
func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
}
