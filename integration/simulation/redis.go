package simulation

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/integration/internal/fleet"
	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/redis"
)

// Redis is a Redis with an append-only file that is synced before each answer.
type Redis struct {
	dir     string
	port    int
	options []string
	cmd     *exec.Cmd
}

// StartRedis starts one, with options beyond or in place of its own.
func StartRedis(options ...string) (_ *Redis, err error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("redis-server is needed: apt-get install redis-server: %w", err)
	}
	r := &Redis{options: options}
	if r.port, err = freePort(); err != nil {
		return nil, err
	}
	if r.dir, err = os.MkdirTemp("", "caddy-grant-simulation-"); err != nil {
		return nil, err
	}
	if err := r.start(); err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Redis) start() error {
	log := filepath.Join(r.dir, "log")
	r.cmd = exec.Command("redis-server", append([]string{
		"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir, "--logfile", log,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction",
	}, r.options...)...)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		return err
	}
	client := r.Client()
	defer client.Close()
	return answers(log, nil, func() error { return client.Ping(context.Background()).Err() })
}

// Client is one of the simulation itself.
func (r *Redis) Client() *goredis.Client {
	return goredis.NewClient(&goredis.Options{Addr: r.Address(), MaxRetries: -1})
}

// Directory is where it keeps its files.
func (r *Redis) Directory() string { return r.dir }

// Name implements [Server].
func (r *Redis) Name() string { return "redis" }

// Address implements [Server].
func (r *Redis) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// Open implements [Server].
func (r *Redis) Open(address string, connections int) (sessions.Engine, error) {
	module := &redis.Sessions{URL: fmt.Sprintf("redis://%s/0?pool_size=%d", address, connections)}
	if err := module.Provision(caddy.Context{}); err != nil {
		return nil, err
	}
	return module.OpenSessions(fleet.Server, zap.NewNop())
}

func (r *Redis) kill() {
	if r.cmd != nil && r.cmd.Process != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	}
	r.cmd = nil
}

// Restart implements [Server].
func (r *Redis) Restart() error {
	r.kill()
	return r.start()
}

// CPU implements [Server].
func (r *Redis) CPU() (time.Duration, error) { return cpuOf(r.cmd.Process.Pid, false) }

// Close implements [Server].
func (r *Redis) Close() error {
	r.kill()
	return os.RemoveAll(r.dir)
}

var _ Server = (*Redis)(nil)
