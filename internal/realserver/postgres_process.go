//go:build unix

package realserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Start starts the server, and returns when it answers, which after a crash takes a
// while.
func (p *Postgres) Start() error {
	if err := p.Launch(); err != nil {
		return err
	}
	return p.Await()
}

// Launch starts the server, and does not wait for it.
func (p *Postgres) Launch() (err error) {
	arguments := []string{"-D", p.data(), "-p", strconv.Itoa(p.port)}
	for _, setting := range append([]string{"listen_addresses=127.0.0.1", "unix_socket_directories="}, p.settings...) {
		arguments = append(arguments, "-c", setting)
	}
	// killed at once, it would leave its children and its shared memory behind
	p.process, err = Launch(p.Command("postgres", arguments...), filepath.Join(p.dir, "log"), syscall.SIGQUIT)
	return err
}

// Await returns when the server answers.
func (p *Postgres) Await() error {
	return p.process.Await(func() error {
		return p.run("pg_isready", "--quiet", "--host", "127.0.0.1", "--port", strconv.Itoa(p.port), "--timeout", "1")
	})
}

// Running says whether the server was started, and not ended since.
func (p *Postgres) Running() bool { return p.process != nil }

// Processes are those of the server, of which the first has started the others.
func (p *Postgres) Processes() []int {
	pid := p.process.Pid()
	return append([]int{pid}, children(pid)...)
}

// Signal sends one to all processes of the server.
func (p *Postgres) Signal(signal syscall.Signal) {
	for _, pid := range p.Processes() {
		_ = syscall.Kill(pid, signal)
	}
}

// Pause has the server stand still until [Postgres.Resume], and go on then with what has
// come meanwhile.
func (p *Postgres) Pause() {
	p.freeze()
	p.Signal(syscall.SIGSTOP)
}

// Resume ends a pause.
func (p *Postgres) Resume() { p.Signal(syscall.SIGCONT) }

// freeze stops the process that starts the others, and returns when it starts no more.
func (p *Postgres) freeze() {
	p.process.Signal(syscall.SIGSTOP)
	within(patience, func() bool { return standsStill(p.process.Pid()) })
}

// End ends the server with a signal: SIGINT closes all connections and writes what is in
// memory. SIGQUIT does not, so it recovers at the next start, but leaves no shared memory
// behind as Kill does.
func (p *Postgres) End(signal syscall.Signal) {
	if p.process != nil {
		p.process.End(signal)
		p.process = nil
	}
}

// Kill ends all processes at once, as when the machine fails.
func (p *Postgres) Kill() {
	if p.process == nil {
		return
	}
	p.freeze()
	others := p.Processes()[1:]
	for _, pid := range others {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	p.process.Kill()
	p.process = nil
	for _, pid := range others { // it does not start while they have its memory
		within(patience, func() bool { return hasEnded(pid) })
	}
}

// Close ends the server, and removes its files.
func (p *Postgres) Close() error {
	if p.process != nil {
		p.Resume() // or it would not get the next signal
		p.End(syscall.SIGQUIT)
	}
	p.freeMemory()
	return os.RemoveAll(p.dir)
}

// freeMemory frees the shared memory of a server that was killed: the next start would.
func (p *Postgres) freeMemory() {
	lock, _ := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
	lines := strings.Split(string(lock), "\n")
	if len(lines) < 7 {
		return
	}
	if memory := strings.Fields(lines[6]); len(memory) == 2 { // its key and its ID
		_ = exec.Command("ipcrm", "-m", memory[1]).Run()
	}
}

func within(d time.Duration, done func() bool) {
	for deadline := time.Now().Add(d); !done() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}
