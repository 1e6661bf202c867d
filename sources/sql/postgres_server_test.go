package sql_test

import (
	"database/sql"
	"os"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// postgres is a PostgreSQL of this test.
type postgres struct {
	*realserver.Postgres
	t *testing.T
}

const (
	// postgresPassword has what an URI needs escaped.
	postgresPassword = "p%40ss%2Fw0rd%25"
	plainPassword    = "p@ss/w0rd%"
)

// needPostgres skips what is no part of what a checkout needs, so the variable says
// that PostgreSQL is there; then it must be.
func needPostgres(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_POSTGRES") == "" {
		t.Skip("set CADDY_GRANT_POSTGRES where PostgreSQL is installed")
	}
}

// newPostgres makes and starts a server that has the tables.
func newPostgres(t *testing.T) *postgres {
	t.Helper()
	needPostgres(t)
	made, err := realserver.NewPostgres(plainPassword, "fsync=off", "max_connections=40")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Close() })
	p := &postgres{made, t}
	p.start()
	run(t, p.db(), schema)
	return p
}

// start returns when the server answers.
func (p *postgres) start() {
	p.t.Helper()
	p.launch()
	if err := p.Await(); err != nil {
		p.t.Fatal(err)
	}
}

// launch starts the server and does not wait for it.
func (p *postgres) launch() {
	p.t.Helper()
	if err := p.Launch(); err != nil {
		p.t.Fatal(err)
	}
}

// stop ends the server as a service manager does: connections are closed.
func (p *postgres) stop() { p.End(syscall.SIGINT) }

// crash ends it as when it is killed: it recovers at the next start.
func (p *postgres) crash() { p.End(syscall.SIGQUIT) }

// back starts it if it is not running.
func (p *postgres) back() {
	if !p.Running() {
		p.start()
	}
}

// db is a pool of the test itself, which finds the server again after a restart.
func (p *postgres) db() *sql.DB {
	p.t.Helper()
	db, err := sql.Open("pgx", p.dsn()+"&application_name=test")
	if err != nil {
		p.t.Fatal(err)
	}
	db.SetMaxIdleConns(0)
	p.t.Cleanup(func() { db.Close() })
	return db
}

func (p *postgres) dsn() string { return p.URL("postgres") }

func freePort(t *testing.T) int {
	t.Helper()
	port, err := realserver.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
