//go:build !unix

package command

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"github.com/spf13/cobra"
)

// openTerminal opens the console of a command whose stdin is something else.
func openTerminal() (*os.File, error) { return os.OpenFile("CONIN$", os.O_RDWR, 0) }

// runWithToken runs the command and ends with its exit status. The console sends
// interrupts to both.
func runWithToken(cmd *cobra.Command, program string, command []string, token string) error {
	child := exec.Command(program, command[1:]...)
	child.Env = withToken(os.Environ(), token)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	signal.Ignore(os.Interrupt)
	err := child.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(failed.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("running %s: %w", command[0], err)
	}
	return nil
}
