package simulation

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/integration/internal/fleet"
	"github.com/caddygrant/caddy-grant/internal/realserver"
	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/redis"
)

// Redis is a Redis with an append-only file that is synced before each answer.
type Redis struct{ *realserver.Redis }

// StartRedis starts one, with options beyond or in place of its own.
func StartRedis(options ...string) (*Redis, error) {
	prepared, err := realserver.NewRedis(options...)
	if err != nil {
		return nil, err
	}
	if err := prepared.Start(); err != nil {
		_ = prepared.Close()
		return nil, err
	}
	return &Redis{prepared}, nil
}

// Client is one of the simulation itself.
func (r *Redis) Client() *goredis.Client {
	return goredis.NewClient(&goredis.Options{Addr: r.Address(), MaxRetries: -1})
}

// Directory is where it keeps its files.
func (r *Redis) Directory() string { return r.Dir() }

// Name implements [Server].
func (r *Redis) Name() string { return "redis" }

// Open implements [Server].
func (r *Redis) Open(address string, connections int) (sessions.Engine, error) {
	module := &redis.Sessions{URL: fmt.Sprintf("redis://%s/0?pool_size=%d", address, connections)}
	if err := module.Provision(caddy.Context{}); err != nil {
		return nil, err
	}
	return module.OpenSessions(fleet.Server, zap.NewNop())
}

// Restart implements [Server].
func (r *Redis) Restart() error {
	r.Kill()
	return r.Start()
}

// CPU implements [Server].
func (r *Redis) CPU() (time.Duration, error) { return cpuOf(r.Pid(), false) }

var _ Server = (*Redis)(nil)
