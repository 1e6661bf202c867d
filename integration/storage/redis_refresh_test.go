package storage

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// What Redis is sent for a refresh after the first one of a session: for the notices, a
// look at the record, the lock, the record, the write (an index and the object), the
// read-back of record, marker and mark, and the unlocking. It counts three more, which
// the scripts of locking and unlocking run.
func TestARefreshTakesTenCommandsOnRedis(t *testing.T) {
	_, r := startOnRedis(t)
	client := r.client()
	defer client.Close()
	const folder = "grant/notices-0a1b2c3d"
	if err := caddy.ActiveContext().Storage().Store(t.Context(), folder+"/secret", []byte("x")); err != nil {
		t.Fatal(err)
	}
	n, _ := nodeOnRedis(t)
	if err := n.WithWitness(folder + "/secret").BeginNotices(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := session.Claims{ID: session.NewID(time.Now().AddDate(0, 1, 0)), Subject: "alice", Client: "web"}
	refresh := func(generation uint64) {
		t.Helper()
		if ended, err := n.EndedNow(t.Context(), c); ended || err != nil {
			t.Fatal(ended, err)
		}
		current, err := n.Glance(t.Context(), c.ID, generation, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Of(c).Rotate(t.Context(), c.ID, generation, 0, current); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // for the unlocking, which no client waits for
	}
	refresh(0)
	const refreshes = 50
	before := costSoFar(t, client)
	for generation := range uint64(refreshes) {
		refresh(generation + 1)
	}
	cost := costSoFar(t, client).minus(before)
	t.Logf("%d refreshes: %+v", refreshes, cost)
	if each := float64(cost.commands)/refreshes - 3; each > 10.5 { // the site may do something, too
		t.Errorf("%.1f commands for each", each)
	}
}
