package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is a peer that runs.
type process struct {
	name    string
	address string
	log     string // its file
	cmd     *exec.Cmd
	ended   chan struct{}
}

// start runs a peer on loopback, on the core that is for servers, and waits until it answers.
func (p *peer) start(ctx context.Context, b *bench) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(b.dir, "peer-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	running := &process{name: p.name, address: address, log: log.Name(), ended: make(chan struct{})}
	args := append(append(p.command[1:len(p.command):len(p.command)], address), p.flags...)
	running.cmd = exec.Command(p.command[0], args...)
	running.cmd.Dir = p.dir
	running.cmd.Env = append(os.Environ(), "NODE_ENV=production")
	running.cmd.Stdout, running.cmd.Stderr = log, log
	if err := onCore(b.cores.server, running.cmd.Start); err != nil {
		return nil, err
	}
	go func() {
		defer close(running.ended)
		_ = running.cmd.Wait()
	}()
	if err := running.awaitReady(ctx); err != nil {
		running.stop()
		return nil, err
	}
	return running, nil
}

func (p *process) url(path string) string { return "http://" + p.address + path }

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) awaitReady(ctx context.Context) error {
	c := newClient()
	defer c.CloseIdleConnections()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		a, err := c.get(ctx, p.url("/ready"), nil)
		if err == nil && a.expect(http.StatusOK, "ready") == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return fmt.Errorf("the peer %s ended at once:\n%s", p.name, p.lastLines())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("the peer %s, process %d, does not answer:\n%s", p.name, p.pid(), p.lastLines())
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
