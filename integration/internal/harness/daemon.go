package harness

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// StartDaemon runs a server of another program until the test ends, and waits until it
// listens at address. It is ended as its operator would end it: some have workers, which
// outlive a parent that is killed.
func StartDaemon(t *testing.T, dir, address string, args ...string) *Process {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	p := startListening(t, cmd, address)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(Patience):
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", args[0], p.Printed())
		}
	})
	return p
}
