package engines

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// postgresServer is a PostgreSQL of this test. It writes through to the disk, as it does
// by default.
type postgresServer struct {
	*realserver.Postgres
	t *testing.T
}

func newPostgres(t *testing.T) *postgresServer {
	t.Helper()
	need(t)
	made, err := realserver.NewPostgres("", "shared_buffers=32MB")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Close() })
	p := &postgresServer{made, t}
	p.start()
	return p
}

// start returns when the server answers, which after a crash takes a while.
func (p *postgresServer) start() {
	p.t.Helper()
	if err := p.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// postgresLine is the setting for a PostgreSQL at an address.
func postgresLine(address string) string {
	return "postgres postgres://grant@" + address + "/postgres?sslmode=disable"
}

// do runs statements of the test itself.
func (p *postgresServer) do(statements ...string) {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), p.URL("postgres"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range statements {
		if _, err := conn.Exec(p.t.Context(), statement); err != nil {
			p.t.Fatalf("%s: %v", statement, err)
		}
	}
}
