package postgres_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

const hidden = "hunter2secret"

// read takes the lines after "sessions" in a Caddyfile.
func read(lines string) (p postgres.Postgres, err error) {
	err = p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(lines))
	return p, err
}

func TestTheCaddyfileIsJSON(t *testing.T) {
	for lines, want := range map[string]string{
		"postgres {env.URL}": `{"url":"{env.URL}"}`,
		"postgres postgres://caddy@db/app {\npassword {file./run/secrets/db}\nschema grants\nmax_connections 20\ntimeout 1s\n}": `{"url":"postgres://caddy@db/app","password":"{file./run/secrets/db}","schema":"grants","max_connections":20,"timeout":1000000000}`,
	} {
		p, err := read(lines)
		if err != nil {
			t.Errorf("%s: %v", lines, err)
		}
		if text, _ := json.Marshal(p); string(text) != want {
			t.Errorf("%s\n%s\nwant\n%s", lines, text, want)
		}
	}
}

func TestErrorsOfTheCaddyfileSayWhatToWrite(t *testing.T) {
	for lines, says := range map[string]string{
		"postgres":                                  "takes one URL",
		"postgres postgres://a@b/c " + hidden:       "takes one URL",
		"postgres postgres://a@b/c {\npasword x\n}": "unrecognized subdirective pasword: those of sessions postgres are password, schema, max_connections and timeout",
		"postgres postgres://a@b/c {\npostgres://a:" + hidden + "@b/c\n}":           "unrecognized subdirective",
		"postgres postgres://a@b/c {\npassword\n}":                                  "password takes one argument",
		"postgres postgres://a@b/c {\npassword a " + hidden + "\n}":                 "password takes one argument",
		"postgres postgres://a@b/c {\nschema a\nschema a\n}":                        "duplicate schema",
		"postgres postgres://a@b/c {\nmax_connections many\n}":                      "max_connections takes a whole number from 1 to 1000",
		"postgres postgres://a@b/c {\nmax_connections 0\n}":                         "max_connections takes a whole number from 1 to 1000",
		"postgres postgres://a@b/c {\nmax_connections postgres://" + hidden + "\n}": "max_connections takes a whole number from 1 to 1000",
		"postgres postgres://a@b/c {\ntimeout soon\n}":                              "timeout takes a duration from 100ms to 30s",
		"postgres postgres://a@b/c {\ntimeout 31s\n}":                               "timeout takes a duration from 100ms to 30s",
	} {
		_, err := read(lines)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s\n%v; want %q", lines, err, says)
		}
	}
}

// What only a start can tell. None of it holds anything of a URL or a password.
func TestErrorsOfSettingsShowNoSecret(t *testing.T) {
	t.Setenv("EMPTY", "")
	for _, given := range []struct {
		settings postgres.Postgres
		says     string
	}{
		{postgres.Postgres{}, "url: it is missing"},
		{postgres.Postgres{URL: "{env.CADDY_GRANT_UNSET}"}, "({env.CADDY_GRANT_UNSET})"},
		{postgres.Postgres{URL: "{env.EMPTY}"}, "({env.EMPTY})"},
		{postgres.Postgres{URL: "postgres://a:{" + hidden + "}@b/c"}, "url: a placeholder in it is unknown"},
		{postgres.Postgres{URL: "postgres://a@b/c", Password: "{env.CADDY_GRANT_UNSET}"}, "password: a placeholder"},
		{postgres.Postgres{URL: "host=b password=" + hidden}, "url: it does not begin with postgres://"},
		{postgres.Postgres{URL: "postgres://a:" + hidden + "@b:port/c"}, "url: it is not a URL of PostgreSQL"},
		{postgres.Postgres{URL: "postgres://a:" + hidden + "%@b/c"}, "url: it is not a URL of PostgreSQL"},
		{postgres.Postgres{URL: "postgres://a:" + hidden + "@b/c?sslmode=" + hidden}, "url: it is not a URL of PostgreSQL"},
		{postgres.Postgres{URL: "postgres://a:" + hidden + "@b/c?sslrootcert=/" + hidden}, "a file that it names cannot be read"},
		{postgres.Postgres{URL: "postgres://a:" + hidden + "@b/c?target_session_attrs=standby"}, "url: sessions are read from the primary only"},
		{postgres.Postgres{URL: "postgres://a:" + hidden + "@b/c?target_session_attrs=prefer-standby"}, "primary only"},
		{postgres.Postgres{URL: "postgres://a@b/c", Schema: `x"; DROP`}, "schema: a name has"},
		{postgres.Postgres{URL: "postgres://a@b/c", Schema: strings.Repeat("a", 64)}, "schema: a name has"},
		{postgres.Postgres{URL: "postgres://a@b/c", MaxConnections: 1001}, "max_connections 1001: it must be between 1 and 1000"},
		{postgres.Postgres{URL: "postgres://a@b/c", MaxConnections: -1}, "max_connections -1"},
		{postgres.Postgres{URL: "postgres://a@b/c", Timeout: 1}, "timeout 1ns: it must be between 100ms and 30s"},
	} {
		err := given.settings.Provision(caddy.Context{})
		if err == nil || !strings.HasPrefix(err.Error(), "sessions postgres: ") || !strings.Contains(err.Error(), given.says) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%v; want %q", err, given.says)
		}
	}
}

