package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/caddygrant/caddy-grant/sessions"
)

// Readers follow the feed while writers at two nodes write to it: once a Revoke has
// returned, the next reading to the end has it.
func TestAReaderMissesNothingThatManyWrite(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 3)
	var ended sync.Map // sessions whose Revoke returned
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for i := range 8 {
		writers.Go(func() {
			for range 150 {
				id := newID(epoch)
				if err := engines[i%2].Revoke(t.Context(), id); err != nil {
					t.Error(err)
				}
				ended.Store(id, true)
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			seen, cursor, last := make(map[sessions.ID]bool), "", false
			for !last {
				select {
				case <-stop:
					last = true
				default:
				}
				before := make(map[sessions.ID]bool)
				ended.Range(func(id, _ any) bool { before[id.(sessions.ID)] = true; return true })
				var ids []sessions.ID
				for more := true; more; {
					page, next, left, err := engines[2].Revoked(t.Context(), cursor)
					if err != nil {
						t.Error(err)
						return
					}
					ids, cursor, more = append(ids, page...), next, left
				}
				for _, id := range ids {
					if seen[id] {
						t.Errorf("%s is in the feed again", id)
					}
					seen[id] = true
				}
				for id := range before {
					if !seen[id] {
						t.Errorf("%s was missed", id)
						return
					}
				}
			}
			if len(seen) != 8*150 {
				t.Errorf("%d of %d were seen", len(seen), 8*150)
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

// A transaction that writes elsewhere and stays open, such as a long import, holds no
// reader and no writer of the feed up, and makes no reader read again.
func TestATransactionThatStaysOpenHoldsNothingUp(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	run(t, db, `CREATE TABLE other (n integer)`)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), `INSERT INTO other VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	cursor := ""
	for range 3 {
		id := newID(epoch)
		revoke(t, engines[0], id)
		var ids []sessions.ID
		if ids, cursor = follow(t, engines[0], cursor); len(ids) != 1 || ids[0] != id {
			t.Fatalf("the feed has %v, want %s", ids, id)
		}
	}
}

func TestALongFeedIsReadInPages(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 2)
	run(t, db, `INSERT INTO caddy_grant_revocations (epoch, day, random)
		SELECT epoch, '2040-01-02', decode(lpad(to_hex(n), 40, '0'), 'hex') FROM caddy_grant_epochs, generate_series(1, 100000) n`)
	pages, cursor, ids := 0, "", make(map[sessions.ID]bool)
	for more := true; more; pages++ {
		page, next, left, err := engines[pages%2].Revoked(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		if len(next) > 1024 {
			t.Fatalf("a cursor of %d bytes", len(next))
		}
		for _, id := range page {
			ids[id] = true
		}
		cursor, more = next, left
	}
	for n := 1; n <= 100000; n += 9999 {
		if id := (sessions.ID{Day: "20400102", Random: fmt.Sprintf("%040x", n), Epoch: epoch}); !ids[id] {
			t.Errorf("%s is missing", id)
		}
	}
	if len(ids) != 100000 || pages != 20 {
		t.Errorf("%d sessions in %d pages", len(ids), pages)
	}
}

func TestACursorThatCannotPromiseAllIsRefused(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine := engines[0]
	_, empty := follow(t, engine, "")
	first, second, third := newID(epoch), newID(epoch), newID(epoch)
	revoke(t, engine, first)
	_, atFirst := follow(t, engine, "")
	revoke(t, engine, second)
	_, atSecond := follow(t, engine, atFirst)

	for _, cursor := range []string{
		"x", "..", atFirst + "x", atFirst[1:], strings.ToUpper(atFirst), " " + atFirst,
		sessions.NewEpoch() + atFirst[16:], epoch + ".0.", epoch + ".-1.", epoch + ".1.", strings.Repeat("a", 2000),
		atFirst[:len(atFirst)-1] + map[bool]string{true: "1", false: "0"}[strings.HasSuffix(atFirst, "0")],
	} {
		if cursor == empty {
			continue
		}
		if ids, _, _, err := engine.Revoked(t.Context(), cursor); !errors.Is(err, sessions.ErrCursor) {
			t.Errorf("cursor %q: %v, %v", cursor, ids, err)
		}
	}

	// A fail-over to a replica that lacks the second: its place has another session, or
	// the same again, and a node that has seen the second must not go on behind it.
	for _, lost := range []sessions.ID{third, second} {
		run(t, db, `DELETE FROM caddy_grant_revocations WHERE random = decode($1, 'hex')`, second.Random)
		run(t, db, `DELETE FROM caddy_grant_sessions WHERE random = decode($1, 'hex')`, second.Random)
		if ids, _ := follow(t, engine, atFirst); len(ids) != 0 {
			t.Errorf("after the first: %v", ids)
		}
		if _, _, _, err := engine.Revoked(t.Context(), atSecond); !errors.Is(err, sessions.ErrCursor) {
			t.Errorf("a place that is lost: %v", err)
		}
		place := strings.Split(atSecond, ".")[1]
		run(t, db, `ALTER TABLE caddy_grant_revocations ALTER COLUMN place RESTART WITH `+place)
		revoke(t, engine, lost)
		if _, _, _, err := engine.Revoked(t.Context(), atSecond); !errors.Is(err, sessions.ErrCursor) {
			t.Errorf("a place that has another row: %v", err)
		}
		if ids, _ := follow(t, engine, atFirst); len(ids) != 1 || ids[0] != lost {
			t.Errorf("after the first: %v", ids)
		}
		if ids, _ := follow(t, engine, empty); len(ids) != 2 {
			t.Errorf("after nothing: %v", ids)
		}
		run(t, db, `DELETE FROM caddy_grant_revocations WHERE random = decode($1, 'hex')`, lost.Random)
		run(t, db, `DELETE FROM caddy_grant_sessions WHERE random = decode($1, 'hex')`, lost.Random)
	}
}

// The newest entry stays, so that nodes of a quiet server do not start again.
func TestSweepRemovesWhatIsOverAndTellsReadersThatMissedIt(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine := engines[0]
	_, empty := follow(t, engine, "")
	old, kept := newID(epoch), newID(epoch)
	swap(t, engine, old, 1, newAnswer())
	revoke(t, engine, old)
	_, atOld := follow(t, engine, "")
	exchanged := newID(epoch)
	swap(t, engine, exchanged, 1, newAnswer())
	old, exchanged = age(t, db, old), age(t, db, exchanged)
	revoke(t, engine, kept)
	_, atKept := follow(t, engine, "")

	for _, id := range []sessions.ID{old, exchanged} {
		if state := loaded(t, engine, id); !state.Over {
			t.Fatalf("before the sweep: %+v", state)
		}
		if state := swap(t, engine, id, 2, newAnswer()); !state.Over {
			t.Fatalf("an exchange before the sweep: %+v", state)
		}
	}
	if more, err := engine.Sweep(t.Context()); more || err != nil {
		t.Fatal(more, err)
	}
	count := func() [2]int {
		return [2]int{value[int](t, db, `SELECT count(*) FROM caddy_grant_sessions`), value[int](t, db, `SELECT count(*) FROM caddy_grant_revocations`)}
	}
	if n := count(); n != [2]int{1, 1} {
		t.Errorf("%v rows are left", n)
	}
	// The clock of the server was wrong: what was swept stays over.
	run(t, db, `UPDATE caddy_grant_epochs SET swept = current_date + 30`)
	for _, id := range []sessions.ID{newID(epoch), old} {
		if state := swap(t, engine, id, 1, newAnswer()); !state.Over {
			t.Errorf("after a sweep up to a later day: %+v", state)
		}
		revoke(t, engine, id)
	}
	if n := count(); n != [2]int{1, 1} {
		t.Errorf("%v rows after what was over ended", n)
	}
	for cursor, want := range map[string]error{empty: sessions.ErrCursor, atOld: sessions.ErrCursor, atKept: nil, "": nil} {
		if _, _, _, err := engine.Revoked(t.Context(), cursor); !errors.Is(err, want) {
			t.Errorf("cursor %q after the sweep: %v, want %v", cursor, err, want)
		}
	}
	// now the newest is over as well, and stays
	if _, err := engine.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != [2]int{0, 1} {
		t.Errorf("%v rows are left", n)
	}
	if ids, next := follow(t, engine, atKept); len(ids) != 0 || next != atKept {
		t.Errorf("%v, %s", ids, next)
	}
}

// age makes a session one that ended long ago.
func age(t *testing.T, db *pgxpool.Pool, id sessions.ID) sessions.ID {
	for _, table := range []string{"sessions", "revocations"} {
		run(t, db, `UPDATE caddy_grant_`+table+` SET day = '2020-01-02' WHERE random = decode($1, 'hex')`, id.Random)
	}
	id.Day = "20200102"
	return id
}

func TestSweepRemovesAPageAtATime(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 2)
	for table, columns := range map[string][2]string{
		"sessions":    {", generation, exchanged_at, answer, revoked", ", 1, now(), gen_random_uuid(), false"},
		"revocations": {},
	} {
		run(t, db, `INSERT INTO caddy_grant_`+table+` (epoch, day, random`+columns[0]+`)
			SELECT epoch, '2020-01-02', decode(lpad(to_hex(n), 40, '0'), 'hex')`+columns[1]+` FROM caddy_grant_epochs, generate_series(1, 2500) n`)
	}
	// and one of an epoch that is lost
	run(t, db, `INSERT INTO caddy_grant_revocations (epoch, day, random) VALUES (1, '2020-01-02', '\x01')`)
	id := newID(epoch)
	revoke(t, engines[0], id)
	sweeps := 0
	for more := true; more; sweeps++ {
		var err error
		if more, err = engines[0].Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if sweeps != 3 {
		t.Errorf("%d sweeps", sweeps)
	}
	if ids, _ := follow(t, engines[1], ""); len(ids) != 1 || ids[0] != id {
		t.Errorf("the feed has %v", ids)
	}
	if n := value[int](t, db, `SELECT count(*) FROM caddy_grant_sessions`); n != 1 {
		t.Errorf("%d records are left", n)
	}
}

// Nodes that sweep at once do not wait for each other, and exchanges go on.
func TestNodesSweepAtOnceWhileSessionsAreExchanged(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 3)
	run(t, db, `INSERT INTO caddy_grant_sessions (epoch, day, random, generation, exchanged_at, answer, revoked)
		SELECT epoch, '2020-01-02', decode(lpad(to_hex(n), 40, '0'), 'hex'), 1, now(), gen_random_uuid(), false FROM caddy_grant_epochs, generate_series(1, 20000) n`)
	var sweepers, clients sync.WaitGroup
	for _, engine := range engines[:2] {
		sweepers.Go(func() {
			for more := true; more; {
				var err error
				if more, err = engine.Sweep(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	swept := make(chan struct{})
	clients.Go(func() {
		id := newID(epoch)
		for next := uint64(1); ; next++ {
			select {
			case <-swept:
				return
			default:
			}
			answer := newAnswer()
			state, err := engines[2].Swap(t.Context(), id, next, answer)
			if err != nil || !wonAs(state, next, answer) {
				t.Error(state, err)
				return
			}
		}
	})
	sweepers.Wait()
	close(swept)
	clients.Wait()
	for more := true; more; {
		more, _ = engines[0].Sweep(t.Context())
	}
	if n := value[int](t, db, `SELECT count(*) FROM caddy_grant_sessions`); n != 1 {
		t.Errorf("%d records are left", n)
	}
}
