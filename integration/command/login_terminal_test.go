//go:build unix

package command

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// screen is a terminal with a command in it.
type screen struct {
	t        *testing.T
	terminal *os.File
	cmd      *exec.Cmd

	mu    sync.Mutex
	shown bytes.Buffer
	ended chan struct{} // the command
	read  chan struct{} // all that it wrote
	slave *os.File
}

// inTerminal starts a command whose controlling terminal is a new one. What is set in
// stdin stays.
func inTerminal(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	terminal, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, terminal: terminal, cmd: cmd, ended: make(chan struct{}), read: make(chan struct{}), slave: slave}
	cmd.Stderr = slave
	if cmd.Stdin == nil {
		cmd.Stdin = slave
	}
	if cmd.Stdout == nil {
		cmd.Stdout = slave
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(s, terminal)
		close(s.read)
	}()
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-s.ended
		slave.Close()
		terminal.Close()
	})
	return s
}

// Write takes what is shown.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.Write(b)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// answer waits for a prompt, and types a line.
func (s *screen) answer(prompt, line string) {
	s.t.Helper()
	harness.Eventually(s.t, "the terminal shows "+prompt, func() bool { return strings.HasSuffix(s.text(), prompt) })
	if _, err := io.WriteString(s.terminal, line); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the end of the command.
func (s *screen) end() (status int, text string) {
	<-s.ended
	s.slave.Close() // the last one: then there is nothing more to read
	<-s.read
	return s.cmd.ProcessState.ExitCode(), s.text()
}

func TestLoginAsksOnTheTerminalWithoutShowingThePassword(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	s := inTerminal(t, p.command(t, "login", p.URL(""), "--client-id", "web"))
	s.answer("Username: ", "alice\n")
	s.answer("Secret of the client web (empty if it is public): ", "web-secret\n")
	s.answer("Password of alice at "+p.URL("")+": ", "correct horse\n")
	status, text := s.end()
	if status != 0 || strings.Contains(text, "correct horse") || strings.Contains(text, "web-secret") || !strings.Contains(text, "Logged in") {
		t.Errorf("status %d: %s", status, text)
	}
	p.expire(t) // the secret is kept, for refreshes
	if got := p.Edge(p.token(t)); got != 200 {
		t.Errorf("the edge answers %d", got)
	}
}

func TestACommandWithItsOwnStdinStillLetsLoginAsk(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	cmd := p.command(t, "login", p.URL(""), "--username", "alice", "--", "cat")
	cmd.Stdin = strings.NewReader("what cat reads")
	var out bytes.Buffer
	cmd.Stdout = &out
	s := inTerminal(t, cmd)
	s.answer("Password of alice at "+p.URL("")+": ", "correct horse\n")
	if status, text := s.end(); status != 0 || out.String() != "what cat reads" {
		t.Errorf("status %d: %q %s", status, out.String(), text)
	}
}

func TestAnInterruptedPromptLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	s := inTerminal(t, p.command(t, "login", p.URL(""), "--username", "alice"))
	before, err := term.GetState(int(s.terminal.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	s.answer("Password of alice at "+p.URL("")+": ", "half a pass")
	if _, err := io.WriteString(s.terminal, "\x03"); err != nil {
		t.Fatal(err)
	}
	status, text := s.end()
	after, err := term.GetState(int(s.terminal.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if status != 130 || *after != *before || strings.Contains(text, "half") {
		t.Errorf("status %d, the terminal is as before: %t: %s", status, *after == *before, text)
	}
}

func TestExplainAsksForTheTokenOnTheTerminalWithoutShowingIt(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	token := p.Token("alice")
	s := inTerminal(t, p.command(t, "explain", "--address", p.Admin()))
	s.answer("Token: ", token+"\n")
	status, text := s.end()
	if status != 0 || strings.Contains(text, token[strings.LastIndex(token, "."):]) || !strings.Contains(text, "Access token, good") {
		t.Errorf("status %d: %s", status, text)
	}
}
