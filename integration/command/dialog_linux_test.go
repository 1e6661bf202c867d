package command

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// dialog is a command in a pseudo-terminal that asks, and a person who answers.
type dialog struct {
	t    *testing.T
	cmd  *exec.Cmd
	file *os.File

	mu    sync.Mutex
	shown strings.Builder
	ended chan struct{}
}

// talk starts a command in a terminal, and types an answer after each prompt.
func (d desk) talk(args ...string) *dialog {
	d.t.Helper()
	cmd := harness.CaddyCommand(d.t.Context(), d.t, d.dir, append([]string{"grant"}, args...)...)
	file, err := pty.Start(cmd)
	if err != nil {
		d.t.Fatal(err)
	}
	x := &dialog{t: d.t, cmd: cmd, file: file, ended: make(chan struct{})}
	go func() {
		defer close(x.ended)
		_, _ = io.Copy(x, file) // until the command ends
	}()
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-x.ended
		_ = file.Close()
	})
	return x
}

// Write takes what the terminal shows.
func (x *dialog) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shown.Write(b)
}

func (x *dialog) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.ReplaceAll(x.shown.String(), "\r\n", "\n")
}

// answer waits until the command asks and does not echo, and types.
func (x *dialog) answer(prompt, keys string) {
	x.t.Helper()
	x.wait(prompt)
	for deadline := time.Now().Add(harness.Patience); x.echoes(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			x.t.Fatalf("the terminal echoes after %q", prompt)
		}
	}
	if _, err := x.file.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// wait waits until the terminal shows a text at its end.
func (x *dialog) wait(text string) {
	x.t.Helper()
	for deadline := time.Now().Add(harness.Patience); !strings.HasSuffix(x.text(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			x.t.Fatalf("the terminal shows %q, want %q at its end", x.text(), text)
		}
	}
}

// end is the exit status.
func (x *dialog) end() int {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-time.After(harness.Patience):
		x.t.Fatalf("the command does not end; the terminal shows %q", x.text())
	}
	_ = x.cmd.Wait()
	return x.cmd.ProcessState.ExitCode()
}

// echoes tells whether the terminal shows what is typed.
func (x *dialog) echoes() bool {
	x.t.Helper()
	state, err := unix.IoctlGetTermios(int(x.file.Fd()), unix.TCGETS)
	if err != nil {
		x.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}
