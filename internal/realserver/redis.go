//go:build unix

package realserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Redis is a redis-server on loopback. Unless its options say otherwise, it loses nothing
// when it is killed.
type Redis struct {
	// Options go beyond those that each Redis has here, or replace them, from the next
	// start on.
	Options []string

	own     []string // the options that it always has
	dir     string
	port    int
	bus     int // the port for other nodes of a cluster
	process *Process
}

// NewRedis prepares a Redis, which [Redis.Start] starts.
func NewRedis(options ...string) (*Redis, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("redis-server is needed: apt-get install redis-server: %w", err)
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "caddy-grant-redis-")
	if err != nil {
		return nil, err
	}
	return &Redis{Options: options, dir: dir, port: port, own: []string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "",
	}}, nil
}

// Port is where it listens.
func (r *Redis) Port() int { return r.port }

// Address is where it listens.
func (r *Redis) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// Dir is where it keeps its files.
func (r *Redis) Dir() string { return r.dir }

// Pid is the process ID, while it runs.
func (r *Redis) Pid() int { return r.process.Pid() }

// Start starts it, and returns when it answers.
func (r *Redis) Start() (err error) {
	arguments := append(append([]string(nil), r.own...), r.Options...)
	r.process, err = Launch(exec.Command("redis-server", arguments...), filepath.Join(r.dir, "log"), syscall.SIGKILL)
	if err != nil {
		return err
	}
	return r.process.Await(func() error {
		if _, err := r.ask("PING"); err != nil && !strings.HasPrefix(err.Error(), "-NOAUTH") {
			return err
		}
		return nil
	})
}

// Stop ends it as a service manager does.
func (r *Redis) Stop() {
	if r.process != nil {
		r.process.End(syscall.SIGTERM)
		r.process = nil
	}
}

// Kill ends it as when its machine fails.
func (r *Redis) Kill() {
	if r.process != nil {
		r.process.Kill()
		r.process = nil
	}
}

// Pause has it stand still until [Redis.Resume], and go on then with what has come
// meanwhile.
func (r *Redis) Pause() { r.process.Signal(syscall.SIGSTOP) }

// Resume ends a pause.
func (r *Redis) Resume() { r.process.Signal(syscall.SIGCONT) }

// Close ends it, and removes its files.
func (r *Redis) Close() error {
	r.Kill()
	return os.RemoveAll(r.dir)
}

// ask sends a command whose words have no spaces, and returns the answer: a line, or the
// text that Redis has for people.
func (r *Redis) ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", r.Address(), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	answer := bufio.NewReader(conn)
	line, err := answer.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "-") {
		return "", errors.New(line)
	}
	if length, isText := strings.CutPrefix(line, "$"); isText {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 {
			return "", fmt.Errorf("%s is answered %q", command, line)
		}
		text := make([]byte, n)
		_, err = io.ReadFull(answer, text)
		return string(text), err
	}
	return line, nil
}
