package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// Database is where the rows come from, and how much of it may be used.
type Database struct {
	// The kind of the database: `pgx` for PostgreSQL, or `sqlite`. Required.
	Driver string `json:"driver,omitempty"`

	// Where the database is. For `pgx` a connection string of PostgreSQL, such as
	// `postgres://user:password@host:5432/database?sslmode=verify-full`; what it leaves
	// out comes from the environment, as with psql. For `sqlite` the path of the file,
	// or a `file:` URI; it is opened for reading only. Placeholders are replaced at
	// start; use `{env.*}` or `{file.*}`, which keep a password out of the config.
	// Required.
	DSN string `json:"dsn,omitempty"`

	// How long a query may take, including the time to connect, at most 5s. Default:
	// `3s`.
	QueryTimeout caddy.Duration `json:"query_timeout,omitempty"`

	// How many connections may be open at a time, at most 100. Default: `10`.
	MaxConnections int `json:"max_connections,omitempty"`

	// How long a connection without a query stays open. Default: `5m`.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// How long a connection is used before another takes its place, so that a new
	// server behind the same name is found, or a new file at the same path. Default:
	// `30m`, or `10s` for `sqlite`.
	MaxLifetime caddy.Duration `json:"max_lifetime,omitempty"`

	driver driver
	key    poolKey
	pool   *pool
	shares bool // in the pool, until Cleanup
	logger *zap.Logger
	source string // the name in errors and logs
}

// driver is what differs between databases.
type driver struct {
	open func(dsn string, settings *Database) (*sql.DB, error)

	// failure tells what an error of a query means. It holds nothing of the DSN, nor of
	// what was asked for.
	failure func(error) failure

	lifetime time.Duration // of a connection, by default
}

var drivers = map[string]driver{
	"pgx":    {openPostgres, postgresFailure, 30 * time.Minute},
	"sqlite": {openSQLite, sqliteFailure, 10 * time.Second},
}

// provision checks the settings and opens the pool, which connects to nothing yet.
func (d *Database) provision(ctx caddy.Context, source string) error {
	d.logger, d.source = ctx.Logger(), source
	var known bool
	if d.driver, known = drivers[d.Driver]; !known {
		return fmt.Errorf("driver%s: write pgx for PostgreSQL, or sqlite", shown(fmt.Sprintf(" %q", d.Driver), d.Driver))
	}
	if err := d.setDefaults(); err != nil {
		return err
	}
	dsn, err := resolveDSN(d.DSN)
	if err != nil {
		return err
	}
	d.key = poolKey{d.Driver, dsn, d.MaxConnections, d.QueryTimeout, d.IdleTimeout, d.MaxLifetime}
	d.pool, err = takePool(d.key, func() (*sql.DB, error) { return d.driver.open(dsn, d) })
	d.shares = err == nil
	return err
}

func (d *Database) setDefaults() error {
	for _, setting := range []struct {
		name     string
		value    *caddy.Duration
		standard time.Duration
		least    time.Duration
		most     time.Duration
	}{
		{"query_timeout", &d.QueryTimeout, 3 * time.Second, 10 * time.Millisecond, 5 * time.Second},
		{"idle_timeout", &d.IdleTimeout, 5 * time.Minute, time.Second, 24 * time.Hour},
		{"max_lifetime", &d.MaxLifetime, d.driver.lifetime, time.Second, 24 * time.Hour},
	} {
		if *setting.value == 0 {
			*setting.value = caddy.Duration(setting.standard)
		}
		if given := time.Duration(*setting.value); given < setting.least || given > setting.most {
			return fmt.Errorf("%s %v: it must be between %v and %v", setting.name, given, setting.least, setting.most)
		}
	}
	if d.MaxConnections == 0 {
		d.MaxConnections = 10
	}
	if d.MaxConnections < 1 || d.MaxConnections > 100 {
		return fmt.Errorf("max_connections %d: it must be between 1 and 100", d.MaxConnections)
	}
	return nil
}

// Cleanup leaves the pool, which is closed unless another config has it too.
func (d *Database) Cleanup() error {
	if !d.shares {
		return nil
	}
	d.shares = false
	return leavePool(d.key)
}

// resolveDSN replaces the placeholders of a DSN. Its errors show nothing else of it.
func resolveDSN(text string) (string, error) {
	if text == "" {
		return "", errors.New("dsn: it is missing: write \"dsn {env.DSN}\" and set DSN in the environment, or \"dsn {file./path/to/dsn}\"")
	}
	dsn, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	if dsn = strings.TrimSpace(dsn); err != nil || dsn == "" {
		return "", fmt.Errorf("dsn: a placeholder in it is unknown or empty (%s): set it; a brace that is part of a password is written in the value of a placeholder, such as {env.DSN}",
			strings.Join(placeholders.FindAllString(text, -1), ", "))
	}
	return dsn, nil
}

var placeholders = regexp.MustCompile(`\{(env\.[A-Za-z0-9_]+|file\.[^{}]+)\}`)

// shown is the text for a message about something misspelled, unless it may be a DSN in
// the wrong place, which holds a password.
func shown(text, misspelled string) string {
	if !plainWord.MatchString(misspelled) {
		return ""
	}
	return text
}

var plainWord = regexp.MustCompile(`^[a-z_]+$`)

// probe asks each query for what no row has. An error is a mistake in a query; a
// database that cannot be asked is only logged.
func probe[T any](d *Database, columns columns[T], queries ...query) error {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	for _, query := range queries {
		_, err := one(ctx, d, query, "", columns, func(*T) bool { return false })
		if _, wrong := errors.AsType[*mistake](err); wrong {
			return err
		}
		if err != nil {
			d.logger.Error("the database cannot be asked now: requests that need it are answered with 503 until it can",
				zap.String("source", d.source), zap.Error(err))
			return nil
		}
	}
	return nil
}

// probeTimeout is how long a start waits for a database that does not answer.
const probeTimeout = 2 * time.Second
