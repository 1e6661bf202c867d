package sql_test

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// The example does what it is for, with its own tables.
func TestPostgresExample(t *testing.T) {
	p, s := newPostgres(t), newSite(t)
	read := func(name string) string {
		text, err := os.ReadFile("example/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	db := p.db()
	run(t, db, read("schema.sql"))
	run(t, db, `CREATE ROLE caddy LOGIN PASSWORD 'least'; GRANT SELECT ON accounts TO caddy`)
	t.Setenv("DSN", "host=127.0.0.1 port="+strconv.Itoa(p.Port())+" user=caddy password=least dbname=postgres sslmode=disable")
	text := s.options() + strings.NewReplacer("8080", strconv.Itoa(s.port), "localhost", "127.0.0.1").Replace(read("Caddyfile"))
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range warnings {
		if !strings.Contains(warning.Message, "not formatted") { // the options were put before it
			t.Error(warning)
		}
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	login := func() answer { return s.login("demo@example.com", "demo-password", "client_id", "demo") }
	a := login()
	want(t, "a login", a, "200")
	var id string
	if err := db.QueryRow(`SELECT id FROM accounts`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if app := s.app(a.access); app.status != http.StatusOK || app.body != "hello "+id {
		t.Errorf("the app answers %s %q", app, app.body)
	}
	run(t, db, `UPDATE accounts SET locked_at = now()`)
	want(t, "a login of an account that is locked", login(), "400 invalid_grant")
	keeps(t, "the log", s.log(), "least")
}
