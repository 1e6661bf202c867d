//go:build unix

package livefile

import (
	"os"
	"syscall"
)

// open opens a file to read it. It does not wait where a pipe has come in its place, and takes no terminal for its own.
func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
}
