package redis

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// An empty Redis after a restart is like one that was flushed, and one with an old
// snapshot must be too: the epoch is in it.
func TestRedisWithoutAnAppendOnlyFileEndsAllSessionsWhenItRestarts(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		t.Run(fmt.Sprintf("snapshot=%v", snapshot), func(t *testing.T) {
			r := newServer(t, "--appendonly", "no")
			e := open(t, r.url())
			before := epochOf(t, e)
			spent, revoked := newID(before), newID(before)
			swap(t, e, spent, 1)
			if snapshot {
				r.do("SAVE")
			}
			swap(t, e, spent, 2)
			revoke(t, e, revoked)
			r.kill()
			r.start()
			fails(t, e, spent)
			fails(t, e, revoked)
			if _, err := e.Epoch(t.Context()); err == nil {
				t.Error("there is an epoch")
			}
			// Neither time nor an append-only file brings back what was lost.
			r.do("CONFIG", "SET", "appendonly", "yes")
			time.Sleep(examineAgain)
			fails(t, e, spent)
			fails(t, e, revoked)

			again := open(t, r.url())
			after := epochOf(t, again)
			for _, e := range []sessions.Engine{again, e} {
				if epoch := epochOf(t, e); epoch != after || epoch == before {
					t.Errorf("epochs %s, %s, %s", before, after, epoch)
				}
				ended(t, e, spent)
				ended(t, e, revoked)
				swap(t, e, newID(after), 1)
			}
		})
	}
}

// An append-only file that is turned off in a running Redis ends nothing, one that is
// missing after a restart does.
func TestRedisWhoseAppendOnlyFileIsTurnedOff(t *testing.T) {
	r := newServer(t, "--appendonly", "no")
	r.do("CONFIG", "SET", "appendonly", "yes")
	settled(t, r)
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	r.do("SAVE")
	swap(t, e, id, 2)
	r.do("CONFIG", "SET", "appendonly", "no")
	epochOf(t, e)
	swap(t, e, id, 3)
	swap(t, open(t, r.url()), id, 4)
	r.do("CONFIG", "SET", "appendonly", "yes")
	settled(t, r)
	epochOf(t, e) // all of it is in the file again
	swap(t, e, id, 5)
	r.kill()
	r.start() // with the snapshot
	fails(t, e, id)
	r.do("CONFIG", "SET", "appendonly", "yes")
	settled(t, r)
	fails(t, e, id)
	fails(t, open(t, r.url()), id)
	again := open(t, r.url())
	epochOf(t, again)
	ended(t, again, id)
}

// settled waits until the append-only file has everything.
func settled(t *testing.T, r *server) {
	t.Helper()
	for range 400 {
		if p := parseInfo(r.do("INFO").(string)); p.settled {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("there is no append-only file")
}

func TestRedisWhoseAppendOnlyFileIsMadeLaterIsTrustedAfterwards(t *testing.T) {
	r := newServer(t, "--appendonly", "no")
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	r.do("CONFIG", "SET", "appendonly", "yes", "appendfsync", "always")
	settled(t, r)
	epochOf(t, e)
	swap(t, e, id, 1)
	r.kill()
	r.options = nil // the file is in the config now
	r.start()
	swap(t, e, id, 2)
	epochOf(t, e)
	swap(t, open(t, r.url()), id, 3)
}
