//go:build unix

package command

import "golang.org/x/sys/unix"

// stopEcho has the terminal show nothing of what is typed. If that fails, reading the
// secret tries it again.
func stopEcho(terminal int) {
	if state, err := unix.IoctlGetTermios(terminal, getTermios); err == nil {
		state.Lflag &^= unix.ECHO
		_ = unix.IoctlSetTermios(terminal, setTermios, state)
	}
}
