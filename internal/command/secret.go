package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// secretFromStdin reads a secret that must not be an argument: asked for without echo if
// stdin is a terminal, else all of stdin.
func secretFromStdin(cmd *cobra.Command, prompt string, longest int) (string, error) {
	stdin := cmd.InOrStdin()
	if file, ok := stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return askWithoutEcho(cmd, file, prompt)
	}
	content, err := io.ReadAll(io.LimitReader(stdin, int64(longest)+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading stdin: %w", err)
	case len(content) > longest:
		return "", fmt.Errorf("stdin has more than %d bytes", longest)
	}
	return string(content), nil
}

// askWithoutEcho asks on a terminal. If the user interrupts that, the terminal shows
// again what is typed.
func askWithoutEcho(cmd *cobra.Command, terminal *os.File, prompt string) (string, error) {
	descriptor := int(terminal.Fd())
	before, err := term.GetState(descriptor)
	if err != nil {
		return "", fmt.Errorf("asking on the terminal: %w", err)
	}
	interrupts, answered := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupts)
	defer close(answered)
	go func() {
		select {
		case <-interrupts:
			_ = term.Restore(descriptor, before)
			fmt.Fprintln(promptTo(cmd, terminal))
			os.Exit(130)
		case <-answered:
		}
	}()
	if err := stopEcho(descriptor); err != nil { // before the prompt, which some answer at once
		return "", fmt.Errorf("asking on the terminal: %w", err)
	}
	fmt.Fprint(promptTo(cmd, terminal), prompt)
	secret, err := readHidden(terminal)
	_ = term.Restore(descriptor, before)
	fmt.Fprintln(promptTo(cmd, terminal))
	switch {
	case errors.Is(err, io.EOF):
		return "", errors.New("the input has ended; nothing was changed")
	case err != nil:
		return "", fmt.Errorf("reading from the terminal: %w", err)
	}
	return secret, nil
}

// ask asks on a terminal for what may be seen. It reads no further than the line.
func ask(cmd *cobra.Command, terminal *os.File, prompt string) (string, error) {
	fmt.Fprint(promptTo(cmd, terminal), prompt)
	var line strings.Builder
	for b := make([]byte, 1); ; {
		n, err := terminal.Read(b)
		if n == 1 && b[0] != '\n' {
			line.WriteByte(b[0])
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("reading from the terminal: %w", err)
		}
		return strings.TrimRight(line.String(), "\r"), nil
	}
}

// promptTo is where the user sees a prompt: stderr, unless that goes elsewhere.
func promptTo(cmd *cobra.Command, terminal *os.File) io.Writer {
	if stderr, ok := cmd.ErrOrStderr().(*os.File); ok && !term.IsTerminal(int(stderr.Fd())) {
		return terminal
	}
	return cmd.ErrOrStderr()
}
