package postgres

import (
	"fmt"
	"regexp"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
)

func init() { caddy.RegisterModule(Postgres{}) }

// Postgres is sessions in a PostgreSQL 14 or newer. All nodes with the same database and
// schema share their sessions; authorization servers with different names have sessions
// of their own there.
//
// The tables are made when they are first needed, if the role may create them.
type Postgres struct {
	// Where the database is, such as
	// `postgres://user@host:5432/database?sslmode=verify-full`. Several hosts may be
	// named, with a comma between them; the one that is the primary is used. What it
	// leaves out comes from the environment, as with psql. Placeholders are replaced at
	// start; use `{env.*}` or `{file.*}`. Required.
	URL string `json:"url,omitempty"`

	// The password of the role, in place of one in the URL. Placeholders are replaced at
	// start; use `{env.*}` or `{file.*}`, which keep the password out of the config.
	// Default: that of the URL, of PGPASSWORD or of a .pgpass file.
	Password string `json:"password,omitempty"`

	// The schema of the tables, made if it is not there: letters a to z, digits and "_".
	// Default: the first schema of the role's search_path.
	Schema string `json:"schema,omitempty"`

	// How many connections a node may have open, 1 to 1000. Default: `10`.
	MaxConnections int `json:"max_connections,omitempty"`

	// How long a call may take, the time to connect and to wait for a connection
	// included, `100ms` to `30s`. Default: `2s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	config *pgxpool.Config
	key    poolKey
}

// CaddyModule returns the Caddy module information.
func (Postgres) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.sessions.postgres",
		New: func() caddy.Module { return new(Postgres) },
	}
}

// Provision checks the settings. It connects to nothing.
func (p *Postgres) Provision(caddy.Context) error {
	if err := p.provision(); err != nil {
		return fmt.Errorf("sessions postgres: %w", err)
	}
	return nil
}

func (p *Postgres) provision() error {
	if p.Timeout == 0 {
		p.Timeout = caddy.Duration(standardTimeout)
	}
	if given := time.Duration(p.Timeout); given < leastTimeout || given > mostTimeout {
		return fmt.Errorf("timeout %v: it must be between %v and %v", given, leastTimeout, mostTimeout)
	}
	if p.MaxConnections == 0 {
		p.MaxConnections = standardConnections
	}
	if p.MaxConnections < 1 || p.MaxConnections > mostConnections {
		return fmt.Errorf("max_connections %d: it must be between 1 and %d", p.MaxConnections, mostConnections)
	}
	if p.Schema != "" && !schemaName.MatchString(p.Schema) {
		return fmt.Errorf("schema: a name has at most 63 of the characters a-z, 0-9 and _, and begins with none of 0-9")
	}
	url, err := resolve("url", p.URL)
	if err != nil {
		return err
	}
	var password string
	if p.Password != "" {
		if password, err = resolve("password", p.Password); err != nil {
			return err
		}
	}
	p.key = poolKey{url, password, p.MaxConnections, p.Timeout}
	p.config, err = p.key.config()
	return err
}

// OpenSessions takes a share of the pool, which connects when it is first asked.
func (p *Postgres) OpenSessions(server string, logger *zap.Logger) (sessions.Engine, error) {
	shared, err := takePool(p.key, p.config)
	if err != nil {
		return nil, err
	}
	return newEngine(server, p.Schema, shared, logger), nil
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

const (
	standardTimeout = 2 * time.Second
	leastTimeout    = 100 * time.Millisecond
	mostTimeout     = 30 * time.Second

	standardConnections = 10
	mostConnections     = 1000
)

// Interface guards
var (
	_ caddy.Provisioner = (*Postgres)(nil)
	_ sessions.Opener   = (*Postgres)(nil)
)
