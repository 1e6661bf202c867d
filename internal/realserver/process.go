//go:build unix

package realserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is a program that runs until it is ended. On Linux it ends also when this
// program is killed.
type Process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// patience is for how long a program may take to start or to end.
const patience = time.Minute

// Launch starts a program, which appends what it prints to a file. It gets the signal if
// this program ends before. It is in a process group of its own: the system wakes one
// that stands still when its parent ends, or the signal would wait.
func Launch(cmd *exec.Cmd, log string, orphaned syscall.Signal) (*Process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	signalWhenOrphaned(cmd.SysProcAttr, orphaned)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, log: log, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait()
	}()
	return p, nil
}

// Await returns when the program is ready. If it does not get ready, the error has the
// last lines of its log.
func (p *Process) Await(ready func() error) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(25 * time.Millisecond) {
		err := ready()
		select {
		case <-p.ended:
			return fmt.Errorf("%s has ended: %v\n%s", p.name(), p.cmd.ProcessState, p.lastLines())
		default:
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %w\n%s", p.name(), err, p.lastLines())
		}
	}
}

// Pid is the process ID.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends one to the program.
func (p *Process) Signal(signal syscall.Signal) { _ = p.cmd.Process.Signal(signal) }

// End ends the program with a signal, and kills it if it does not end.
func (p *Process) End(signal syscall.Signal) {
	p.Signal(signal)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.Kill()
	}
}

// Kill ends the program without a chance to tidy up.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

func (p *Process) name() string { return filepath.Base(p.cmd.Path) }

func (p *Process) lastLines() string {
	const most = 10_000
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-most):])
}
