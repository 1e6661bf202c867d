package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

func TestAClockThatWentBackLengthensNoGrace(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine, id := engines[0], newID(epoch)
	swap(t, engine, id, 1, newAnswer())
	run(t, db, `UPDATE caddy_grant_sessions SET exchanged_at = exchanged_at + interval '1 hour'`)
	if state := loaded(t, engine, id); state.Age < 59*time.Minute {
		t.Errorf("%+v", state)
	}
}

// A clock of the server that was ahead while it was swept ends no session for good.
func TestADayIsSweptOnceItIsOverByTheClockOfTheNodeToo(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	id, answer := newID(epoch), newAnswer()
	swap(t, engines[0], id, 1, answer)
	name := pgx.Identifier{value[string](t, db, `SELECT current_database()`)}.Sanitize()
	clockAhead(t, db, name)
	wrong := opened(t, postgres.Postgres{URL: url, MaxConnections: 2})
	if state := loaded(t, wrong, id); !state.Over {
		t.Fatalf("by a clock that is ahead: %+v", state)
	}
	if _, err := wrong.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What is revoked meanwhile is, with a record and without one.
	used, unused := newID(epoch), newID(epoch)
	swap(t, engines[0], used, 1, newAnswer())
	revoke(t, wrong, used, unused, used)
	run(t, db, `ALTER DATABASE `+name+` RESET search_path`)
	right := opened(t, postgres.Postgres{URL: url, MaxConnections: 3})
	if state := loaded(t, right, id); !wonAs(state, 1, answer) {
		t.Errorf("once it is right: %+v", state)
	}
	for _, id := range []sessions.ID{used, unused} {
		if state := swap(t, right, id, 1, newAnswer()); !state.Revoked {
			t.Errorf("revoked by a clock that was ahead: %+v", state)
		}
	}
	if ids, _ := follow(t, right, ""); len(ids) != 2 {
		t.Errorf("the feed has %v", ids)
	}
}

// Nothing is written of a session that was swept, and what is written of one that is over
// goes with the next sweep.
func TestTheEndOfASessionThatIsOverLeavesNothingBehind(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine := engines[0]
	count := func() int {
		return value[int](t, db, `SELECT (SELECT count(*) FROM caddy_grant_sessions) + (SELECT count(*) FROM caddy_grant_revocations)`)
	}
	old, newest := sessions.NewID(time.Now().AddDate(0, 0, -40), epoch), newID(epoch)
	revoke(t, engine, old, newest)
	if n := count(); n != 4 {
		t.Errorf("%d rows", n)
	}
	for range 2 {
		if state := loaded(t, engine, old); !state.Over {
			t.Errorf("%+v", state)
		}
		if _, err := engine.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != 2 {
			t.Errorf("%d rows after a sweep", n)
		}
		revoke(t, engine, old)
	}
}

// clockAhead has the clock of a database be 100 days ahead for new connections.
func clockAhead(t *testing.T, db *pgxpool.Pool, name string) {
	t.Helper()
	run(t, db, `CREATE SCHEMA ahead`)
	run(t, db, `CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
		$$ SELECT pg_catalog.clock_timestamp() + interval '100 days' $$`)
	run(t, db, `ALTER DATABASE `+name+` SET search_path = public, ahead, pg_catalog`)
}
