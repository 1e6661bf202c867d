package simulation

import (
	"fmt"
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
