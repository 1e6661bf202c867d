package postgres_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// seen is a state and an error, without what differs from session to session.
func seen(s postgres.Swap, state sessions.State, err error) string {
	answer := "none"
	switch state.Answer {
	case "":
	case s.Answer:
		answer = "its own"
	default:
		answer = "another"
	}
	return fmt.Sprintf("generation %d, answer %s, an hour old %v, revoked %v, over %v, error %v",
		state.Generation, answer, state.Age >= time.Hour, state.Revoked, state.Over, err)
}

// Whatever is asked of a session, the others of the statement change nothing of the
// answer, nor of what becomes of the session.
func TestSwapsThatShareAStatementAreAnsweredAsEachAlone(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engine := opened(t, postgres.Postgres{URL: url})
	epoch := epochOf(t, engine)
	to := func(s *postgres.Swap, generation uint64) {
		for next := uint64(1); next <= generation; next++ {
			swap(t, engine, s.ID, next, newAnswer())
		}
		s.Next = generation + 1
	}
	changed := func(s *postgres.Swap, sql string) {
		to(s, 3)
		run(t, db, `UPDATE caddy_grant_sessions SET `+sql+` WHERE random = decode($1, 'hex')`, s.ID.Random)
	}
	cases := []struct {
		name    string
		prepare func(s *postgres.Swap)
	}{
		{"the second exchange", func(s *postgres.Swap) { to(s, 1) }},
		{"a later one", func(s *postgres.Swap) { to(s, 7) }},
		{"one that was made", func(s *postgres.Swap) { to(s, 4); s.Next = 3 }},
		{"one that is repeated", func(s *postgres.Swap) { to(s, 2); swap(t, engine, s.ID, s.Next, s.Answer) }},
		{"one too far", func(s *postgres.Swap) { to(s, 2); s.Next = 4 }},
		{"one of a session without a record", func(s *postgres.Swap) { s.Next = 2 }},
		{"one of a session that was revoked", func(s *postgres.Swap) { to(s, 2); revoke(t, engine, s.ID) }},
		{"one of a session that was revoked at once", func(s *postgres.Swap) { s.Next = 2; revoke(t, engine, s.ID) }},
		{"one after an hour", func(s *postgres.Swap) { changed(s, "exchanged_at = exchanged_at - interval '1 hour'"); s.Next = 3 }},
		{"a generation that cannot be", func(s *postgres.Swap) { changed(s, "generation = -1") }},
		{"a time that cannot be", func(s *postgres.Swap) { changed(s, "exchanged_at = 'infinity'") }},
		{"a session that is over", func(s *postgres.Swap) { s.ID = sessions.NewID(time.Now().AddDate(0, 0, -30), epoch); s.Next = 2 }},
	}
	swaps := func() (all []postgres.Swap) {
		for _, c := range cases {
			s := postgres.Swap{ID: newID(epoch), Answer: newAnswer()}
			c.prepare(&s)
			all = append(all, s)
		}
		return all
	}
	alone, together := swaps(), swaps()
	for i, result := range postgres.SwapTogether(t, engine, together...) {
		state, err := engine.Swap(t.Context(), alone[i].ID, alone[i].Next, alone[i].Answer)
		want := seen(alone[i], state, err)
		if got := seen(together[i], result.State, result.Err); got != want || result.Alone {
			t.Errorf("%s: %s, want %s; left to itself: %v", cases[i].name, got, want, result.Alone)
		}
		state, err = engine.Load(t.Context(), alone[i].ID)
		want = seen(alone[i], state, err)
		state, err = engine.Load(t.Context(), together[i].ID)
		if got := seen(together[i], state, err); got != want {
			t.Errorf("%s, afterwards: %s, want %s", cases[i].name, got, want)
		}
	}
	for i, result := range postgres.SwapTogether(t, engine, together...) {
		state, err := engine.Swap(t.Context(), alone[i].ID, alone[i].Next, alone[i].Answer)
		if got, want := seen(together[i], result.State, result.Err), seen(alone[i], state, err); got != want || result.Alone {
			t.Errorf("%s, repeated: %s, want %s", cases[i].name, got, want)
		}
	}
}

