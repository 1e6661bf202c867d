package docs

import (
	"bytes"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// terminal is one that a test types in.
type terminal struct {
	t     *testing.T
	input io.Writer

	mu    sync.Mutex
	shown bytes.Buffer
}

// newTerminal starts a command that has a terminal, such as script.
func newTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	terminal := &terminal{t: t}
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	terminal.input = input
	cmd.Stdout = terminal
	cmd.Stderr = terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return terminal
}

// Write takes what is shown.
func (x *terminal) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shown.Write(b)
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shown.String()
}

func (x *terminal) enter(line string) {
	x.t.Helper()
	if _, err := io.WriteString(x.input, line); err != nil {
		x.t.Fatalf("%v: %q", err, x.text())
	}
}

// answer waits for a prompt, after which the terminal shows nothing.
func (x *terminal) answer(prompt, line string) {
	x.t.Helper()
	x.wait(regexp.MustCompile(regexp.QuoteMeta(prompt)))
	x.enter(line)
}

// wait returns all that is shown once it matches.
func (x *terminal) wait(pattern *regexp.Regexp) string {
	x.t.Helper()
	harness.Eventually(x.t, "the terminal shows "+pattern.String(), func() bool { return pattern.MatchString(x.text()) })
	return x.text()
}
