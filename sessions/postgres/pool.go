package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// poolKey is what makes a pool the same. It holds a password and is shown to no one.
type poolKey struct {
	url, password  string
	maxConnections int
	timeout        caddy.Duration
}

// pool is the connections to a database. Engines with the same settings share one,
// across reloads too, so that a reload does not connect again.
type pool struct {
	*pgxpool.Pool
	key     poolKey
	timeout time.Duration
	hosts   int // that the URL names
	mode    pgx.QueryExecMode

	// unprepared says that prepared statements do not last: a pooler hands each
	// transaction to another connection of its own.
	unprepared atomic.Bool
}

// Destruct closes the connections.
func (p *pool) Destruct() error {
	p.Close()
	return nil
}

var pools = caddy.NewUsagePool()

// takePool takes a share of a pool, making it if it is the first one.
func takePool(key poolKey, config *pgxpool.Config) (*pool, error) {
	value, _, err := pools.LoadOrNew(key, func() (caddy.Destructor, error) {
		connections, err := pgxpool.NewWithConfig(context.Background(), config.Copy())
		if err != nil {
			return nil, errors.New("the pool of connections cannot be made with this url")
		}
		return &pool{
			Pool: connections, key: key, timeout: time.Duration(key.timeout),
			hosts: hosts(&config.ConnConfig.Config), mode: config.ConnConfig.DefaultQueryExecMode,
		}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*pool), nil
}

// leave gives a share back. The last one closes the pool, which waits for the calls that
// run, each for its timeout at most.
func (p *pool) leave() (err error) {
	defer recovered(&err)
	_, err = pools.Delete(p.key)
	return err
}

// config is that of the pool. Its errors hold nothing of the URL.
func (k poolKey) config() (*pgxpool.Config, error) {
	if !strings.HasPrefix(k.url, "postgres://") && !strings.HasPrefix(k.url, "postgresql://") {
		return nil, errors.New("url: it does not begin with postgres://: write postgres://<user>@<host>/<database>?sslmode=verify-full, or {env.URL}")
	}
	if replica.MatchString(k.url) {
		return nil, errors.New("url: sessions are read from the primary only: leave target_session_attrs out")
	}
	config, err := pgxpool.ParseConfig(k.url)
	if err != nil {
		// what pgx says of it may hold the password
		return nil, errors.New("url: it is not a URL of PostgreSQL, or a file that it names cannot be read: write postgres://<user>:<password>@<host>:<port>/<database>?sslmode=verify-full, with %XX for characters such as @ / : and % in the password")
	}
	timeout := time.Duration(k.timeout)
	connect := config.ConnConfig
	if k.password != "" {
		connect.Password = k.password
	}
	if connect.RuntimeParams["application_name"] == "" {
		connect.RuntimeParams["application_name"] = "caddy-grant"
	}
	if connect.ConnectTimeout == 0 || connect.ConnectTimeout > timeout {
		connect.ConnectTimeout = timeout
	}
	connect.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	// pgx asks for the end of a statement whose time is up. That would end a commit's wait
	// for a standby too, and show what the standby does not have to whoever repeats the
	// call. lock_timeout ends the other waits.
	dial := connect.DialFunc
	connect.DialFunc = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		defer recovered(&err) // it runs in a goroutine of the pool
		if ctx.Value(connecting{}) == nil {
			return nil, errors.New("statements are not cancelled")
		}
		return dial(ctx, network, address)
	}
	// A pooler may hand over what PostgreSQL tells another connection; pgx would keep it.
	connect.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) {}
	config.MaxConns = int32(k.maxConnections)
	config.MinConns, config.MinIdleConns = 0, 0 // a pool that is not asked connects to nothing
	// A call is repeated on a new connection if that of the pool turns out to be dead, so
	// none is tried beforehand.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	return config, nil
}

// connecting marks the contexts in which a connection may be made.
type connecting struct{}

func mayConnect(ctx context.Context) context.Context {
	return context.WithValue(ctx, connecting{}, true)
}

var replica = regexp.MustCompile(`(?i)target_session_attrs=(read-only|standby|prefer-standby|any)`)

// hosts counts those of a config, which has one more entry for each way to encrypt.
func hosts(config *pgconn.Config) int {
	seen := map[string]bool{net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))): true}
	for _, other := range config.Fallbacks {
		seen[net.JoinHostPort(other.Host, strconv.Itoa(int(other.Port)))] = true
	}
	return len(seen)
}

// resolve replaces the placeholders of a setting. Its errors show nothing else of it.
func resolve(name, text string) (string, error) {
	if text == "" {
		return "", fmt.Errorf("%s: it is missing: write \"sessions postgres postgres://<user>@<host>/<database>\", or {env.URL} and set URL in the environment", name)
	}
	value, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	if value = strings.TrimSpace(value); err != nil || value == "" {
		return "", fmt.Errorf("%s: a placeholder in it is unknown or empty (%s): set it; a brace that is part of a password is written in the value of a placeholder, such as {env.PASSWORD}",
			name, strings.Join(placeholders.FindAllString(text, -1), ", "))
	}
	return value, nil
}

var placeholders = regexp.MustCompile(`\{(env\.[A-Za-z0-9_]+|file\.[^{}]+)\}`)
