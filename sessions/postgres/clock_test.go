package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

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
	run(t, db, `CREATE SCHEMA ahead`)
	run(t, db, `CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
		$$ SELECT pg_catalog.clock_timestamp() + interval '100 days' $$`)
	run(t, db, `ALTER DATABASE `+name+` SET search_path = public, ahead, pg_catalog`)
	wrong := opened(t, postgres.Postgres{URL: url, MaxConnections: 2})
	if state := loaded(t, wrong, id); !state.Over {
		t.Fatalf("by a clock that is ahead: %+v", state)
	}
	if _, err := wrong.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, db, `ALTER DATABASE `+name+` RESET search_path`)
	right := opened(t, postgres.Postgres{URL: url, MaxConnections: 3})
	if state := loaded(t, right, id); !wonAs(state, 1, answer) {
		t.Errorf("once it is right: %+v", state)
	}
}
