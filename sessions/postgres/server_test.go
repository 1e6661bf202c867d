package postgres_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// server is a PostgreSQL of these tests.
type server struct {
	*realserver.Postgres
	t    testing.TB
	port int
}

const (
	// urlPassword has what a URL needs escaped.
	urlPassword   = "p%40ss%2Fw0rd%25"
	plainPassword = "p@ss/w0rd%"
)

// needPostgres skips what is no part of what a checkout needs, so the variable says
// that PostgreSQL is there; then it must be.
func needPostgres(t testing.TB) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_POSTGRES") == "" {
		t.Skip("set CADDY_GRANT_POSTGRES where PostgreSQL is installed")
	}
}

// newServer makes and starts a server that ends with the test.
func newServer(t testing.TB, settings ...string) *server {
	t.Helper()
	needPostgres(t)
	made, err := realserver.NewPostgres(plainPassword, append([]string{"max_connections=150", "shared_buffers=32MB"}, settings...)...)
	return started(t, made, err)
}

func started(t testing.TB, made *realserver.Postgres, err error) *server {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Close() })
	s := &server{Postgres: made, t: t, port: made.Port()}
	s.start()
	return s
}

// start returns when the server answers.
func (s *server) start() {
	s.t.Helper()
	if err := s.Start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) awaits() {
	s.t.Helper()
	if err := s.Await(); err != nil {
		s.t.Fatal(err)
	}
}

// signal sends one to all processes of the server.
func (s *server) signal(signal syscall.Signal) { s.Signal(signal) }

// kill ends all processes at once, as `kill -9` does.
func (s *server) kill() { s.Kill() }

// end ends it with a signal: SIGINT closes the connections first.
func (s *server) end(signal syscall.Signal) { s.End(signal) }

func (s *server) url(database string) string { return s.URL(database) }

// database makes a new one, and a pool of the test itself in it.
func (s *server) database(t testing.TB) (url string, db *pgxpool.Pool) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	databases.Lock()
	databases.n++
	name := fmt.Sprintf("test%d", databases.n)
	databases.Unlock()
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.url(name), connect(t, s.url(name))
}

var databases struct {
	sync.Mutex
	n int
}

func connect(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	db, err := pgxpool.New(t.Context(), url+"&application_name=test&default_query_exec_mode=exec")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func freePort(t testing.TB) int {
	t.Helper()
	port, err := realserver.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// run executes a statement of the test.
func run(t testing.TB, db *pgxpool.Pool, sql string, parameters ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, parameters...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// value is that of a statement of the test.
func value[T any](t testing.TB, db *pgxpool.Pool, sql string, parameters ...any) (v T) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql, parameters...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// shared is a server for all tests that leave it as it is.
var shared struct {
	sync.Mutex
	*server
}

func sharedServer(t testing.TB) *server {
	t.Helper()
	needPostgres(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		shared.server = newServer(holder{t})
	}
	return shared.server
}

// holder has what a test leaves behind stay until all have ended.
type holder struct{ testing.TB }

func (holder) Cleanup(f func()) { atEnd = append(atEnd, f) }

var atEnd []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range slices.Backward(atEnd) {
		f()
	}
	os.Exit(code)
}
