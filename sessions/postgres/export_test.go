package postgres

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Trace sets a hook of the driver, after Provision.
func (p *Postgres) Trace(tracer pgx.QueryTracer) { p.config.ConnConfig.Tracer = tracer }

// Dial changes how connections are made, after Provision.
func (p *Postgres) Dial(change func(pgconn.DialFunc) pgconn.DialFunc) {
	p.config.ConnConfig.DialFunc = change(p.config.ConnConfig.DialFunc)
}
