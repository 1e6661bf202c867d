package sql_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

const block = "users sql {\ndriver sqlite\ndsn /users.db\nby_username `SELECT $1`\nby_subject `SELECT $1`\n"

// What is wrong with a config is said with the line, and with what to write.
func TestCaddyfileErrors(t *testing.T) {
	s := newSite(t)
	for lines, says := range map[string]string{
		"users sql /users.db":                                       "sql takes a block with driver, dsn and queries, and no argument",
		block + "tiemout 3s\n}":                                     "unrecognized subdirective tiemout: those of sql are driver, dsn, all, by_subject, by_username, query_timeout",
		block + "driver sqlite\n}":                                  "duplicate driver",
		block + "query_timeout\n}":                                  "query_timeout takes one argument",
		block + "query_timeout soon\n}":                             "query_timeout takes a duration such as 3s",
		block + "max_connections many\n}":                           "max_connections takes a whole number from 1 to 100",
		strings.Replace(block, "`SELECT $1`", "SELECT $1", 1) + "}": "by_username takes one argument: put a query in double quotes or backticks",
		"users sqlite {\n}":                                         "users",
		strings.Replace(clientsOf("sqlite", "/x.db"), "by_id", "by_username", 1): "unrecognized subdirective by_username: those of sql are driver, dsn, all, by_id, query_timeout",
	} {
		_, err := s.adapt(lines)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s\n%v; want %q and the line", lines, err, says)
		}
	}
}

// A DSN in the wrong place is not shown, whatever is said of that place.
func TestMisplacedDSNIsKept(t *testing.T) {
	s := newSite(t)
	const url, words = "postgres://app:hunter2secret@127.0.0.1/x", "host=127.0.0.1 password=hunter2secret"
	for lines, says := range map[string]string{
		usersOf(url, "/users.db"):                           "users sql: driver: write pgx for PostgreSQL, or sqlite",
		usersOf("`"+words+"`", "/users.db"):                 "users sql: driver: write pgx for PostgreSQL, or sqlite",
		usersOf(words, "/users.db"):                         "driver takes one argument",
		"users sql " + url:                                  "sql takes a block",
		block + url + "\n}":                                 "unrecognized subdirective: those of sql are driver, dsn",
		block + url + " x\n}":                               "unrecognized subdirective: those of sql are driver, dsn",
		block + url + " x y\n}":                             "unrecognized subdirective: those of sql are driver, dsn",
		block + words + "\n}":                               "unrecognized subdirective: those of sql are driver, dsn",
		block + "password=hunter2secret\n}":                 "unrecognized subdirective: those of sql are driver, dsn",
		block + "max_connections " + url + "\n}":            "max_connections takes a whole number",
		block + "query_timeout " + url + "\n}":              "query_timeout takes a duration",
		queriesOf("sqlite", "/users.db", url, url):          "by_username: it has no parameter",
		strings.Replace(block, "/users.db", words, 1) + "}": "dsn takes one argument",
	} {
		err := s.load(lines)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s\n%v; want %q", lines, err, says)
			continue
		}
		keeps(t, lines, err.Error(), "hunter2secret")
	}
}

