package clienttools

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// daemon runs a server of a tool until the test ends, and waits until it listens.
func daemon(t *testing.T, dir, address string, args ...string) {
	t.Helper()
	output, err := os.CreateTemp(dir, "output-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, environment(nil)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	printed := func() string {
		content, _ := os.ReadFile(output.Name())
		return string(content)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(harness.Patience):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", args[0], printed())
		}
	})
	harness.Eventually(t, args[0]+" listens", func() bool {
		select {
		case <-ended:
			t.Fatalf("%s ended at once:\n%s", args[0], printed())
		default:
		}
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// freeAddress is one of the loopback.
func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
}

// split parts a Caddyfile of the docs into its global options and the rest.
func split(t *testing.T, caddyfile string) (options, sites string) {
	t.Helper()
	options, sites, found := strings.Cut(caddyfile, "\n}\n")
	if !strings.HasPrefix(options, "{\n") || !found {
		t.Fatalf("it does not begin with global options:\n%s", caddyfile)
	}
	return strings.TrimPrefix(options, "{\n"), sites
}

// etc has the files that the docs have in /etc/caddy.
func etc(t *testing.T) string {
	t.Helper()
	dir := secretsIn(t, password)
	users := "alice:" + harness.CheapHash(t, password) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "users.htpasswd"), []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
