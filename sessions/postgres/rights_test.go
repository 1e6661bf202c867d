package postgres_test

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// needed are the rights of the role, and what to do without each.
var needed = []string{
	"USAGE ON SCHEMA grants", "SELECT ON grants.caddy_grant_migrations",
	"SELECT ON grants.caddy_grant_epochs", "INSERT ON grants.caddy_grant_epochs", "UPDATE ON grants.caddy_grant_epochs", "DELETE ON grants.caddy_grant_epochs",
	"SELECT ON grants.caddy_grant_sessions", "INSERT ON grants.caddy_grant_sessions", "UPDATE ON grants.caddy_grant_sessions", "DELETE ON grants.caddy_grant_sessions",
	"SELECT ON grants.caddy_grant_revocations", "INSERT ON grants.caddy_grant_revocations", "UPDATE ON grants.caddy_grant_revocations", "DELETE ON grants.caddy_grant_revocations",
}

// A node that is opened without one of the rights says which statement gives it, and so
// does one that runs. The statement is enough.
func TestEachRightThatIsMissingIsNamed(t *testing.T) {
	url, db := sharedServer(t).database(t)
	run(t, db, `CREATE ROLE lacking LOGIN PASSWORD 'least'`)
	own := postgres.Postgres{URL: strings.Replace(url, "grant:"+urlPassword, "lacking:least", 1), Schema: "grants"}
	epochOf(t, opened(t, postgres.Postgres{URL: url, Schema: "grants"}))
	simple(t, url, strings.ReplaceAll(readme(t, "GRANT USAGE"), "caddy;", "lacking;"))
	running := opened(t, own)
	epochOf(t, running)
	for _, right := range needed {
		run(t, db, `REVOKE `+right+` FROM lacking`)
		statement := `GRANT ` + right + ` TO lacking;`
		_, err := running.Epoch(t.Context())
		says(t, err, true, statement)
		engine := opened(t, own)
		_, err = engine.Epoch(t.Context())
		says(t, err, true, statement)
		run(t, db, statement)
		epochOf(t, engine)
	}
	// All at once, though no table is seen without the schema.
	run(t, db, `REVOKE USAGE ON SCHEMA grants FROM lacking`)
	run(t, db, `REVOKE ALL ON grants.caddy_grant_sessions FROM lacking`)
	_, err := opened(t, own).Epoch(t.Context())
	says(t, err, true, "execute GRANT USAGE ON SCHEMA grants TO lacking; GRANT SELECT, INSERT, UPDATE, DELETE ON grants.caddy_grant_sessions TO lacking;")
}

func TestARightIsNamedWithoutASchemaToo(t *testing.T) {
	url, db := sharedServer(t).database(t)
	nodes(t, url, 1)
	run(t, db, `CREATE ROLE "Lacking too" LOGIN PASSWORD 'least'`)
	_, err := opened(t, postgres.Postgres{URL: strings.Replace(url, "grant:"+urlPassword, "Lacking%20too:least", 1)}).Epoch(t.Context())
	says(t, err, true, `GRANT SELECT ON caddy_grant_migrations TO "Lacking too";`)
}

func TestARoleWithoutASchemaIsUnsuitable(t *testing.T) {
	url, db := sharedServer(t).database(t)
	run(t, db, `CREATE ROLE homeless SUPERUSER LOGIN PASSWORD 'least'`)
	run(t, db, `ALTER ROLE homeless SET search_path = nowhere`)
	_, err := opened(t, postgres.Postgres{URL: strings.Replace(url, "grant:"+urlPassword, "homeless:least", 1)}).Epoch(t.Context())
	says(t, err, true, "search_path", "schema <name>")
}

// Each table that is lost while a node runs is missed, and what the error says to do
// makes all of them again, with another epoch.
func TestWhatIsSaidOfALostTableMakesItAgain(t *testing.T) {
	for _, table := range []string{"migrations", "epochs", "sessions", "revocations"} {
		url, db := sharedServer(t).database(t)
		engines, epoch := nodes(t, url, 1)
		id := newID(epoch)
		swap(t, engines[0], id, 1, newAnswer())
		run(t, db, `DROP TABLE caddy_grant_`+table)
		const remedy = "DROP TABLE IF EXISTS caddy_grant_migrations, caddy_grant_epochs, caddy_grant_sessions, caddy_grant_revocations"
		_, err := engines[0].Epoch(t.Context())
		says(t, err, false, remedy, "caddy reload --force")
		for name, err := range failures(t, engines[0], id) {
			uses := table == "epochs" || table == "sessions" && name != "Revoked" || table == "revocations" && strings.HasPrefix(name, "Revoke")
			switch {
			case uses:
				says(t, err, false, remedy, "caddy reload --force")
			case err != nil:
				t.Errorf("without %s: %s: %v", table, name, err)
			}
		}
		again := opened(t, postgres.Postgres{URL: url, MaxConnections: 4})
		_, err = again.Epoch(t.Context())
		says(t, err, true, remedy)
		run(t, db, remedy)
		again = opened(t, postgres.Postgres{URL: url, MaxConnections: 4})
		next := epochOf(t, again)
		if next == epoch || epochOf(t, engines[0]) != next {
			t.Errorf("without %s: the epoch was %s, and is %s", table, epoch, next)
		}
		for name, err := range failures(t, again, id) {
			if name != "Revoked" && !isState(err) {
				t.Errorf("a session of before: %s: %v", name, err)
			}
		}
		swap(t, again, newID(next), 1, newAnswer())
	}
}
