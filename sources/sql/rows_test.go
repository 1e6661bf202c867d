package sql_test

import (
	"database/sql"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
)

// The tables of these tests, in what both databases understand, and the queries for
// them.
const (
	schema = `
CREATE TABLE people (
	login text UNIQUE, hash text, id text UNIQUE, scopes text, claims text, disabled boolean
);
CREATE TABLE apps (
	id text PRIMARY KEY, secret_hash text, public boolean, scopes text, default_scopes text, grants text,
	audience text, introspect text, access_token_ttl text, refresh_token_ttl text, end_user_ip text,
	deprecation text, deprecation_link text, sunset text
);`

	userColumns = `SELECT login AS username, hash AS password_hash, id, scopes, claims, disabled FROM people`
	byUsername  = userColumns + ` WHERE login = $1`
	bySubject   = userColumns + ` WHERE COALESCE(id, login) = $1`
	byID        = `SELECT * FROM apps WHERE id = $1`
)

// usersOf are the lines of a Caddyfile for users, with whatever else is in the block.
func usersOf(driver, dsn string, more ...string) string {
	return queriesOf(driver, dsn, byUsername, bySubject, more...)
}

func queriesOf(driver, dsn, byUsername, bySubject string, more ...string) string {
	return "users sql {\ndriver " + driver + "\ndsn `" + dsn + "`\nby_username `" + byUsername + "`\nby_subject `" + bySubject + "`\n" +
		strings.Join(more, "\n") + "\n}\n"
}

func clientsOf(driver, dsn string) string {
	return "clients sql {\ndriver " + driver + "\ndsn `" + dsn + "`\nby_id `" + byID + "`\n}\n"
}

func run(t *testing.T, db *sql.DB, statement string, values ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, values...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func insertUsers(t *testing.T, db *sql.DB, users ...directory.User) {
	t.Helper()
	for _, u := range users {
		var claims any
		if u.Claims != nil {
			text, err := json.Marshal(u.Claims)
			if err != nil {
				t.Fatal(err)
			}
			claims = string(text)
		}
		var id any
		if u.ID != "" {
			id = u.ID
		}
		run(t, db, `INSERT INTO people VALUES ($1, $2, $3, $4, $5, $6)`, u.Username, u.PasswordHash, id, words(u.Scopes), claims, u.Disabled)
	}
}

func insertClients(t *testing.T, db *sql.DB, clients ...directory.Client) {
	t.Helper()
	orNull := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	ttl := func(d caddy.Duration) any {
		if d == 0 {
			return nil
		}
		return time.Duration(d).String()
	}
	for _, c := range clients {
		run(t, db, `INSERT INTO apps VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			c.ID, orNull(c.SecretHash), c.Public, words(c.Scopes), words(c.DefaultScopes), words(c.Grants), words(c.Audience), words(c.Introspect),
			ttl(c.AccessTokenTTL), ttl(c.RefreshTokenTTL), orNull(c.EndUserIP),
			orNull(c.Deprecation), orNull(c.DeprecationLink), orNull(c.Sunset))
	}
}

func words(list []string) any {
	if list == nil {
		return nil
	}
	return strings.Join(list, " ")
}