// What only a start can tell.
func TestConfigErrors(t *testing.T) {
	path, db := newSQLite(t)
	insertUsers(t, db, alice)
	s := newSite(t)
	from := func(columns string) string {
		query := "SELECT " + columns + " FROM people WHERE login = $1"
		return queriesOf("sqlite", path, query, query)
	}
	for lines, says := range map[string]string{
		"users sql":               `users sql: by_username: it is missing`,
		usersOf("postgres", path): `users sql: driver "postgres": write pgx for PostgreSQL, or sqlite`,
		usersOf("sqlite", ""):     `users sql: dsn: it is missing: write "dsn {env.DSN}"`,
		usersOf("sqlite", "{env.CADDY_GRANT_TEST_UNSET}"):                                                "({env.CADDY_GRANT_TEST_UNSET})",
		usersOf("sqlite", path, "all `"+byUsername+"`"):                                                  "all: it is for all and has no parameter",
		usersOf("sqlite", path, "query_timeout 6s"):                                                      "query_timeout 6s: it must be between 10ms and 5s",
		usersOf("sqlite", path, "max_connections 101"):                                                   "max_connections 101: it must be between 1 and 100",
		queriesOf("sqlite", path, "SELECT 1", bySubject):                                                 "by_username: it has no parameter: write WHERE username = $1",
		queriesOf("sqlite", path, byUsername, "SELECT $1, $2"):                                           "by_subject: the only parameter is $1",
		queriesOf("sqlite", path, "SELEKT $1", bySubject):                                                `by_username: SQLite refused the query`,
		queriesOf("sqlite", path, byUsername, "SELECT $1 FROM usr"):                                      "by_subject: SQLite refused the query: SQL logic error: no such table: usr",
		from("login AS username, hash AS password_hash, disabled AS disbled"):                            `by_username: column "disbled" is unknown`,
		from("login, hash AS password_hash"):                                                             `rename`,
		from("login AS username"):                                                                        "column password_hash is missing: select it, or rename one with AS password_hash",
		from("login AS username, id AS username, hash AS password_hash"):                                 "duplicate column username",
		from("login AS username, hash AS password_hash, id AS credential_version"):                       "tokens end when password_hash changes",
		usersOf("sqlite", path) + strings.Replace(clientsOf("sqlite", path), "*", "*, 'x' AS secret", 1): "clients sql: by_id: column secret: secrets in plaintext are not accepted from a database",
	} {
		err := s.load(lines)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s\n%v; want %q", lines, err, says)
		}
	}
	s.mustLoad(usersOf("sqlite", path))
	if err := s.load(from("login AS username")); err == nil {
		t.Error("a config with a mistake was loaded")
	}
	want(t, "a login after a reload that failed", s.login("alice", "correct horse"), "200")
}

// The Caddyfile and JSON say the same, and placeholders stay what they are until the
// start.
func TestCaddyfileIsJSON(t *testing.T) {
	s := newSite(t)
	config, err := s.adapt(usersOf("pgx", "{env.DSN}", "query_timeout 1s", "max_connections 4", "idle_timeout 1m", "max_lifetime 10m") + clientsOf("sqlite", "/apps.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []map[string]any{
		{
			"source": "sql", "driver": "pgx", "dsn": "{env.DSN}", "by_username": byUsername, "by_subject": bySubject,
			"query_timeout": 1000000000, "max_connections": 4, "idle_timeout": 60000000000, "max_lifetime": 600000000000,
		},
		{"source": "sql", "driver": "sqlite", "dsn": "/apps.db", "by_id": byID},
	} {
		part, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if !holds(t, config, part) {
			t.Errorf("%s is not in\n%s", part, config)
		}
	}
}

// holds tells whether an object is somewhere in a config.
func holds(t *testing.T, config, part []byte) bool {
	t.Helper()
	var whole, wanted any
	if json.Unmarshal(config, &whole) != nil || json.Unmarshal(part, &wanted) != nil {
		t.Fatal("not JSON")
	}
	text, _ := json.Marshal(wanted)
	var within func(any) bool
	within = func(value any) bool {
		if own, _ := json.Marshal(value); string(own) == string(text) {
			return true
		}
		switch v := value.(type) {
		case map[string]any:
			for _, member := range v {
				if within(member) {
					return true
				}
			}
		case []any:
			for _, entry := range v {
				if within(entry) {
					return true
				}
			}
		}
		return false
	}
	return within(whole)
}

// `caddy validate` needs no database.
func TestValidateWithoutADatabase(t *testing.T) {
	s := newSite(t)
	config, err := s.adapt(usersOf("pgx", "host=127.0.0.1 port=1 connect_timeout=1"))
	if err != nil {
		t.Fatal(err)
	}
	var parsed caddy.Config
	if err := caddy.StrictUnmarshalJSON(config, &parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&parsed); err != nil {
		t.Fatal(err)
	}
}
