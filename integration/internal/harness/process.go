package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// Process is a Caddy of its own, for what one process cannot show: restarts, a second
// node, being killed, and the examples as they are.
type Process struct {
	t      *testing.T
	Cmd    *exec.Cmd
	output string // path of what it printed
	ended  chan struct{}
}

// CaddyBinary builds cmd/caddy and returns its path. It is in the go command's cache,
// where the tests of all packages find it: "go version" prints where "go run" has it.
var CaddyBinary = sync.OnceValues(func() (string, error) {
	for range 3 { // what was just linked is in a directory that goes away
		run := exec.Command("go", "run", "-exec=go version", "./cmd/caddy")
		run.Dir = repo.Path(".")
		// without the flags of the tests, such as -race: the users' binary has none
		run.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
		if built, ok := debug.ReadBuildInfo(); ok && slices.Contains(built.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
			run.Env = append(run.Env, "CGO_ENABLED=0") // which only -race needed
		}
		var printed strings.Builder
		run.Stderr = &printed
		output, err := run.Output()
		if err != nil {
			return "", fmt.Errorf("building cmd/caddy: %w\n%s", err, printed.String())
		}
		binary, _, _ := strings.Cut(string(output), ": go")
		if _, err := os.Stat(binary); err == nil {
			return binary, nil
		}
	}
	return "", errors.New("building cmd/caddy: it is not in the cache")
})

// CaddyCommand is the binary with arguments, in a directory and with a home of its own.
func CaddyCommand(ctx context.Context, t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := CaddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	return commandIn(ctx, t, dir, binary, args...)
}

func commandIn(ctx context.Context, t *testing.T, dir, binary string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	return cmd
}

// StartProcess runs `caddy run --config <config>` in dir until the test ends, and waits
// until the config runs.
func StartProcess(t *testing.T, dir, config string) *Process {
	t.Helper()
	return startCaddy(t, CaddyCommand(context.Background(), t, dir, "run", "--config", config, "--adapter", "caddyfile"))
}

// StartQuickProcess does the same with a Caddy that looks at its files and keys more
// often than the product does: the program of the tests. The package needs [Main].
func StartQuickProcess(t *testing.T, config string) *Process {
	t.Helper()
	return startCaddy(t, quickCaddyCommand(t, "run", "--config", config, "--adapter", "caddyfile"))
}

func startCaddy(t *testing.T, run *exec.Cmd) *Process {
	t.Helper()
	p, err := startRunning(t, run)
	if err != nil {
		t.Fatalf("starting Caddy: %v", err)
	}
	return p
}

// startRunning waits for Caddy to say that its config runs. Its ports are open a moment
// before, when the admin API and what needs the whole config still answer 503.
func startRunning(t *testing.T, run *exec.Cmd) (*Process, error) {
	t.Helper()
	pingback, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pingback.Close()
	run.Args = append(run.Args, "--pingback", pingback.Addr().String())
	runs := make(chan struct{})
	go func() {
		if conn, err := pingback.Accept(); err == nil {
			conn.Close()
			close(runs)
		}
	}()
	p := startProcess(t, run)
	return p, p.wait(func() bool {
		select {
		case <-runs:
			return true
		default:
			return false
		}
	})
}

func startListening(t *testing.T, cmd *exec.Cmd, address string) *Process {
	t.Helper()
	p := startProcess(t, cmd)
	if err := p.wait(func() bool {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}); err != nil {
		t.Fatalf("starting %s: %v", filepath.Base(cmd.Path), err)
	}
	return p
}

// startProcess runs a command until the test ends.
func startProcess(t *testing.T, cmd *exec.Cmd) *Process {
	t.Helper()
	output, err := os.CreateTemp(t.TempDir(), "output-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Process{t: t, Cmd: cmd, output: output.Name(), ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(p.Kill)
	return p
}

// wait is nil as soon as the process is ready.
func (p *Process) wait(ready func() bool) error {
	for deadline := time.Now().Add(time.Minute); !ready(); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.ended:
			return fmt.Errorf("it ended at once:\n%s", p.Printed())
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not get ready:\n%s", p.Printed())
		}
	}
	return nil
}

// Stop ends the process as an operator does.
func (p *Process) Stop() {
	p.t.Helper()
	_ = p.Cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.t.Fatalf("Caddy does not stop:\n%s", p.Printed())
	}
}

// Kill ends the process without a chance to tidy up.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill()
	<-p.ended
}

// Printed is the output so far, of both kinds.
func (p *Process) Printed() string {
	content, _ := os.ReadFile(p.output)
	return strings.TrimSpace(string(content))
}
