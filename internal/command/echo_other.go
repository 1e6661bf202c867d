//go:build !unix

package command

import (
	"os"

	"golang.org/x/term"
)

// stopEcho leaves it to the reading of the secret.
func stopEcho(int) error { return nil }

// readHidden reads a line that is not shown.
func readHidden(terminal *os.File) (string, error) {
	line, err := term.ReadPassword(int(terminal.Fd()))
	return string(line), err
}
