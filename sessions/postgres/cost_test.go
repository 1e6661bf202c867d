package postgres_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// An exchange is one transaction at most, a first one and one that loses too, and so is a
// poll of the feed that finds nothing.
func TestACallIsOneTransactionAtMost(t *testing.T) {
	url, db := sharedServer(t).database(t)
	committed := func() int {
		return value[int](t, db, `SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`)
	}
	const clients, exchanges = 4, 250
	engine := opened(t, postgres.Postgres{URL: url})
	epoch := epochOf(t, engine)
	before := committed()
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			id, cursor := newID(epoch), ""
			for next := uint64(1); next <= exchanges; next++ {
				if _, err := engine.Swap(t.Context(), id, next, newAnswer()); err != nil {
					t.Error(err)
				}
				if _, err := engine.Swap(t.Context(), id, next, newAnswer()); err != nil {
					t.Error(err)
				}
				var err error
				if _, cursor, _, err = engine.Revoked(t.Context(), cursor); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := engine.Close(); err != nil { // a process tells what it did when it ends
		t.Fatal(err)
	}
	const calls = clients * exchanges * 3
	n := 0
	for range 400 {
		if n = committed() - before; n >= calls/3 { // the polls, which share none
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	// and a few for each connection, for what it prepares, and for this test
	if n > calls+calls/10 {
		t.Errorf("%d transactions for %d calls", n, calls)
	}
	t.Logf("%d transactions for %d calls", n, calls)

	// An exchange that wins and is not the first updates a row, and no index.
	const updates = clients * (exchanges - 1)
	var all, onTheirPage int
	for range 400 {
		if err := db.QueryRow(t.Context(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'caddy_grant_sessions'`).Scan(&all, &onTheirPage); err != nil {
			t.Fatal(err)
		}
		if all >= updates {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	if all != updates || onTheirPage < updates*95/100 {
		t.Errorf("%d of %d updates changed no index, want those of %d exchanges", onTheirPage, all, updates)
	}
}

// A connection keeps the plan that it made when the table was new, while the table grows.
func TestSharedSwapsScanNoTableThatWasNew(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engine := opened(t, postgres.Postgres{URL: url})
	epochOf(t, engine)
	for _, rows := range []int{0, 500} {
		run(t, db, `INSERT INTO caddy_grant_sessions (epoch, generation, exchanged_at, answer, day, revoked, random)
			SELECT 5, 1, now(), gen_random_uuid(), current_date, false, sha224(n::text::bytea) FROM generate_series(1, $1) n`, rows)
		conn, err := db.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{
			`SET plan_cache_mode = force_generic_plan`,
			`PREPARE shared (text, bigint[], date[], bytea[], timestamptz[], uuid[], bigint[]) AS ` + postgres.SharedSwaps(engine),
		} {
			if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatal(err)
			}
		}
		plan, err := conn.Query(t.Context(), `EXPLAIN EXECUTE shared ('main', '{5}', '{2026-01-01}', '{\\x00}', '{2026-01-01}', '{00000000-0000-0000-0000-000000000000}', '{2}')`, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(plan, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(lines, "\n")
		if strings.Contains(text, "Seq Scan on caddy_grant_sessions") || strings.Count(text, " on caddy_grant_sessions") != 4 {
			t.Errorf("with %d rows:\n%s", rows, text)
		}
		if _, err := conn.Exec(t.Context(), `DISCARD ALL`, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
		conn.Release()
	}
}
