package simulation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/integration/internal/fleet"
	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// Postgres is a PostgreSQL as initdb leaves it, but for the number of connections.
type Postgres struct {
	bin  string
	dir  string
	port int
	as   *syscall.Credential // it does not run as root
	cmd  *exec.Cmd

	ended chan struct{} // closed when the process has
}

// StartPostgres makes and starts one.
func StartPostgres() (_ *Postgres, err error) {
	p := new(Postgres)
	if p.bin, err = postgresPrograms(); err != nil {
		return nil, err
	}
	if p.port, err = freePort(); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "caddy-grant-simulation-"); err != nil {
		return nil, err
	}
	if err := errors.Join(p.own(), p.initialise(), p.start()); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// postgresPrograms is the folder of the newest that Debian has, or that is in the PATH.
func postgresPrograms() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		initdb, err := exec.LookPath("initdb")
		if err != nil {
			return "", fmt.Errorf("initdb and postgres are needed: apt-get install postgresql: %w", err)
		}
		found = []string{initdb}
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// own gives the directory to the user as which the server runs.
func (p *Postgres) own() error {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(found.Uid)
		gid, _ := strconv.Atoi(found.Gid)
		p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return os.Chown(p.dir, uid, gid)
	}
	return errors.New("PostgreSQL does not run as root, and there is no other user")
}

func (p *Postgres) command(name string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), arguments...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

func (p *Postgres) initialise() error {
	out, err := p.command("initdb", "--pgdata", p.dir+"/data", "--username", "grant", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// start tries again while a process of a server that was killed still ends.
func (p *Postgres) start() (err error) {
	for range 50 {
		ended := make(chan struct{})
		if err = p.launch(ended); err == nil || !closed(ended) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
	return err
}

// launch returns when the server answers. It closes ended when the server ends.
func (p *Postgres) launch(ended chan struct{}) error {
	name := filepath.Join(p.dir, "log")
	log, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := p.command("postgres", "-D", p.dir+"/data", "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "log_min_messages=fatal", "-c", fmt.Sprintf("max_connections=%d", mostConnections))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.ended = cmd, ended
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	return answers(name, ended, func() error {
		conn, err := p.Connect(context.Background())
		if err == nil {
			err = conn.Close(context.Background())
		}
		return err
	})
}

// mostConnections is enough for a hundred nodes that have crashed and come back.
const mostConnections = 1000

// Connect is a connection of the simulation itself.
func (p *Postgres) Connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, p.url(p.Address())+"&connect_timeout=1")
}

func (p *Postgres) url(address string) string {
	return "postgres://grant@" + address + "/postgres?sslmode=disable"
}

// Directory is where it keeps its files.
func (p *Postgres) Directory() string { return p.dir }

// Name implements [Server].
func (p *Postgres) Name() string { return "postgres" }

// Address implements [Server].
func (p *Postgres) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// Open implements [Server].
func (p *Postgres) Open(address string, connections int) (sessions.Engine, error) {
	module := &postgres.Postgres{URL: p.url(address), MaxConnections: connections}
	if err := module.Provision(caddy.Context{}); err != nil {
		return nil, err
	}
	return module.OpenSessions(fleet.Server, zap.NewNop())
}

func (p *Postgres) kill() {
	if p.cmd != nil {
		pid := p.cmd.Process.Pid
		others := children(pid)
		_ = p.cmd.Process.Kill()
		for _, other := range others {
			_ = syscall.Kill(other, syscall.SIGKILL)
		}
		<-p.ended
	}
	p.cmd = nil
}

// Restart implements [Server].
func (p *Postgres) Restart() error {
	p.kill()
	return p.start()
}

// CPU implements [Server].
func (p *Postgres) CPU() (time.Duration, error) {
	all, err := cpuOf(p.cmd.Process.Pid, true)
	for _, child := range children(p.cmd.Process.Pid) {
		used, gone := cpuOf(child, false)
		if gone == nil {
			all += used
		}
	}
	return all, err
}

// Close implements [Server].
func (p *Postgres) Close() error {
	p.kill()
	return os.RemoveAll(p.dir)
}

var _ Server = (*Postgres)(nil)
