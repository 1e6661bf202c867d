package postgres_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// pair is a primary, a standby that follows it, and an engine that knows both.
func pair(t *testing.T) (primary, standby *server, engine sessions.Engine) {
	t.Helper()
	primary = newServer(t)
	url, _ := primary.database(t)
	standby = primary.standby()
	both := strings.Replace(url, "127.0.0.1:"+strconv.Itoa(primary.port),
		"127.0.0.1:"+strconv.Itoa(primary.port)+",127.0.0.1:"+strconv.Itoa(standby.port), 1)
	engine = openedAs(t, "main", postgres.Postgres{URL: both, MaxConnections: 20, Timeout: caddy.Duration(2 * time.Second)}, zap.NewNop())
	return primary, standby, engine
}

// promoted makes the standby the primary.
func (s *server) promoted(t *testing.T) {
	t.Helper()
	db := connect(t, s.url("postgres"))
	run(t, db, `SELECT pg_promote()`)
}

// What had not reached a standby is lost, and only that: an exchange is taken back, and a
// reader that has seen a revocation which is lost reads the feed from its start.
func TestAFailOverLosesNoMoreThanTheStandbyLacked(t *testing.T) {
	primary, standby, engine := pair(t)
	epoch := epochOf(t, engine)
	id := newID(epoch)
	swap(t, engine, id, 1, newAnswer())
	kept, lost, later := newID(epoch), newID(epoch), newID(epoch)
	revoke(t, engine, kept)
	_, atKept := follow(t, engine, "")
	standby.caughtUp(primary)
	standby.kill() // a pause would leave it what is on its way
	swap(t, engine, id, 2, newAnswer())
	revoke(t, engine, lost)
	_, atLost := follow(t, engine, atKept)
	primary.kill()
	standby.start()
	standby.promoted(t)

	if epochOf(t, engine) != epoch {
		t.Error("another epoch")
	}
	if state := loaded(t, engine, id); state.Generation != 1 {
		t.Errorf("the session: %+v", state)
	}
	if state := loaded(t, engine, lost); state.Revoked {
		t.Error("a revocation that the standby lacked is there: the test tests nothing")
	}
	for range 50 { // more than a sequence may have skipped
		revoke(t, engine, newID(epoch))
	}
	revoke(t, engine, later)
	if _, _, _, err := engine.Revoked(t.Context(), atLost); !errors.Is(err, sessions.ErrCursor) {
		t.Errorf("a cursor to what is lost: %v", err)
	}
	for _, cursor := range []string{"", atKept} {
		if ids, _ := follow(t, engine, cursor); ids[len(ids)-1] != later {
			t.Errorf("after %q the feed has no %s", cursor, later)
		}
	}
}

// With a standby that commits wait for, clients that refresh all the time lose nothing.
func TestAFailOverToAStandbyThatIsWaitedForLosesNothing(t *testing.T) {
	primary, standby, engine := pair(t)
	epoch := epochOf(t, engine)
	db := connect(t, primary.url("postgres"))
	run(t, db, `ALTER SYSTEM SET synchronous_standby_names = '*'`)
	run(t, db, `SELECT pg_reload_conf()`)
	for value[string](t, db, `SELECT coalesce(max(sync_state), '') FROM pg_stat_replication`) != "sync" {
		time.Sleep(25 * time.Millisecond)
	}

	// While the standby is away nothing is acknowledged, also to whoever repeats a call
	// whose time was up: what it asks for was written, and may be lost.
	waiting, answer, over := newID(epoch), newAnswer(), newID(epoch)
	standby.kill()
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if state, err := engine.Swap(ctx, waiting, 1, answer); err == nil {
			t.Errorf("acknowledged without a standby: %+v", state)
		}
		if err := engine.Revoke(ctx, over); err == nil {
			t.Error("a revocation was acknowledged without a standby")
		}
		cancel()
	}
	if state := loaded(t, engine, waiting); state.Generation != 0 || loaded(t, engine, over).Revoked {
		t.Errorf("seen without a standby: %+v", state)
	}
	standby.start()
	if state := swap(t, engine, waiting, 1, answer); !wonAs(state, 1, answer) {
		t.Errorf("with a standby again: %+v", state)
	}
	revoke(t, engine, over)

	var clients sync.WaitGroup
	var mu sync.Mutex
	acknowledged, ended := make(map[sessions.ID]sessions.State), make(map[sessions.ID]bool)
	for range 8 {
		id := newID(epoch)
		clients.Go(func() {
			for next := uint64(1); ; next++ {
				state, err := engine.Swap(context.Background(), id, next, newAnswer())
				if err != nil {
					return
				}
				mu.Lock()
				acknowledged[id] = state
				mu.Unlock()
				other := newID(epoch)
				if err := engine.Revoke(context.Background(), other); err != nil {
					return
				}
				mu.Lock()
				ended[other] = true
				mu.Unlock()
			}
		})
	}
	enough := func() bool { mu.Lock(); defer mu.Unlock(); return len(ended) >= 200 }
	for !enough() {
		time.Sleep(5 * time.Millisecond)
	}
	primary.kill()
	clients.Wait()
	standby.promoted(t)
	run(t, connect(t, standby.url("postgres")), `ALTER SYSTEM RESET synchronous_standby_names`)
	exchanges := uint64(0)
	for id, want := range acknowledged {
		exchanges += want.Generation
		if state := loaded(t, engine, id); state.Generation < want.Generation || state.Generation == want.Generation && state.Answer != want.Answer {
			t.Errorf("%+v, after %+v was acknowledged", state, want)
		}
	}
	ids, _ := follow(t, engine, "")
	seen := make(map[sessions.ID]bool)
	for _, id := range ids {
		seen[id] = true
	}
	for id := range ended {
		if !seen[id] || !loaded(t, engine, id).Revoked {
			t.Errorf("%s is not revoked", id)
		}
	}
	t.Logf("%d exchanges and %d revocations were acknowledged", exchanges, len(ended))
}
