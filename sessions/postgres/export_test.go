package postgres

import "github.com/jackc/pgx/v5"

// Trace sets a hook of the driver, after Provision.
func (p *Postgres) Trace(tracer pgx.QueryTracer) { p.config.ConnConfig.Tracer = tracer }
