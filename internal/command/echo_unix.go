//go:build unix

package command

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// stopEcho has the terminal show nothing of what is typed, and give it line by line.
func stopEcho(terminal int) error {
	state, err := unix.IoctlGetTermios(terminal, getTermios)
	if err != nil {
		return err
	}
	state.Lflag &^= unix.ECHO
	state.Lflag |= unix.ICANON | unix.ISIG
	state.Iflag |= unix.ICRNL
	return unix.IoctlSetTermios(terminal, setTermios, state)
}

// readHidden reads a line after stopEcho. Ctrl+D at its beginning is io.EOF, for which
// term.ReadPassword would go on waiting.
func readHidden(terminal *os.File) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := terminal.Read(b)
		switch {
		case n == 1 && b[0] == '\n', errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		case n == 1 && b[0] == '\b': // where the terminal erases by another key
			line = line[:max(0, len(line)-1)]
		case n == 1:
			line = append(line, b[0])
		case err != nil:
			return "", err
		}
	}
}
