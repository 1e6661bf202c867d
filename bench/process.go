package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is a server that runs on loopback, a Caddy or another one.
type process struct {
	name    string
	address string
	log     string // its file
	cmd     *exec.Cmd
	ended   chan struct{}
}

// start runs it on a core and waits until it answers and, if there is more to wait for,
// is ready. Its output goes to a log in the directory of the run.
func (p *process) start(ctx context.Context, b *bench, core int, ready func() bool) error {
	if err := p.launch(b, core); err != nil {
		return err
	}
	if err := p.awaitReady(ctx, ready); err != nil {
		p.stop()
		return err
	}
	return nil
}

// launch does not wait.
func (p *process) launch(b *bench, core int) error {
	log, err := os.CreateTemp(b.dir, "*.log")
	if err != nil {
		return err
	}
	defer log.Close()
	p.log, p.ended = log.Name(), make(chan struct{})
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := onCore(core, p.cmd.Start); err != nil {
		return err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	return nil
}

func (p *process) url(path string) string { return "http://" + p.address + path }

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) awaitReady(ctx context.Context, ready func() bool) error {
	c := newClient()
	defer c.CloseIdleConnections()
	return p.await(ctx, func() bool {
		a, err := c.get(ctx, p.url("/ready"), nil)
		return err == nil && a.expect(http.StatusOK, "ready") == nil && (ready == nil || ready())
	})
}

// await returns when the process does what it has to before it is used.
func (p *process) await(ctx context.Context, ready func() bool) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if ready() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return fmt.Errorf("%s ended at once:\n%s", p.name, p.lastLines())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s, process %d, does not answer:\n%s", p.name, p.pid(), p.lastLines())
}

// stop ends the process.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

func (p *process) lastLines() string {
	content, _ := os.ReadFile(p.log)
	return string(content[max(0, len(content)-3000):])
}

// withProcs is the environment of a server whose Go runs goroutines on that many threads
// at a time. 0 leaves it to Go, which takes as many as it finds cores: one, if the
// server is pinned.
func withProcs(n int) []string {
	env := os.Environ()
	if n > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", n))
	}
	return env
}

// freeAddress returns an address on which nothing listens.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