// Several callers with one token learn of one winner. Whoever asks for something else of
// the session asks alone.
func TestAStatementSwapsASessionOnce(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine, one, other := engines[0], newID(epoch), newID(epoch)
	for _, id := range []sessions.ID{one, other} {
		swap(t, engine, id, 1, newAnswer())
	}
	first := newAnswer()
	results := postgres.SwapTogether(t, engine,
		postgres.Swap{ID: one, Next: 2, Answer: first}, postgres.Swap{ID: one, Next: 2, Answer: newAnswer()},
		postgres.Swap{ID: one, Next: 3, Answer: newAnswer()}, postgres.Swap{ID: one, Next: 2, Answer: first},
		postgres.Swap{ID: other, Next: 2, Answer: newAnswer()},
		postgres.Swap{ID: newID(sessions.NewEpoch()), Next: 2, Answer: newAnswer()})
	for i, alone := range []bool{false, false, true, false, false, false} {
		result := results[i]
		if other := i == 5; other != errors.Is(result.Err, sessions.ErrOtherEpoch) || !other && result.Err != nil {
			t.Errorf("%d: %v", i, result.Err)
		}
		if result.Alone != alone || i < 4 && !alone && !wonAs(result.State, 2, first) {
			t.Errorf("%d: %+v", i, result)
		}
	}
	if n := value[int](t, db, `SELECT sum(generation)::integer FROM caddy_grant_sessions`); n != 4 {
		t.Errorf("%d exchanges", n)
	}
}

// A session that another transaction has keeps no other waiting.
func TestAStatementWaitsForNoSession(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine := engines[0]
	var swaps []postgres.Swap
	for range 3 {
		id := newID(epoch)
		swap(t, engine, id, 1, newAnswer())
		swaps = append(swaps, postgres.Swap{ID: id, Next: 2, Answer: newAnswer()})
	}
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM caddy_grant_sessions WHERE random = decode($1, 'hex') FOR UPDATE`, swaps[1].ID.Random); err != nil {
		t.Fatal(err)
	}
	for i, result := range postgres.SwapTogether(t, engine, swaps...) {
		if held := i == 1; result.Err != nil || result.Alone != held || !held && !wonAs(result.State, 2, swaps[i].Answer) {
			t.Errorf("%d: %+v", i, result)
		}
	}
	if alone := postgres.SwapTogether(t, engine, swaps[1])[0]; alone.Err != nil || !alone.Alone {
		t.Errorf("one alone: %+v", alone)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if state := swap(t, engine, swaps[1].ID, 2, swaps[1].Answer); !wonAs(state, 2, swaps[1].Answer) {
		t.Errorf("afterwards: %+v", state)
	}
}

// A statement that is refused fails for the session for which it was refused.
func TestASessionThatIsRefusedFailsForItself(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine := engines[0]
	ids := make([]sessions.ID, 20)
	for i := range ids {
		ids[i] = newID(epoch)
		swap(t, engine, ids[i], 1, newAnswer())
	}
	run(t, db, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END'`)
	run(t, db, `CREATE TRIGGER refuse BEFORE UPDATE ON caddy_grant_sessions FOR EACH ROW
		WHEN (OLD.random = '\x`+ids[7].Random+`') EXECUTE FUNCTION refuse()`)
	for next := uint64(2); next <= 10; next++ {
		var all sync.WaitGroup
		for i, id := range ids {
			all.Go(func() {
				next, answer, refused := next, newAnswer(), i == 7
				if refused {
					next = 2
				}
				state, err := engine.Swap(t.Context(), id, next, answer)
				if refused != (err != nil) || !refused && !wonAs(state, next, answer) {
					t.Errorf("%d, exchange %d: %+v, %v", i, next, state, err)
				}
			})
		}
		all.Wait()
	}
}

