package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// Fifty uses of one token at once, over two nodes: one wins each time, and all others
// are told who did, though their statements began before it was there.
func TestParallelExchangesHaveOneWinnerThatAllSee(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 2)
	for round := range 200 {
		id := newID(epoch)
		for next := uint64(1); next <= 2; next++ { // a first exchange inserts, a later one updates
			var uses sync.WaitGroup
			begin := make(chan struct{})
			answers, states := make([]string, 50), make([]sessions.State, 50)
			for i := range states {
				answers[i] = newAnswer()
				uses.Go(func() {
					<-begin
					state, err := engines[i%2].Swap(t.Context(), id, next, answers[i])
					if err != nil {
						t.Error(err)
					}
					states[i] = state
				})
			}
			close(begin)
			uses.Wait()
			winners := 0
			for i, state := range states {
				if wonAs(state, next, answers[i]) {
					winners++
				}
				if state.Generation != next || state.Answer != states[0].Answer || state.Revoked || state.Over {
					t.Fatalf("round %d, exchange %d: %+v beside %+v", round, next, state, states[0])
				}
			}
			if winners != 1 {
				t.Fatalf("round %d, exchange %d: %d winners", round, next, winners)
			}
		}
	}
}

// What a statement waits for decides, not what its snapshot shows: another transaction
// has the row, and each way in which it may leave it is answered as it is.
func TestAnExchangeSeesWhatItWaitedFor(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 1)
	engine := engines[0]
	const insert = `INSERT INTO caddy_grant_sessions (epoch, generation, exchanged_at, answer, day, revoked, random)
		SELECT ('x' || $1)::bit(64)::bigint, $2::bigint, now(), '%[1]s', to_date($3, 'YYYYMMDD'), $4::boolean, decode($5, 'hex')`
	const update = `UPDATE caddy_grant_sessions SET generation = $2::bigint, answer = '%[1]s', revoked = $4::boolean
		WHERE epoch = ('x' || $1)::bit(64)::bigint AND day = to_date($3, 'YYYYMMDD') AND random = decode($5, 'hex')`
	for _, given := range []struct {
		name       string
		from       uint64 // generation before; 0 for no record
		to         uint64 // which the other transaction makes
		revoked    bool
		rolledBack bool
		wins       bool
	}{
		{name: "another first exchange", to: 1},
		{name: "a first exchange that was given up", to: 1, rolledBack: true, wins: true},
		{name: "the end of a session without a record", revoked: true},
		{name: "another exchange", from: 3, to: 4},
		{name: "two other exchanges", from: 3, to: 5},
		{name: "an exchange that was given up", from: 3, to: 4, rolledBack: true, wins: true},
		{name: "the end", from: 3, to: 3, revoked: true},
		{name: "an exchange and the end", from: 3, to: 4, revoked: true},
	} {
		id, own, other := newID(epoch), newAnswer(), newAnswer()
		for next := uint64(1); next <= given.from; next++ {
			swap(t, engine, id, next, newAnswer())
		}
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		statement := insert
		if given.from > 0 {
			statement = update
		}
		if _, err := tx.Exec(t.Context(), fmt.Sprintf(statement, other), epoch, int64(given.to), id.Day, given.revoked, id.Random); err != nil {
			t.Fatal(err)
		}
		done := make(chan sessions.State)
		go func() {
			defer close(done)
			state, err := engine.Swap(context.Background(), id, given.from+1, own)
			if err != nil {
				t.Error(given.name, err)
			}
			done <- state
		}()
		for value[int](t, db, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'caddy-grant' AND datname = current_database()`) == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		end := tx.Commit
		if given.rolledBack {
			end = tx.Rollback
		}
		if err := end(t.Context()); err != nil {
			t.Fatal(err)
		}
		state := <-done
		switch {
		case given.wins:
			if !wonAs(state, given.from+1, own) {
				t.Errorf("%s: %+v, want a win", given.name, state)
			}
		case state.Generation != given.to || state.Revoked != given.revoked || given.to > 0 && given.to != given.from && state.Answer != other:
			t.Errorf("%s: %+v, want %d by %s, revoked %v", given.name, state, given.to, other, given.revoked)
		}
		if now := loaded(t, engine, id); now.Generation != state.Generation || now.Answer != state.Answer || now.Revoked != state.Revoked {
			t.Errorf("%s: %+v, then %+v", given.name, state, now)
		}
	}
}

// An exchange and the end of a session at once: whichever is told that it was first was.
func TestNoExchangeWinsAfterTheEnd(t *testing.T) {
	url, _ := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 2)
	for range 100 {
		id := newID(epoch)
		var calls sync.WaitGroup
		ended := make(chan struct{})
		calls.Go(func() {
			defer close(ended)
			if err := engines[0].Revoke(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
		calls.Go(func() {
			for next := uint64(1); ; next++ {
				after := false
				select {
				case <-ended:
					after = true
				default:
				}
				answer := newAnswer()
				state, err := engines[1].Swap(t.Context(), id, next, answer)
				if err != nil {
					t.Error(err)
					return
				}
				if after && wonAs(state, next, answer) {
					t.Errorf("exchange %d won after the end", next)
				}
				if after || state.Revoked {
					return
				}
			}
		})
		calls.Wait()
		if !loaded(t, engines[1], id).Revoked {
			t.Fatal("not revoked")
		}
	}
}

// The same over each way in which pgx sends statements.
func TestEachWayToSendStatementsWorks(t *testing.T) {
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		url, _ := sharedServer(t).database(t)
		engine := opened(t, postgres.Postgres{URL: url + "&default_query_exec_mode=" + mode, Schema: "grant_" + mode})
		id := newID(epochOf(t, engine))
		for next := uint64(1); next <= 3; next++ {
			answer := newAnswer()
			if state := swap(t, engine, id, next, answer); !wonAs(state, next, answer) || !wonAs(loaded(t, engine, id), next, answer) {
				t.Fatalf("%s: %+v", mode, state)
			}
		}
		other := newID(id.Epoch)
		swap(t, engine, other, 1, newAnswer())
		for _, result := range postgres.SwapTogether(t, engine,
			postgres.Swap{ID: id, Next: 4, Answer: newAnswer()}, postgres.Swap{ID: other, Next: 2, Answer: newAnswer()}) {
			if result.Err != nil || result.Alone || result.State.Generation != 4 && result.State.Generation != 2 {
				t.Fatalf("%s: %+v", mode, result)
			}
		}
		revoke(t, engine, id)
		if ids, cursor := follow(t, engine, ""); len(ids) != 1 || ids[0] != id {
			t.Fatalf("%s: the feed has %v", mode, ids)
		} else if ids, _ := follow(t, engine, cursor); len(ids) != 0 {
			t.Fatalf("%s: the feed has %v", mode, ids)
		}
		if _, err := engine.Sweep(t.Context()); err != nil {
			t.Fatal(mode, err)
		}
	}
}
