package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

func TestNodesThatStartAtOnceAgreeOnTablesAndEpoch(t *testing.T) {
	url, db := sharedServer(t).database(t)
	var nodes sync.WaitGroup
	epochs := make([]string, 24)
	for i := range 8 {
		engine := opened(t, postgres.Postgres{URL: url, Schema: "grants", MaxConnections: 3 + i})
		for j := range 3 { // calls of one node too
			nodes.Go(func() {
				var err error
				if epochs[3*i+j], err = engine.Epoch(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	nodes.Wait()
	for _, epoch := range epochs {
		if epoch != epochs[0] || !sessions.IsEpoch(epoch) {
			t.Errorf("epochs %v", epochs)
		}
	}
	if n := value[int](t, db, `SELECT count(*) FROM grants.caddy_grant_migrations`); n != 1 {
		t.Errorf("%d migrations", n)
	}
}

// A lost epoch is not replaced by the node that knew it, since its records may be lost
// too.
// Servers of one Caddy share a pool, whose connections have looked for the tables before.
func TestServersThatStartAtOnceAgreeOnTables(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	for round := range 10 {
		var engines [8]sessions.Engine
		for i := range engines {
			settings := postgres.Postgres{URL: url, Schema: fmt.Sprintf("round_%d", round)}
			engines[i] = openedAs(t, fmt.Sprintf("server-%d", i), settings, zap.NewNop())
		}
		var all sync.WaitGroup
		for _, engine := range engines {
			all.Go(func() {
				if _, err := engine.Epoch(t.Context()); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		all.Wait()
	}
}

func TestAnEpochThatIsLostIsAnErrorUntilTheEngineIsOpenedAgain(t *testing.T) {
	for _, loss := range []string{
		`DELETE FROM caddy_grant_epochs`,
		`TRUNCATE caddy_grant_epochs, caddy_grant_sessions, caddy_grant_revocations`,
		`DROP TABLE caddy_grant_epochs, caddy_grant_sessions, caddy_grant_revocations, caddy_grant_migrations`,
	} {
		url, db := sharedServer(t).database(t)
		engines, epoch := nodes(t, url, 2)
		id := newID(epoch)
		swap(t, engines[0], id, 1, newAnswer())
		run(t, db, loss)
		if epoch, err := engines[0].Epoch(t.Context()); err == nil || errors.Is(err, sessions.ErrUnsuitable) {
			t.Errorf("%s: epoch %s, %v", loss, epoch, err)
		}
		for name, err := range failures(t, engines[0], id) {
			if err == nil || isState(err) {
				t.Errorf("%s: %s: %v", loss, name, err)
			}
		}
		again := opened(t, postgres.Postgres{URL: url, MaxConnections: 3})
		next := epochOf(t, again)
		if next == epoch {
			t.Errorf("%s: the epoch is the same", loss)
		}
		if now := epochOf(t, engines[0]); now != next {
			t.Errorf("%s: the node that knew another epoch has %s, want %s", loss, now, next)
		}
		for name, err := range failures(t, engines[1], id) {
			if name == "Revoked" {
				continue
			}
			if !errors.Is(err, sessions.ErrOtherEpoch) {
				t.Errorf("%s: a session of before: %s: %v", loss, name, err)
			}
		}
	}
}

// failures are the errors of all calls about a session.
func failures(t *testing.T, engine sessions.Engine, id sessions.ID) map[string]error {
	_, load := engine.Load(t.Context(), id)
	_, first := engine.Swap(t.Context(), id, 1, newAnswer())
	_, later := engine.Swap(t.Context(), id, 2, newAnswer())
	_, _, _, feed := engine.Revoked(t.Context(), "")
	return map[string]error{"Load": load, "first Swap": first, "later Swap": later, "Revoke": engine.Revoke(t.Context(), id), "Revoked": feed}
}

// isState tells whether an error says something for certain.
func isState(err error) bool {
	return errors.Is(err, sessions.ErrOtherEpoch) || errors.Is(err, sessions.ErrDamaged) || errors.Is(err, sessions.ErrCursor)
}

func TestAReplacedEpochEndsTheSessionsOfBefore(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine, id := engines[0], newID(epoch)
	swap(t, engine, id, 1, newAnswer())
	revoke(t, engine, newID(epoch))
	_, cursor := follow(t, engine, "")
	run(t, db, strings.ReplaceAll(readme(t, "UPDATE grants.caddy_grant_epochs"), "grants.", ""))
	next := epochOf(t, engine)
	if next == epoch {
		t.Fatal("the epoch is the same")
	}
	for name, err := range failures(t, engine, id) {
		if name != "Revoked" && !errors.Is(err, sessions.ErrOtherEpoch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := engine.Revoked(t.Context(), cursor); !errors.Is(err, sessions.ErrCursor) {
		t.Errorf("a cursor of before: %v", err)
	}
	same := sessions.ID{Day: id.Day, Random: id.Random, Epoch: next}
	if state := loaded(t, engine, same); state != (sessions.State{}) {
		t.Errorf("a session of the new epoch: %+v", state)
	}
	if ids, _ := follow(t, engine, ""); len(ids) != 0 {
		t.Errorf("the new feed has %v", ids)
	}
	revoke(t, engine, same)
	if ids, _ := follow(t, engine, ""); len(ids) != 1 || ids[0] != same {
		t.Errorf("the new feed has %v", ids)
	}
}

func TestTablesOfANewerVersionAreUnsuitable(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, _ := nodes(t, url, 1)
	run(t, db, `INSERT INTO caddy_grant_migrations (number) VALUES (7)`)
	for _, engine := range []sessions.Engine{engines[0], opened(t, postgres.Postgres{URL: url, MaxConnections: 3})} {
		_, err := engine.Epoch(t.Context())
		says(t, err, true, "newer version", "7", "update")
	}
}

// says checks an error of Epoch.
func says(t *testing.T, err error, unsuitable bool, words ...string) {
	t.Helper()
	if err == nil || errors.Is(err, sessions.ErrUnsuitable) != unsuitable {
		t.Errorf("%v; want it to be unsuitable: %v", err, unsuitable)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	if strings.Contains(err.Error(), plainPassword) || strings.Contains(err.Error(), urlPassword) {
		t.Errorf("%q has a password", err)
	}
}

// A role with no more rights than README gives it makes the tables, or uses those that
// were made for it.
func TestTheRightsOfReadmeAreEnough(t *testing.T) {
	s := sharedServer(t)
	for i, made := range []bool{true, false} {
		url, db := s.database(t)
		role := []string{"maker", "borrower"}[i]
		run(t, db, `CREATE ROLE `+role+` LOGIN PASSWORD 'least'`)
		own := strings.Replace(url, "grant:"+urlPassword, role+":least", 1)
		engine := opened(t, postgres.Postgres{URL: own, Schema: "grants"})
		_, err := engine.Epoch(t.Context())
		says(t, err, true, "may not make the tables", "permission denied")
		if made {
			run(t, db, strings.ReplaceAll(readme(t, "CREATE SCHEMA grants AUTHORIZATION"), "caddy", role))
		} else {
			run(t, db, `CREATE SCHEMA grants`)
			run(t, db, `GRANT USAGE ON SCHEMA grants TO `+role)
			_, err := engine.Epoch(t.Context())
			says(t, err, true, "may not make the tables", "permission denied")
			migration, err := os.ReadFile("migrations/0001_sessions.sql")
			if err != nil {
				t.Fatal(err)
			}
			simple(t, url, `SET search_path = grants; `+string(migration))
			_, err = engine.Epoch(t.Context())
			says(t, err, true, "GRANT SELECT ON grants.caddy_grant_migrations TO borrower;", "GRANT SELECT, INSERT, UPDATE, DELETE ON grants.caddy_grant_epochs TO borrower;")
			simple(t, url, strings.ReplaceAll(readme(t, "GRANT USAGE"), "caddy;", role+";"))
		}
		id := newID(epochOf(t, engine))
		swap(t, engine, id, 1, newAnswer())
		swap(t, engine, id, 2, newAnswer())
		revoke(t, engine, id)
		if ids, _ := follow(t, engine, ""); len(ids) != 1 {
			t.Errorf("the feed has %v", ids)
		}
		run(t, db, `UPDATE grants.caddy_grant_sessions SET day = '2020-01-01'`)
		run(t, db, `UPDATE grants.caddy_grant_revocations SET day = '2020-01-01'`)
		if _, err := engine.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
		if n := value[int](t, db, `SELECT count(*) FROM grants.caddy_grant_sessions`); n != 0 {
			t.Errorf("%d records are left", n)
		}
	}
}

// simple executes several statements.
func simple(t *testing.T, url, sql string) {
	t.Helper()
	db, err := pgxpool.New(t.Context(), url+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// readme returns the block of SQL in README that begins so.
func readme(t *testing.T, begins string) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(text), "```sql\n") {
		if block, _, _ = strings.Cut(block, "```"); strings.HasPrefix(block, begins) {
			return block
		}
	}
	t.Fatalf("README has no block that begins with %q", begins)
	return ""
}
