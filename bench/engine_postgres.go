package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresPrograms is the directory of the newest PostgreSQL of Debian, or of that in the PATH.
func postgresPrograms() (string, error) {
	initdb, err := newest("/usr/lib/postgresql/*/bin/initdb", "initdb")
	if err != nil {
		return "", fmt.Errorf("initdb and postgres are needed: apt-get install postgresql: %w", err)
	}
	return filepath.Dir(initdb), nil
}

// startPostgres starts a PostgreSQL as initdb leaves it. It has a directory outside of
// that of the run, which is the user's alone: PostgreSQL does not run as root.
func startPostgres(ctx context.Context, b *bench, programs string) (_ *engine, err error) {
	dir, err := os.MkdirTemp("", "bench-postgres-")
	if err != nil {
		return nil, err
	}
	remove := func() { os.RemoveAll(dir) }
	address, err := freeAddress()
	if err != nil {
		remove()
		return nil, err
	}
	command := func(name string, arguments ...string) (*exec.Cmd, error) {
		cmd := exec.Command(filepath.Join(programs, name), arguments...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C")
		return cmd, notAsRoot(cmd, dir)
	}
	data := filepath.Join(dir, "data")
	initdb, err := command("initdb", "--pgdata", data, "--username", "grant", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if err == nil {
		err = combined(initdb, "initdb")
	}
	if err != nil {
		remove()
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	p := &process{name: "PostgreSQL", address: address}
	p.cmd, err = command("postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	if err == nil {
		err = p.launch(b, b.cores.load)
	}
	if err != nil {
		remove()
		return nil, err
	}
	url := "postgres://grant@" + address + "/postgres?sslmode=disable"
	var conn *pgx.Conn
	stop := func() {
		if conn != nil {
			_ = conn.Close(context.Background())
		}
		_ = p.cmd.Process.Signal(syscall.SIGINT) // which closes the connections of others too
		p.stop()
		remove()
	}
	err = p.await(ctx, func() bool {
		conn, err = pgx.Connect(ctx, url)
		return err == nil
	})
	if err != nil {
		stop()
		return nil, err
	}
	asked := &postgresMeter{conn, p}
	return &engine{
		name: "postgres", id: "postgres", sessions: "sessions postgres " + url,
		cpu: asked.cpu, count: asked.count, total: asked.total, stop: stop,
	}, nil
}

// postgresMeter reads what PostgreSQL has done.
type postgresMeter struct {
	conn *pgx.Conn
	*process
}

// count is the transactions that write: each takes the next number. Those that only read
// are not told at once, see total.
func (m *postgresMeter) count(ctx context.Context, during func() error) (uint64, error) {
	next := func() (n uint64, err error) {
		var text string
		err = m.conn.QueryRow(ctx, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text").Scan(&text)
		if err != nil {
			return 0, err
		}
		return strconv.ParseUint(text, 10, 64)
	}
	before, err := next()
	if err != nil {
		return 0, err
	}
	if err := during(); err != nil {
		return 0, err
	}
	after, err := next()
	return after - before, err
}

// total is all transactions. A backend tells its own after up to ten seconds, or when it
// ends: so it waits until there is none but that of this program.
func (m *postgresMeter) total(ctx context.Context) (transactions float64, err error) {
	for begun := time.Now(); ; {
		var others int
		err := m.conn.QueryRow(ctx, "SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'").Scan(&others)
		if err != nil {
			return 0, err
		}
		if others == 0 {
			break
		}
		if time.Since(begun) > 10*time.Second {
			return 0, fmt.Errorf("%d connections to PostgreSQL stay", others)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return 0, err
		}
	}
	err = m.conn.QueryRow(ctx, "SELECT sum(xact_commit + xact_rollback)::float8 FROM pg_stat_database").Scan(&transactions)
	return transactions, err
}

// cpu is that of the server, of its processes, and of those that have ended.
func (m *postgresMeter) cpu() (time.Duration, error) {
	pid := m.pid()
	all, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	ended, err := cpuOfEnded(string(stat))
	if err != nil {
		return 0, err
	}
	all += ended
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	for child := range strings.FieldsSeq(string(children)) {
		n, err := strconv.Atoi(child)
		if err != nil {
			return 0, err
		}
		if used, err := cpuTime(n); err == nil { // otherwise it has just ended
			all += used
		}
	}
	return all, nil
}

// cpuOfEnded is what the children of a process had used when it waited for their end, by
// its /proc/<pid>/stat.
func cpuOfEnded(stat string) (time.Duration, error) {
	const user, system = 16 - 3, 17 - 3 // as proc(5) counts, less those up to the name, which may have spaces
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) <= system {
		return 0, errors.New("/proc/<pid>/stat has too few fields")
	}
	all := time.Duration(0)
	for _, i := range []int{user, system} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		all += time.Duration(ticks) * (time.Second / ticksPerSecond)
	}
	return all, nil
}

const ticksPerSecond = 100 // USER_HZ, the same on all that Go runs on