// `caddy validate` opens engines too, and a database that is down keeps no Caddy from
// starting.
func TestAnEngineIsOpenedWithoutADatabase(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	secret := t.TempDir() + "/password"
	if err := os.WriteFile(secret, []byte(hidden+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DATABASE_URL", "postgres://caddy@127.0.0.1:1/app?sslmode=disable")
	engine := openedAs(t, "main", postgres.Postgres{URL: "{env.DATABASE_URL}", Password: "{file." + secret + "}", Timeout: caddy.Duration(time.Second)}, zap.New(core))
	_, err := engine.Epoch(t.Context())
	says(t, err, false, "sessions postgres: cannot connect to PostgreSQL", "connection refused")
	for name, err := range failures(t, engine, newID("0123456789abcdef")) {
		if err == nil || isState(err) || strings.Contains(err.Error(), hidden) || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, entry := range logs.All() {
		t.Errorf("logged: %v", entry)
	}
}

func TestTheModuleIsRegistered(t *testing.T) {
	info, err := caddy.GetModule("grant.sessions.postgres")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := info.New().(*postgres.Postgres); !ok {
		t.Errorf("%T", info.New())
	}
}

// What PostgreSQL refuses is said in words of ours.
func TestErrorsOfPostgresAreToldWithoutSecrets(t *testing.T) {
	s := sharedServer(t)
	url, db := s.database(t)
	_, epoch := nodes(t, url, 1)
	for _, given := range []struct{ from, to, says string }{
		{urlPassword, hidden, "refused to let Caddy in"},
		{"/" + value[string](t, db, `SELECT current_database()`), "/" + hidden, "no such database"},
		{"127.0.0.1", "caddy-grant.invalid", "the host of the url has no address"},
		{"sslmode=disable", "sslmode=verify-full", "cannot connect"},
	} {
		engine := opened(t, postgres.Postgres{URL: strings.Replace(url, given.from, given.to, 1)})
		_, err := engine.Epoch(t.Context())
		says(t, err, false, given.says)
		for name, err := range failures(t, engine, newID(epoch)) {
			if err == nil || isState(err) || strings.Contains(err.Error(), hidden) || strings.Contains(err.Error(), plainPassword) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	right := opened(t, postgres.Postgres{URL: strings.Replace(url, urlPassword, hidden, 1), Password: plainPassword})
	epochOf(t, right)

	// A lock that another holds is waited for no longer than the timeout.
	engine := opened(t, postgres.Postgres{URL: url, Timeout: caddy.Duration(300 * time.Millisecond)})
	id := newID(epoch)
	swap(t, right, id, 1, newAnswer())
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), `SELECT FROM caddy_grant_sessions FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	if state, err := engine.Swap(t.Context(), id, 2, newAnswer()); err == nil || isState(err) {
		t.Errorf("a swap whose row is locked: %+v, %v", state, err)
	}
	if n := value[int](t, db, `SELECT count(*) FROM caddy_grant_sessions WHERE generation > 1`); n != 0 {
		t.Error("it was made")
	}
}
