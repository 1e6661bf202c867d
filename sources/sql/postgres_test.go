package sql_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/directory/directorytest"
)

func TestPostgresPassesTheSuite(t *testing.T) {
	p := newPostgres(t)
	suite(t, backing{driver: "pgx", dsn: p.dsn(), db: p.db(), gone: p.stop, back: p.back})
}

// startOnPostgres is a site whose users are in a PostgreSQL.
func startOnPostgres(t *testing.T) (*site, *postgres, *sql.DB) {
	t.Helper()
	p, s := newPostgres(t), newSite(t)
	db := p.db()
	insertUsers(t, db, alice, bob)
	insertClients(t, db, directory.Client{ID: "app", Public: true})
	s.mustLoad(usersOf("pgx", p.dsn()) + clientsOf("pgx", p.dsn()))
	return s, p, db
}

// Clients log in while PostgreSQL is stopped, killed and started: whoever has the right
// password gets in or is told to wait, and no one else does.
func TestPostgresRestartsWhileClientsLogIn(t *testing.T) {
	s, p, _ := startOnPostgres(t)
	var clients sync.WaitGroup
	var ended atomic.Bool
	var entered, unavailable atomic.Int64
	for i := range 6 {
		clients.Go(func() {
			for !ended.Load() {
				switch a := s.login("alice", directorytest.Password); a.status {
				case http.StatusOK:
					entered.Add(1)
				case http.StatusServiceUnavailable:
					if a.retry == "" {
						t.Error("503 without Retry-After")
					}
					unavailable.Add(1)
				default:
					t.Errorf("the right password is answered %s", a)
					return
				}
				if i == 0 {
					if a := s.login("alice", "wrong"); a.status != http.StatusBadRequest && a.status != http.StatusServiceUnavailable {
						t.Errorf("a wrong password is answered %s", a)
					}
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	for round, down := range []time.Duration{0, time.Second, 0, 100 * time.Millisecond} {
		time.Sleep(300 * time.Millisecond)
		if round%2 == 0 {
			p.stop()
		} else {
			p.crash()
		}
		time.Sleep(down)
		p.start()
		begun := time.Now()
		becomes(t, "a login after a restart", 2*time.Second, "200", func() answer { return s.login("alice", directorytest.Password) })
		t.Logf("logins again %v after PostgreSQL answers", time.Since(begun).Round(time.Millisecond))
	}
	ended.Store(true)
	clients.Wait()
	if entered.Load() == 0 || unavailable.Load() == 0 {
		t.Errorf("%d entered, %d were told to wait: the test tests nothing", entered.Load(), unavailable.Load())
	}
	for range 20 { // no connection of before is left to stumble over
		want(t, "a login when all is well", s.login("alice", directorytest.Password), "200")
	}
	keeps(t, "the log", s.log(), plainPassword, postgresPassword, directorytest.Hash)
}

// Connections that died while no one used them are not noticed by anyone.
func TestPostgresRestartsWhileNoOneLogsIn(t *testing.T) {
	s, p, _ := startOnPostgres(t)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() { s.login("alice", directorytest.Password) })
	}
	clients.Wait()
	p.stop()
	p.start()
	for range 10 {
		want(t, "a login after a restart", s.login("alice", directorytest.Password), "200")
	}
}

func TestPostgresIsDownAtTheStart(t *testing.T) {
	p, s := newPostgres(t), newSite(t)
	insertUsers(t, p.db(), alice)
	p.stop()
	s.mustLoad(usersOf("pgx", p.dsn()))
	s.logged(`"level":"error"`, "the database cannot be asked now", "users sql pgx", "connection refused", "503")
	want(t, "a login before", s.login("alice", directorytest.Password), "503 temporarily_unavailable")
	p.launch()
	becomes(t, "a login after", 10*time.Second, "200", func() answer { return s.login("alice", directorytest.Password) })
	keeps(t, "the log", s.log(), plainPassword, postgresPassword)
}

func TestPostgresChangedPasswordIsCutOff(t *testing.T) {
	s, _, db := startOnPostgres(t)
	cutOff(t, s, db)
}

// What was found a moment ago counts for access tokens while PostgreSQL is down, and
// then no longer.
func TestPostgresDownForAccessTokens(t *testing.T) {
	s, p, _ := startOnPostgres(t)
	token := s.enter("alice").access
	asked := time.Now()
	want(t, "before", s.app(token), "200")
	p.stop()
	if a := s.app(token); time.Since(asked) < maxAge {
		want(t, "at once", a, "200")
	}
	becomes(t, "after max_age", maxAge+time.Second, "503", func() answer { a := s.app(token); a.code = ""; return a })
	p.start()
	becomes(t, "when it is back", 3*time.Second, "200", func() answer { return s.app(token) })
}

// Columns of types that only PostgreSQL has.
func TestPostgresTypes(t *testing.T) {
	p, s := newPostgres(t), newSite(t)
	db := p.db()
	run(t, db, `CREATE EXTENSION citext`)
	run(t, db, `CREATE TABLE typed (
		id uuid PRIMARY KEY DEFAULT gen_random_uuid(), number bigint UNIQUE, name citext UNIQUE, hash varchar(200),
		scopes text[], claims jsonb, disabled_at timestamptz)`)
	run(t, db, `INSERT INTO typed (number, name, hash, scopes, claims) VALUES (42, 'alice', $1, '{read,"write"}', '{"group": "staff"}')`, directorytest.Hash)
	run(t, db, `INSERT INTO typed (number, name, hash, disabled_at) VALUES (43, 'bob', $1, now())`, directorytest.Hash)
	run(t, db, `INSERT INTO typed (number, name, hash, scopes) VALUES (44, 'carol', $1, '{NULL}')`, directorytest.Hash)
	for _, id := range []string{"id", "number"} {
		t.Run(id, func(t *testing.T) {
			columns := `SELECT name AS username, hash AS password_hash, ` + id + ` AS id, scopes, claims, disabled_at IS NOT NULL AS disabled FROM typed`
			s.mustLoad(queriesOf("pgx", p.dsn(), columns+` WHERE name = $1`, columns+` WHERE `+id+` = $1`) + "\nscopes read write")
			var subject string
			if err := db.QueryRow(`SELECT ` + id + `::text FROM typed WHERE name = 'alice'`).Scan(&subject); err != nil {
				t.Fatal(err)
			}
			if a := s.app(s.enter("alice").access); a.body != subject+" read write" {
				t.Errorf("the app learns %q, want the id %s and scopes", a.body, subject)
			}
			want(t, "another spelling", s.login("ALICE", directorytest.Password), "400 invalid_grant")
			want(t, "a user who is disabled", s.login("bob", directorytest.Password), "400 invalid_grant")
			want(t, "a scope that is NULL", s.login("carol", directorytest.Password), "503 temporarily_unavailable")
			// an unknown name stands for the subject too, where the column takes only
			// ids
			for _, name := range []string{"nobody", "99", "99999999999999999999", "7b5a8b3e-0000-0000-0000-000000000000", "{", "'"} {
				want(t, fmt.Sprintf("the unknown name %q", name), s.login(name, directorytest.Password), "400 invalid_grant")
			}
		})
	}
}

// An error in a row is not one in what was asked for: the user exists.
func TestPostgresValueThatCannotBeConverted(t *testing.T) {
	s, p, db := startOnPostgres(t)
	run(t, db, `UPDATE people SET claims = '{broken' WHERE login = 'alice'`)
	columns := `SELECT login AS username, hash AS password_hash, claims::json FROM people WHERE login = $1`
	s.mustLoad(queriesOf("pgx", p.dsn(), columns, columns))
	want(t, "alice", s.login("alice", directorytest.Password), "503 temporarily_unavailable")
	s.logged("users sql pgx: by_username: PostgreSQL could not answer the query", "SQLSTATE 22P02")
	keeps(t, "the log", s.log(), "{broken")
}

// PostgreSQL quotes what was typed, if the query makes it the name of a table.
func TestPostgresQuotesNoNames(t *testing.T) {
	s, p, _ := startOnPostgres(t)
	query := byUsername + ` OR CASE WHEN $1 <> '' THEN $1::regclass IS NULL END`
	s.mustLoad(queriesOf("pgx", p.dsn(), query, query))
	want(t, "a name", s.login("typedsecret", directorytest.Password), "503 temporarily_unavailable")
	s.logged("users sql pgx: by_username: PostgreSQL refused the query: its log says why", "SQLSTATE 42P01")
	keeps(t, "the log", s.log(), "typedsecret")
}

func TestPostgresDuplicateRowsAndBadHashes(t *testing.T) {
	s, p, db := startOnPostgres(t)
	run(t, db, `INSERT INTO people (login, hash) VALUES ('Alice', $1), ('broken', 'hunter2')`, directorytest.Hash)
	s.mustLoad(queriesOf("pgx", p.dsn(), strings.ReplaceAll(byUsername, "login = $1", "lower(login) = lower($1)"), bySubject))
	for _, name := range []string{"alice", "Alice"} {
		want(t, "the spelling of one of two rows", s.login(name, directorytest.Password), "200")
	}
	want(t, "the spelling of none of them", s.login("ALICE", directorytest.Password), "400 invalid_grant")
	want(t, "a row with a bad hash", s.login("broken", "hunter2"), "503 temporarily_unavailable")
	s.logged("users sql pgx: user", `broken`)
	s.mustLoad(queriesOf("pgx", p.dsn(), byUsername+" UNION ALL "+byUsername, bySubject))
	want(t, "a name that two rows have", s.login("alice", directorytest.Password), "503 temporarily_unavailable")
	s.logged("users sql pgx: by_username: it returned several rows")
	keeps(t, "the log", s.log(), "hunter2")
}

// A query that hangs costs its time and no more, in PostgreSQL too.
func TestPostgresHangs(t *testing.T) {
	s, p, db := startOnPostgres(t)
	slow := strings.Replace(byUsername, "WHERE", "WHERE $1 = '' OR pg_sleep(30) IS NULL OR", 1)
	s.mustLoad(queriesOf("pgx", p.dsn(), slow, bySubject, "query_timeout 500ms"))
	begun := time.Now()
	want(t, "a login", s.login("alice", directorytest.Password), "503 temporarily_unavailable")
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	s.logged("users sql pgx: by_username: no answer")
	for range 30 {
		var busy int
		if err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid()`).Scan(&busy); err != nil {
			t.Fatal(err)
		}
		if busy == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the query goes on in PostgreSQL though no one waits for it")
}

func connections(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'caddy-grant'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// The pool is bounded, stays over a reload, and is closed with the last config that has
// it.
func TestPostgresConnections(t *testing.T) {
	p, s := newPostgres(t), newSite(t)
	db := p.db()
	insertUsers(t, db, alice)
	s.mustLoad(usersOf("pgx", p.dsn(), "max_connections 3"))
	var clients sync.WaitGroup
	for range 30 {
		clients.Go(func() { want(t, "a login", s.login("alice", directorytest.Password), "200") })
	}
	clients.Wait()
	if n := connections(t, db); n < 1 || n > 3 {
		t.Errorf("%d connections, at most 3 are allowed", n)
	}
	var before, after int
	backend := `SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'caddy-grant'`
	if err := db.QueryRow(backend).Scan(&before); err != nil {
		t.Fatal(err)
	}
	s.mustLoad(usersOf("pgx", p.dsn(), "max_connections 3") + "\nlog_usernames")
	want(t, "a login after a reload", s.login("alice", directorytest.Password), "200")
	if err := db.QueryRow(backend).Scan(&after); err != nil {
		t.Fatal(err)
	}
	if before != after {
		t.Error("a reload has made new connections")
	}
	if err := s.load(usersOf("pgx", p.dsn(), "max_connections 3") + clientsOf("pgx", p.dsn()) + "\ndefault_client nobody"); err == nil {
		t.Error("a config with a mistake was loaded")
	}
	want(t, "a login after a reload that failed", s.login("alice", directorytest.Password), "200")
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if connections(t, db) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("connections stay after Caddy has stopped")
}

// A table that changes takes prepared queries away, which no client notices.
func TestPostgresTableChanges(t *testing.T) {
	s, p, db := startOnPostgres(t)
	query := `SELECT people.login AS username, people.hash AS password_hash, people.id FROM people WHERE login = $1`
	s.mustLoad(queriesOf("pgx", p.dsn(), query, query))
	want(t, "before", s.login("alice", directorytest.Password), "200")
	run(t, db, `ALTER TABLE people ALTER COLUMN id TYPE varchar(64), ALTER COLUMN hash TYPE varchar(128)`)
	want(t, "after", s.login("alice", directorytest.Password), "200")
}

// Whatever is wrong with the DSN, what is said of it holds nothing from it.
func TestPostgresSecretsAreKept(t *testing.T) {
	s, p, _ := startOnPostgres(t)
	for dsn, says := range map[string]string{
		strings.Replace(p.dsn(), postgresPassword, "hunter2secret", 1):                      "check the user and the password",
		strings.Replace(p.dsn(), "/postgres?", "/hunter2secret?", 1):                        "check the name in the dsn",
		strings.Replace(p.dsn(), "127.0.0.1", "hunter2secret.invalid", 1):                   "the host of the dsn has no address",
		strings.Replace(p.dsn(), "sslmode=disable", "sslmode=require", 1):                   "check host, port and sslmode",
		"host=127.0.0.1 port=1 user=hunter2secret password=hunter2secret connect_timeout=1": "connection refused",
	} {
		s.mustLoad(usersOf("pgx", dsn))
		s.logged("the database cannot be asked now", says)
		want(t, says, s.login("alice", directorytest.Password), "503 temporarily_unavailable")
	}
	for _, dsn := range []string{
		"postgres://grant:hunter2secret@127.0.0.1:nonsense/", "postgres://grant:hunter2secret/x@127.0.0.1:1/%zz", "password=hunter2secret host='",
		"postgres://grant:hunter2secret@127.0.0.1/x?sslmode=hunter2secret", "hunter2secret",
		"postgres://grant:{hunter2secret}@127.0.0.1/x", "{env.CADDY_GRANT_TEST_UNSET}hunter2secret",
	} {
		err := s.load(usersOf("pgx", dsn))
		if err == nil {
			t.Errorf("%s: accepted", dsn)
			continue
		}
		if !strings.Contains(err.Error(), "users sql: dsn: ") {
			t.Errorf("%s: %v", dsn, err)
		}
		keeps(t, dsn, err.Error(), "hunter2secret")
	}
	keeps(t, "the log", s.log(), "hunter2secret", postgresPassword, plainPassword)
}
