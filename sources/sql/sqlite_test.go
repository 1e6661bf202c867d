package sql_test

import (
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/directory/directorytest"
)

// newSQLite makes a database file, whose path has what an URI would take for its own.
func newSQLite(t *testing.T) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "us%41ers #1.db")
	db = openSQLite(t, path)
	run(t, db, schema)
	return path, db
}

func openSQLite(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

var (
	alice = directory.User{Username: "alice", PasswordHash: directorytest.Hash}
	bob   = directory.User{Username: "bob", ID: "7", PasswordHash: directorytest.Hash, Scopes: []string{"read"}}
)

// anotherHash is of "another password".
const anotherHash = "$2a$04$PmjFBn6YVUQnPIyOmZuPB.PeHOkydVBa5U2.2E8m7wG4uhkhkNb4e"

func TestSQLitePassesTheSuite(t *testing.T) {
	path, db := newSQLite(t)
	lock, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	suite(t, backing{
		driver: "sqlite", dsn: path, db: db,
		gone: func() { // no one can read while a writer commits
			if _, err := lock.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
				t.Fatal(err)
			}
		},
		back: func() { _, _ = lock.ExecContext(t.Context(), "ROLLBACK") },
	})
}

func TestSQLiteLogins(t *testing.T) {
	path, db := newSQLite(t)
	insertUsers(t, db, alice, bob,
		directory.User{Username: "disabled", PasswordHash: directorytest.Hash, Disabled: true},
		directory.User{Username: "broken", PasswordHash: "$2a$04$cut"})
	run(t, db, `INSERT INTO people (login) VALUES ('no-password')`)
	insertClients(t, db, directory.Client{ID: "app", Public: true, Scopes: []string{"read", "write"}},
		directory.Client{ID: "machine", SecretHash: directorytest.Hash})
	s := newSite(t)
	s.mustLoad(usersOf("sqlite", path) + clientsOf("sqlite", path))

	want(t, "alice", s.app(s.enter("alice").access), "200")
	if a := s.app(s.enter("bob").access); a.body != "7 read" {
		t.Errorf("the app learns %q of bob", a.body)
	}
	want(t, "a wrong password", s.login("alice", "wrong"), "400 invalid_grant")
	want(t, "an unknown name", s.login("nobody", directorytest.Password), "400 invalid_grant")
	want(t, "another spelling", s.login("ALICE", directorytest.Password), "400 invalid_grant")
	want(t, "a user who is disabled", s.login("disabled", directorytest.Password), "400 invalid_grant")
	want(t, "a user without a password", s.login("no-password", directorytest.Password), "400 invalid_grant")
	want(t, "a client with a secret", s.login("alice", directorytest.Password, "client_id", "machine", "client_secret", directorytest.Password), "200")
	want(t, "a wrong secret", s.login("alice", directorytest.Password, "client_id", "machine", "client_secret", "wrong"), "400 invalid_client")
	want(t, "an unknown client", s.login("alice", directorytest.Password, "client_id", "other"), "400 invalid_client")

	want(t, "a row with a bad hash", s.login("broken", directorytest.Password), "503 temporarily_unavailable")
	s.logged("users sql sqlite", `\"broken\"`)
	keeps(t, "the log", s.log(), "$2a$04$cut", directorytest.Hash, directorytest.Password)
}

func TestSQLiteColumnThatIgnoresCase(t *testing.T) {
	path, db := newSQLite(t)
	insertUsers(t, db, alice)
	s := newSite(t)
	s.mustLoad(queriesOf("sqlite", path, byUsername+" COLLATE NOCASE", bySubject+" COLLATE NOCASE"))
	s.enter("alice")
	for _, name := range []string{"ALICE", "Alice"} {
		want(t, name, s.login(name, directorytest.Password), "400 invalid_grant")
	}
}

// With a query for all, what is wrong with a table is known when a config is loaded.
func TestSQLiteIsListed(t *testing.T) {
	path, db := newSQLite(t)
	insertUsers(t, db, alice, bob, directory.User{Username: "broken", PasswordHash: "$2a$04$cut"})
	run(t, db, `INSERT INTO people (login) VALUES ('no-password')`)
	s := newSite(t)
	s.mustLoad(usersOf("sqlite", path, "all `"+userColumns+"`"))
	s.logged("hashes that should be replaced", "users sql sqlite", `"count":2`)
	s.logged("users of a source are refused with 503", `"count":1`, `\"broken\"`)
	want(t, "a login", s.login("alice", directorytest.Password), "200")
	s.mustLoad(usersOf("sqlite", path, "all `SELECT * FROM people`"))
	s.logged("a source could not be listed to its end", "users sql sqlite", `all: column \"login\" is unknown`)
	want(t, "a login", s.login("alice", directorytest.Password), "200")
}

func TestSQLiteDuplicateRows(t *testing.T) {
	path, db := newSQLite(t)
	run(t, db, `CREATE TABLE twice (username text, password_hash text)`)
	for range 2 {
		run(t, db, `INSERT INTO twice VALUES ('alice', $1)`, directorytest.Hash)
	}
	s := newSite(t)
	query := `SELECT * FROM twice WHERE username = $1`
	s.mustLoad(queriesOf("sqlite", path, query, query))
	want(t, "a name that two rows have", s.login("alice", directorytest.Password), "503 temporarily_unavailable")
	s.logged("users sql sqlite: by_username: it returned several rows")
}

