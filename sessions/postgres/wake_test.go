package postgres_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// wakes fails unless a value comes.
func wakes(t *testing.T, woken <-chan struct{}, after string) {
	t.Helper()
	select {
	case <-woken:
	case <-time.After(time.Minute):
		t.Fatalf("not woken after %s", after)
	}
}

// listening waits until the connections that listen are there.
func listening(t *testing.T, count func() int, n int) {
	t.Helper()
	for range 1200 {
		if count() == n {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%d connections listen, want %d", count(), n)
}

func TestARevocationWakesTheNodesOfItsServer(t *testing.T) {
	url, db := sharedServer(t).database(t)
	engines, epoch := nodes(t, url, 2)
	other := openedAs(t, "other", postgres.Postgres{URL: url}, zap.NewNop())
	otherEpoch := epochOf(t, other)
	count := func() int {
		return value[int](t, db, `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`)
	}
	ctx, cancel := context.WithCancel(t.Context())
	woken := engines[1].(sessions.Waker).Wake(ctx)
	foreign := other.(sessions.Waker).Wake(t.Context())
	wakes(t, woken, "the start, before which something may have been missed")
	wakes(t, foreign, "the start")
	revoke(t, engines[0], newID(epoch))
	wakes(t, woken, "a revocation at another node")
	revoke(t, other, newID(otherEpoch))
	wakes(t, foreign, "a revocation at its own node")
	select { // the order of notifications is that of commits
	case <-foreign:
		t.Error("woken by another server")
	default:
	}

	// A connection that was closed is made again, and what was missed is told.
	run(t, db, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`)
	wakes(t, woken, "a new connection")
	revoke(t, engines[0], newID(epoch))
	wakes(t, woken, "a revocation")

	listening(t, count, 2)
	cancel()
	listening(t, count, 1)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	listening(t, count, 0)
}
