// Package tty runs commands in a pseudo-terminal, with an emulator that draws what
// they print, so that a test sees what a person does.
package tty

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// Terminal is a pseudo-terminal with a command in it.
type Terminal struct {
	Cmd *exec.Cmd

	t     *testing.T
	file  *os.File
	ended chan error

	mu       sync.Mutex
	emulator *vt.Emulator
	raw      strings.Builder // all that was printed
}

// Start runs a command in a terminal until the test ends.
func Start(t *testing.T, cmd *exec.Cmd, columns, rows int) *Terminal {
	t.Helper()
	s := &Terminal{Cmd: cmd, t: t, ended: make(chan error, 1), emulator: vt.NewEmulator(columns, rows)}
	cmd.Env = append(cmd.Environ(), "TERM=xterm-256color", "COLORTERM=")
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)})
	if err != nil {
		t.Fatal(err)
	}
	s.file = file
	answers := make(chan struct{})
	go func() { // to what the command asks the terminal
		defer close(answers)
		_, _ = io.Copy(file, s.emulator)
	}()
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := file.Read(buffer)
			s.mu.Lock()
			s.raw.Write(buffer[:n])
			_, _ = s.emulator.Write(buffer[:n])
			s.mu.Unlock()
			if err != nil { // the command has ended
				s.ended <- cmd.Wait()
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = file.Close()
		_ = s.emulator.InputPipe().(io.Closer).Close()
		<-answers
	})
	return s
}

// patience is how long a test waits for what does not come.
const patience = 2 * time.Minute

// Text is what the screen shows, without the spaces at the ends of its lines.
func (s *Terminal) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(s.emulator.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// Printed is all that the command has printed.
func (s *Terminal) Printed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw.String()
}

// Until waits for what the screen is to show.
func (s *Terminal) Until(ok func(text string) bool) string {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		text := s.Text()
		if ok(text) {
			return text
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the screen stays\n%s", text)
		}
	}
}

// UntilShows waits until the screen has all of the texts.
func (s *Terminal) UntilShows(texts ...string) string {
	s.t.Helper()
	return s.Until(func(text string) bool {
		for _, part := range texts {
			if !strings.Contains(text, part) {
				return false
			}
		}
		return true
	})
}

// Press types keys.
func (s *Terminal) Press(keys string) {
	s.t.Helper()
	if _, err := s.file.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// Resize is what a person does with the window.
func (s *Terminal) Resize(columns, rows int) {
	s.t.Helper()
	s.mu.Lock()
	s.emulator.Resize(columns, rows)
	s.mu.Unlock()
	if err := pty.Setsize(s.file, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}); err != nil {
		s.t.Fatal(err)
	}
}

// End waits until the command has ended, and returns its exit status.
func (s *Terminal) End() int {
	s.t.Helper()
	select {
	case err := <-s.ended:
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode()
		}
		if err != nil {
			s.t.Fatal(err)
		}
		return 0
	case <-time.After(patience):
		s.t.Fatalf("the command does not end; the screen shows\n%s", s.Text())
		return -1
	}
}

// IsAsBefore tells whether the command has left the terminal as it was: with the lines
// from before, and a cursor.
func (s *Terminal) IsAsBefore() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.emulator.IsAltScreen() && !s.emulator.CursorHidden()
}