// A query that takes patterns tells no one what names there are.
func TestSQLitePatterns(t *testing.T) {
	path, db := newSQLite(t)
	insertUsers(t, db, alice, bob, directory.User{Username: "alina", PasswordHash: anotherHash})
	run(t, db, `INSERT INTO people (login, hash, claims) VALUES ('%', $1, NULL), ('broken', $1, '{cut')`, directorytest.Hash)
	insertClients(t, db, directory.Client{ID: "app", Public: true}, directory.Client{ID: "apq", Public: true})
	run(t, db, `INSERT INTO apps (id, public) VALUES ('bad', 'maybe')`)
	s := newSite(t)
	patterns := func(lines string) string {
		return strings.NewReplacer("login = $1", "login LIKE $1", "login) = $1", "login) LIKE $1", "id = $1", "id LIKE $1").Replace(lines)
	}
	s.mustLoad(patterns(usersOf("sqlite", path) + clientsOf("sqlite", path)))
	for _, name := range []string{"a%", "al%", "alic_", "b%", "broke_", "ALICE", "z%"} {
		want(t, name, s.login(name, directorytest.Password), "400 invalid_grant")
	}
	for _, id := range []string{"a%", "ap_", "%", "b%", "z%"} {
		want(t, "the client "+id, s.login("alice", directorytest.Password, "client_id", id), "400 invalid_client")
	}
	keeps(t, "the log", s.log(), "several rows", `"level":"error"`)
	s.enter("alice")
	want(t, "a name that is a pattern", s.login("%", directorytest.Password), "200")
	want(t, "a row that cannot be used", s.login("broken", directorytest.Password), "503 temporarily_unavailable")
	s.logged("users sql sqlite: by_username: column claims: it must be a JSON object")
}

// SQLite quotes what was typed, if the query makes it a part of the query's language.
func TestSQLiteQuotesNoNames(t *testing.T) {
	path, db := newSQLite(t)
	insertUsers(t, db, alice)
	s := newSite(t)
	// as long as nothing is asked for it is a path
	query := byUsername + ` OR $1 <> '' AND json_extract('{}', $1) IS NOT NULL`
	s.mustLoad(queriesOf("sqlite", path, query, query))
	want(t, "a name", s.login("typedsecret", directorytest.Password), "503 temporarily_unavailable")
	s.logged("users sql sqlite: by_username: SQLite refused the query (SQLite code 1)")
	keeps(t, "the log", s.log(), "typedsecret")
}

// A change counts for a login and a refresh at once, and for access tokens within
// max_age.
func TestSQLiteChangedPasswordIsCutOff(t *testing.T) {
	path, db := newSQLite(t)
	insertUsers(t, db, alice, bob)
	s := newSite(t)
	s.mustLoad(usersOf("sqlite", path))
	cutOff(t, s, db)
}

// cutOff changes the password of alice, who then asks for tokens, and disables bob, who
// only uses the one that he has.
func cutOff(t *testing.T, s *site, db *sql.DB) {
	a, b := s.enter("alice"), s.enter("bob")
	want(t, "alice before", s.app(a.access), "200")
	want(t, "bob before", s.app(b.access), "200")
	run(t, db, `UPDATE people SET hash = $1 WHERE login = 'alice'`, anotherHash)
	run(t, db, `UPDATE people SET disabled = true WHERE login = 'bob'`)
	want(t, "the old password", s.login("alice", directorytest.Password), "400 invalid_grant")
	want(t, "a session of before", s.refresh(a.fresh), "400 invalid_grant")
	for _, token := range []string{b.access, a.access} {
		becomes(t, "an access token of before", maxAge+time.Second, "401", func() answer { a := s.app(token); a.code = ""; return a })
	}
	want(t, "a session of a user who is disabled", s.refresh(b.fresh), "400 invalid_grant")
}

// A file that is not there refuses no config and is not made, and is found once it is
// there.
func TestSQLiteFileComesLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret-folder.db")
	s := newSite(t)
	s.mustLoad(usersOf("sqlite", path))
	s.logged("the database cannot be asked now", "users sql sqlite", "check its path")
	want(t, "a login before", s.login("alice", directorytest.Password), "503 temporarily_unavailable")
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file was made: %v", err)
	}
	db := openSQLite(t, path)
	run(t, db, schema)
	insertUsers(t, db, alice)
	becomes(t, "a login after", 2*time.Second, "200", func() answer { return s.login("alice", directorytest.Password) })
	keeps(t, "the log", strings.ReplaceAll(s.log(), `"dsn":`, ""), "secret-folder")
}

// Logins go on while a writer is at work.
func TestSQLiteIsWrittenToMeanwhile(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run(journal, func(t *testing.T) {
			path, db := newSQLite(t)
			run(t, db, "PRAGMA journal_mode="+journal)
			insertUsers(t, db, alice, bob)
			s := newSite(t)
			s.mustLoad(usersOf("sqlite", path))
			for i := range 20 {
				run(t, db, `UPDATE people SET scopes = $1 WHERE login = 'bob'`, strings.Repeat("x", i+1))
				if a := s.login("alice", directorytest.Password); a.status != http.StatusOK {
					t.Fatal(a)
				}
			}
		})
	}
}

// Another file at the path is found when connections are renewed.
func TestSQLiteFileIsReplaced(t *testing.T) {
	path, db := newSQLite(t)
	insertUsers(t, db, alice)
	other, otherDB := newSQLite(t)
	insertUsers(t, otherDB, bob)
	otherDB.Close()
	s := newSite(t)
	s.mustLoad(usersOf("sqlite", path, "max_lifetime 1s"))
	s.enter("alice")
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	becomes(t, "a user of the new file", 3*time.Second, "200", func() answer { return s.login("bob", directorytest.Password) })
	becomes(t, "a user of the old file", 3*time.Second, "400 invalid_grant", func() answer { return s.login("alice", directorytest.Password) })
}
