package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// newPassword asks twice for a password on a terminal, and shows nothing of it. Without
// a terminal it is the only line of stdin.
func newPassword(cmd *cobra.Command, name string) (string, error) {
	stdin := cmd.InOrStdin()
	terminal, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return passwordLine(stdin)
	}
	password, err := askWithoutEcho(cmd, terminal, "New password for "+name+": ")
	if err != nil {
		return "", err
	}
	if password == "" {
		return "", errors.New("the password is empty; nothing was changed")
	}
	again, err := askWithoutEcho(cmd, terminal, "The same again: ")
	if err != nil {
		return "", err
	}
	if password != again {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return password, nil
}

// passwordLine reads what another program writes, such as a password manager.
func passwordLine(stdin io.Reader) (string, error) {
	reader := bufio.NewReader(io.LimitReader(stdin, 64<<10))
	line, err := reader.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the password from stdin: %w", err)
	}
	if _, err := reader.ReadByte(); err == nil {
		return "", errors.New("the password must be the only line on stdin")
	}
	if trimmed, ok := strings.CutSuffix(line, "\n"); ok {
		line = strings.TrimSuffix(trimmed, "\r")
	}
	return strings.TrimPrefix(line, "\ufeff"), nil // which PowerShell writes
}
