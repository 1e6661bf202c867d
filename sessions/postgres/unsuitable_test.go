package postgres_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

func TestSettingsThatLoseSessionsAreUnsuitable(t *testing.T) {
	s := sharedServer(t)
	for i, given := range []struct{ change, word string }{
		{`ALTER ROLE %s SET default_transaction_isolation = 'serializable'`, "default_transaction_isolation is serializable"},
		{`ALTER ROLE %s SET default_transaction_read_only = on`, "default_transaction_read_only"},
		{`ALTER TABLE caddy_grant_sessions SET UNLOGGED`, "UNLOGGED"},
		{`ALTER TABLE caddy_grant_epochs SET UNLOGGED`, "UNLOGGED"},
	} {
		url, db := s.database(t)
		nodes(t, url, 1)
		role := "unsuitable" + strconv.Itoa(i)
		run(t, db, `CREATE ROLE `+role+` SUPERUSER LOGIN PASSWORD 'x'`)
		run(t, db, strings.Replace(given.change, "%s", role, 1))
		engine := opened(t, postgres.Postgres{URL: strings.Replace(url, "grant:"+urlPassword, role+":x", 1)})
		_, err := engine.Epoch(t.Context())
		says(t, err, true, given.word)
	}
}

func TestAServerWithoutFsyncIsUnsuitable(t *testing.T) {
	s := newServer(t, "fsync=off")
	_, err := opened(t, postgres.Postgres{URL: s.url("postgres")}).Epoch(t.Context())
	says(t, err, true, "fsync is off")
}

// A role whose commits are not waited for, which is common where data matter less, has
// those of sessions waited for.
func TestCommitsAreWaitedForWhateverTheRoleHas(t *testing.T) {
	s := newServer(t, "synchronous_commit=off", "wal_writer_delay=10s", "wal_writer_flush_after=0")
	url, db := s.database(t)
	run(t, db, `ALTER ROLE "grant" SET synchronous_commit = off`)
	engines, epoch := nodes(t, url+"&synchronous_commit=off", 1)
	engine, id := engines[0], newID(epoch)
	flushed := func(name string, call func()) {
		t.Helper()
		call()
		if behind := value[int64](t, db, `SELECT (pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn())::bigint`); behind > 0 {
			t.Errorf("after %s %d bytes are not on the disk", name, behind)
		}
	}
	flushed("a first exchange", func() { swap(t, engine, id, 1, newAnswer()) })
	flushed("an exchange", func() { swap(t, engine, id, 2, newAnswer()) })
	flushed("the end", func() { revoke(t, engine, id) })
	flushed("the end of another", func() { revoke(t, engine, newID(epoch)) })
	run(t, db, `UPDATE caddy_grant_epochs SET swept = '2020-01-01'`)
	if behind := value[int64](t, db, `SELECT (pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn())::bigint`); behind == 0 {
		t.Error("a commit of another was waited for: the test tests nothing")
	}
}

// A standby would show an old generation, by which a good token looks stolen.
func TestAStandbyIsRefused(t *testing.T) {
	s := newServer(t)
	url, _ := s.database(t)
	engines, epoch := nodes(t, url, 1)
	id := newID(epoch)
	swap(t, engines[0], id, 1, newAnswer())
	standby := s.standby()
	toStandby := strings.Replace(url, strconv.Itoa(s.port), strconv.Itoa(standby.port), 1)
	engine := opened(t, postgres.Postgres{URL: toStandby})
	_, err := engine.Epoch(t.Context())
	says(t, err, true, "standby")
	for name, err := range failures(t, engine, id) {
		if err == nil || isState(err) {
			t.Errorf("%s of a standby: %v", name, err)
		}
	}

	// With both hosts in the URL the primary is found, also after a fail-over.
	both := strings.Replace(url, "127.0.0.1:"+strconv.Itoa(s.port),
		"127.0.0.1:"+strconv.Itoa(standby.port)+",127.0.0.1:"+strconv.Itoa(s.port), 1)
	engine = opened(t, postgres.Postgres{URL: both})
	if epochOf(t, engine) != epoch {
		t.Error("another epoch")
	}
	standby.caughtUp(s)
	s.kill()
	if _, err := engine.Epoch(t.Context()); err == nil {
		t.Error("an epoch without a primary")
	} else {
		says(t, err, false)
	}
	run(t, connect(t, standby.url("postgres")), `SELECT pg_promote()`)
	if state := loaded(t, engine, id); state.Generation != 1 {
		t.Errorf("after a fail-over: %+v", state)
	}
	swap(t, engine, id, 2, newAnswer())
}

// Behind a pooler the server can become a standby while the connection stays.
func TestAConnectionWhoseServerTakesNoWritesIsLeft(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	id := newID(epoch)
	run(t, db, `ALTER DATABASE `+value[string](t, db, `SELECT current_database()`)+` SET default_transaction_read_only = on`)
	reset := `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'caddy-grant' AND datname = current_database()`
	if _, err := db.Exec(t.Context(), reset); err != nil {
		t.Fatal(err)
	}
	for name, err := range failures(t, engines[0], id) {
		if err == nil || isState(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := engines[0].Epoch(t.Context())
	says(t, err, true)
}
