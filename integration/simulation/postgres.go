package simulation

import (
	"context"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/integration/internal/fleet"
	"github.com/caddygrant/caddy-grant/internal/realserver"
	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// Postgres is a PostgreSQL as initdb leaves it, but for the number of connections.
type Postgres struct{ *realserver.Postgres }

// StartPostgres makes and starts one.
func StartPostgres() (*Postgres, error) {
	made, err := realserver.NewPostgres("", "log_min_messages=fatal", fmt.Sprintf("max_connections=%d", mostConnections))
	if err != nil {
		return nil, err
	}
	if err := made.Start(); err != nil {
		_ = made.Close()
		return nil, err
	}
	return &Postgres{made}, nil
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
func (p *Postgres) Directory() string { return p.Dir() }

// Name implements [Server].
func (p *Postgres) Name() string { return "postgres" }

// Open implements [Server].
func (p *Postgres) Open(address string, connections int) (sessions.Engine, error) {
	module := &postgres.Postgres{URL: p.url(address), MaxConnections: connections}
	if err := module.Provision(caddy.Context{}); err != nil {
		return nil, err
	}
	return module.OpenSessions(fleet.Server, zap.NewNop())
}

// Restart implements [Server].
func (p *Postgres) Restart() error {
	p.Kill()
	return p.Start()
}

// CPU implements [Server].
func (p *Postgres) CPU() (time.Duration, error) {
	pids := p.Processes()
	all, err := cpuOf(pids[0], true)
	for _, child := range pids[1:] {
		used, gone := cpuOf(child, false)
		if gone == nil {
			all += used
		}
	}
	return all, err
}

var _ Server = (*Postgres)(nil)
