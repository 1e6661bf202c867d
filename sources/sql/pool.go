package sql

import (
	"database/sql"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// poolKey is what makes a pool the same. It holds a password and is shown to no one.
type poolKey struct {
	driver, dsn                            string
	maxConnections                         int
	queryTimeout, idleTimeout, maxLifetime caddy.Duration
}

// pool is the connections to a database. All sources with the same settings share one,
// across reloads too, so that a reload does not connect again and requests of the old
// config are served to their end.
type pool struct{ *sql.DB }

// Destruct closes the connections.
func (p *pool) Destruct() error { return p.Close() }

var pools = caddy.NewUsagePool()

// takePool takes a share of a pool, opening it if it is the first one.
func takePool(key poolKey, open func() (*sql.DB, error)) (*pool, error) {
	value, _, err := pools.LoadOrNew(key, func() (caddy.Destructor, error) {
		db, err := open()
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(key.maxConnections)
		db.SetMaxIdleConns(key.maxConnections)
		db.SetConnMaxIdleTime(time.Duration(key.idleTimeout))
		db.SetConnMaxLifetime(time.Duration(key.maxLifetime))
		return &pool{db}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*pool), nil
}

func leavePool(key poolKey) error {
	_, err := pools.Delete(key)
	return err
}
