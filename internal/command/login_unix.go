//go:build unix

package command

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// openTerminal opens the terminal of a command whose stdin is something else.
func openTerminal() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) }

// runWithToken becomes the command, so signals reach it, and its exit status is its own.
// curl reads the token from a pipe: arguments are for all users of the machine to see.
func runWithToken(_ *cobra.Command, program string, command []string, token string) error {
	env := withToken(os.Environ(), token)
	var config *os.File
	if filepath.Base(program) == "curl" {
		reader, writer, err := os.Pipe()
		config = reader
		if err != nil {
			return err
		}
		// a pipe takes more than the longest token at once
		if _, err := fmt.Fprintf(writer, "oauth2-bearer = \"%s\"\n", token); err != nil {
			return err
		}
		writer.Close()
		descriptor := int(reader.Fd())
		if _, err := unix.FcntlInt(uintptr(descriptor), unix.F_SETFD, 0); err != nil { // stays open in curl
			return err
		}
		command = withCurlConfig(command, fmt.Sprintf("/dev/fd/%d", descriptor))
	}
	err := unix.Exec(program, command, env)
	runtime.KeepAlive(config) // or its descriptor could be closed
	return fmt.Errorf("running %s: %w", command[0], err)
}

// withCurlConfig adds a config to read, after -q, which counts only as the first
// argument.
func withCurlConfig(command []string, path string) []string {
	at := 1
	if len(command) > 1 && (command[1] == "-q" || command[1] == "--disable") {
		at = 2
	}
	added := append([]string{}, command[:at]...)
	return append(append(added, "--config", path), command[at:]...)
}
