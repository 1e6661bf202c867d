package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// Server is a real engine on loopback, with a directory of its own, which loses nothing
// that it has acknowledged when it is killed.
type Server interface {
	// Name is that of the engine in IDs of sessions.
	Name() string

	// Address is where it listens.
	Address() string

	// Directory is where it keeps its files.
	Directory() string

	// Open opens the engine for a node that finds the server at that address, with a
	// number of connections at most.
	Open(address string, connections int) (sessions.Engine, error)

	// Restart kills it with all its processes, and starts it again.
	Restart() error

	// CPU is what its processes have used since it was started.
	CPU() (time.Duration, error)

	// Close ends it, and removes what it had.
	Close() error
}

// freePort is one on which nothing listens. It is below those that the system gives to
// connections: while a server is down, one that tries to connect to it must not get the
// server's own port, and keep it.
func freePort() (int, error) {
	for range 100 {
		port := 12_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("there is no free port")
}

// answers waits until a server that was started does, or has ended.
func answers(log string, ended <-chan struct{}, ping func() error) error {
	var err error
	for range 600 {
		if err = ping(); err == nil {
			return nil
		}
		if closed(ended) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(log)
	return fmt.Errorf("it does not answer: %w\n%s", err, text[max(0, len(text)-mostLog):])
}

// mostLog is how many bytes of a log are shown.
const mostLog = 10_000

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// children are the processes that a process has started.
func children(pid int) (pids []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(text)) {
		n, _ := strconv.Atoi(child)
		pids = append(pids, n)
	}
	return pids
}

// cpuOf is what a process has used, and with ended what those have used that it started
// and that have ended.
func cpuOf(pid int, ended bool) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// after the name, which may have spaces: state is the third field of proc(5), utime
	// the fourteenth
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return 0, fmt.Errorf("/proc/%d/stat has another form", pid)
	}
	used := fields[11:13]
	if ended {
		used = fields[11:15]
	}
	ticks := 0
	for _, field := range used {
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// ticksPerSecond is USER_HZ, which is 100 wherever Linux has Go.
const ticksPerSecond = 100
