package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// process is a Caddy of its own, for what one process cannot show: restarts, a second
// node, being killed, and the examples as they are.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	output string // path of what it printed
	ended  chan struct{}
}

// caddyBinary builds cmd/caddy and returns its path. It is in the go command's cache, where
// the tests of all packages find it; "go run" says where.
var caddyBinary = sync.OnceValues(func() (string, error) {
	for range 3 { // what was just linked is in a directory that goes away
		run := exec.Command("go", "run", "-exec=echo", "./cmd/caddy")
		run.Dir = repo.Path(".")
		// without the flags of the tests, such as -race: the users' binary has none
		run.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
		var printed strings.Builder
		run.Stderr = &printed
		output, err := run.Output()
		if err != nil {
			return "", fmt.Errorf("building cmd/caddy: %w\n%s", err, printed.String())
		}
		binary := strings.TrimSpace(string(output))
		if _, err := os.Stat(binary); err == nil {
			return binary, nil
		}
	}
	return "", errors.New("building cmd/caddy: it is not in the cache")
})

// caddyCommand is the binary with arguments, in a directory and with a home of its own.
func caddyCommand(ctx context.Context, t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := caddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	return cmd
}

// startProcess runs `caddy run --config <config>` in dir until the test ends, and waits
// until it accepts connections at address.
func startProcess(t *testing.T, dir, config, address string) *process {
	t.Helper()
	output, err := os.CreateTemp(t.TempDir(), "output-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd := caddyCommand(context.Background(), t, dir, "run", "--config", config, "--adapter", "caddyfile")
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, output: output.Name(), ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(p.kill)

	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			return p
		}
		select {
		case <-p.ended:
			t.Fatalf("Caddy ended at once:\n%s", p.printed())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("Caddy does not listen at %s:\n%s", address, p.printed())
		}
	}
}

// stop ends the process as an operator does.
func (p *process) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		p.t.Fatalf("Caddy does not stop:\n%s", p.printed())
	}
}

// kill ends the process without a chance to tidy up.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

func (p *process) printed() string {
	content, _ := os.ReadFile(p.output)
	return strings.TrimSpace(string(content))
}