// Many sessions at once over two nodes, some of which end: each exchange has one winner at
// most, none is lost, and none is won after the end.
func TestNoExchangeIsWonTwiceOrLostAmongOthers(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 2)
	type live struct {
		id    sessions.ID
		known atomic.Uint64 // the generation that a caller has seen
		mu    sync.Mutex
		won   map[uint64]int
		ended atomic.Bool
	}
	all := make([]*live, 24)
	for i := range all {
		all[i] = &live{id: newID(epoch), won: make(map[uint64]int)}
	}
	var callers sync.WaitGroup
	for range 48 {
		callers.Go(func() {
			for range 150 {
				s, engine := all[rand.IntN(len(all))], engines[rand.IntN(2)]
				if rand.IntN(400) == 0 {
					if err := engine.Revoke(t.Context(), s.id); err != nil {
						t.Error(err)
					}
					s.ended.Store(true)
					continue
				}
				ended := s.ended.Load()
				next, answer := s.known.Load()+1, newAnswer()
				state, err := engine.Swap(t.Context(), s.id, next, answer)
				switch {
				case err != nil:
					t.Error(err)
				case ended && !state.Revoked:
					t.Errorf("not revoked: %+v", state)
				case wonAs(state, next, answer):
					s.mu.Lock()
					s.won[next]++
					s.mu.Unlock()
				}
				for known := s.known.Load(); state.Generation > known && !s.known.CompareAndSwap(known, state.Generation); known = s.known.Load() {
				}
			}
		})
	}
	callers.Wait()
	for i, s := range all {
		state := loaded(t, engines[0], s.id)
		if state.Revoked != s.ended.Load() || uint64(len(s.won)) != state.Generation {
			t.Errorf("session %d: %+v after %d exchanges were won, ended: %v", i, state, len(s.won), s.ended.Load())
		}
		for generation, n := range s.won {
			if n != 1 || generation > state.Generation {
				t.Errorf("session %d: generation %d of %d was won %d times", i, generation, state.Generation, n)
			}
		}
	}
}

// What has changed between a statement's snapshot and its lock decides: a function that
// takes a second comes in between.
func TestASessionThatChangesDuringTheStatementIsLeftToItself(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engine := opened(t, postgres.Postgres{URL: url, Schema: "public"})
	epoch := epochOf(t, engine)
	run(t, db, `CREATE SCHEMA slow`)
	run(t, db, `CREATE FUNCTION slow.isfinite(timestamptz) RETURNS boolean LANGUAGE plpgsql
		AS 'BEGIN PERFORM pg_sleep(0.3); RETURN pg_catalog.isfinite($1); END'`)
	slow := opened(t, postgres.Postgres{URL: url + "&search_path=slow,pg_catalog", Schema: "public", MaxConnections: 9, Timeout: caddy.Duration(10 * time.Second)})
	epochOf(t, slow)
	won := newAnswer()
	for _, given := range []struct {
		name   string
		change func(id sessions.ID)
		want   sessions.State
	}{
		{"another exchange", func(id sessions.ID) { swap(t, engine, id, 2, won) }, sessions.State{Generation: 2, Answer: won}},
		{"the end", func(id sessions.ID) { revoke(t, engine, id) }, sessions.State{Generation: 1, Revoked: true}},
		{"a change of nothing", func(id sessions.ID) {
			run(t, db, `UPDATE caddy_grant_sessions SET revoked = revoked WHERE random = decode($1, 'hex')`, id.Random)
		}, sessions.State{Generation: 1}},
	} {
		ids := []sessions.ID{newID(epoch), newID(epoch)}
		for _, id := range ids {
			swap(t, engine, id, 1, newAnswer())
		}
		done := make(chan []postgres.Swapped)
		go func() {
			done <- postgres.SwapTogether(t, slow,
				postgres.Swap{ID: ids[0], Next: 2, Answer: newAnswer()}, postgres.Swap{ID: ids[1], Next: 2, Answer: newAnswer()})
		}()
		for value[int](t, db, `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`) == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		given.change(ids[1])
		results := <-done
		if first := results[0]; first.Err != nil || first.Alone || first.State.Generation != 2 {
			t.Errorf("%s: the other session: %+v", given.name, first)
		}
		if changed := results[1]; changed.Err != nil || !changed.Alone {
			t.Errorf("%s: %+v", given.name, changed)
		}
		state := loaded(t, engine, ids[1])
		if state.Generation != given.want.Generation || state.Revoked != given.want.Revoked || given.want.Answer != "" && state.Answer != given.want.Answer {
			t.Errorf("%s: afterwards: %+v", given.name, state)
		}
	}
}
