package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/batch"
)

// Trace sets a hook of the driver, after Provision.
func (p *Postgres) Trace(tracer pgx.QueryTracer) { p.config.ConnConfig.Tracer = tracer }

// Dial changes how connections are made, after Provision.
func (p *Postgres) Dial(change func(pgconn.DialFunc) pgconn.DialFunc) {
	p.config.ConnConfig.DialFunc = change(p.config.ConnConfig.DialFunc)
}

type engineType = engine

// Swap is what SwapTogether asks for.
type Swap struct {
	ID     sessions.ID
	Next   uint64
	Answer string
}

// Swapped is what it gets.
type Swapped struct {
	State sessions.State
	Alone bool
	Err   error
}

// SwapTogether sends swaps as if they had waited for the same moment.
func SwapTogether(t testing.TB, engine sessions.Engine, swaps ...Swap) (results []Swapped) {
	t.Helper()
	e := engine.(*engineType)
	var calls []*batch.Call[swap, swapped]
	for _, s := range swaps {
		of, err := e.session(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, &batch.Call[swap, swapped]{Arguments: swap{of, s.Answer, int64(s.Next)}})
	}
	e.sendSwaps(t.Context(), calls)
	for _, c := range calls {
		results = append(results, Swapped{c.Result.state, c.Result.alone, c.Result.err})
	}
	return results
}

// SharedSwaps is the statement that swaps share.
func SharedSwaps(e sessions.Engine) string { return e.(*engineType).sql.laterOfAll }
