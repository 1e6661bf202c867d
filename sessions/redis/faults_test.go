package redis

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

func TestRedisKilledAndStartedAgainUnderLoadLosesNothing(t *testing.T) {
	r := newServer(t)
	busy(t, r.url(), func(_ []sessions.Engine, failing func() int) {
		for range 4 {
			r.kill()
			untilFailing(t, failing)
			r.start()
			time.Sleep(500 * time.Millisecond)
		}
	})
}

// What is sent to a Redis that hangs takes effect when it goes on, and only as the swap
// that it was.
func TestRedisThatHangsMakesCallsFailInTime(t *testing.T) {
	r := newServer(t)
	busy(t, r.url(), func(nodes []sessions.Engine, failing func() int) {
		resume := r.pause()
		defer resume()
		untilFailing(t, failing)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { _, err := nodes[0].Load(ctx, newID(sessions.NewEpoch())); done <- err }()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a call whose context was canceled: %v", err)
		}
		time.Sleep(7 * time.Second)
	})
}

func TestRedisClusterWithOneShardDeadServesTheOthers(t *testing.T) {
	shards := newCluster(t)
	e := open(t, clusterURL(shards))
	keys := e.(*engine).keys
	epoch := epochOf(t, e)
	dead := (shardOf(t, shards, keys.root) + 1) % 3
	var in, out []sessions.ID
	for len(in) < 10 || len(out) < 10 {
		id := newID(epoch)
		swap(t, e, id, 1)
		if shardOf(t, shards, keys.of(id)[0]) == dead {
			in = append(in, id)
		} else {
			out = append(out, id)
		}
	}
	ask := (dead + 1) % 3
	shards[dead].kill()
	fresh := open(t, clusterURL(append([]*server{shards[ask]}, shards...)))
	for _, id := range out {
		swap(t, e, id, 2)
	}
	fails(t, e, in[0])
	revoke(t, e, out[0])
	if feed, _ := read(t, e, ""); feed[out[0]] == 0 {
		t.Error("the feed does not go on")
	}
	if _, err := e.Epoch(t.Context()); err == nil {
		t.Error("an epoch, though nothing is known of a shard")
	}
	if _, err := fresh.Epoch(t.Context()); err == nil {
		t.Error("a node that was started meanwhile made an epoch")
	}
	shards[dead].start()
	waitForSlots(t, shards)
	for _, id := range in {
		swap(t, e, id, 2)
	}
	if now := epochOf(t, e); now != epoch {
		t.Error("another epoch")
	}
}

func TestRedisClusterShardsKilledUnderLoadLoseNothing(t *testing.T) {
	shards := newCluster(t)
	busy(t, clusterURL(shards), func(_ []sessions.Engine, failing func() int) {
		for _, shard := range shards {
			shard.kill()
			untilFailing(t, failing)
			shard.start()
			waitForSlots(t, shards)
			time.Sleep(300 * time.Millisecond)
		}
	})
}

// A slot that moves between shards takes its sessions with it.
func TestRedisClusterSlotsMoveUnderLoad(t *testing.T) {
	shards := newCluster(t)
	e := open(t, clusterURL(shards))
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	bucket := e.(*engine).keys.of(id)[0]
	from := shardOf(t, shards, bucket)
	to := (from + 1) % 3
	slot := shards[0].do("CLUSTER", "KEYSLOT", bucket)
	name := func(i int) any { return shards[i].do("CLUSTER", "MYID") }
	shards[to].do("CLUSTER", "SETSLOT", slot, "IMPORTING", name(from))
	shards[from].do("CLUSTER", "SETSLOT", slot, "MIGRATING", name(to))
	// Only a part of the slot's keys is there already: a script cannot run at either.
	shards[from].do("MIGRATE", "127.0.0.1", shards[to].port, bucket, 0, 5000)
	if state, err := e.Load(t.Context(), id); err == nil && state.Generation != 1 {
		t.Errorf("half way: %+v", state)
	}
	for _, key := range shards[from].do("CLUSTER", "GETKEYSINSLOT", slot, 100).([]any) {
		shards[from].do("MIGRATE", "127.0.0.1", shards[to].port, key, 0, 5000)
	}
	swap(t, e, id, 2)
	for i := range shards {
		shards[i].do("CLUSTER", "SETSLOT", slot, "NODE", name(to))
	}
	swap(t, e, id, 3)
	swap(t, open(t, clusterURL(shards)), id, 4)
	epochOf(t, e)
}

// A full memory refuses the first write of a script, so nothing is done by half.
func TestRedisWhoseMemoryIsFullRefusesWritesAndKeepsWhatItHas(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	swap(t, e, id, 2)
	fresh := newID(id.Epoch)
	before := load(t, e, id)
	r.do("CONFIG", "SET", "maxmemory", "1")
	for range 3 {
		for name, call := range map[string]func() error{
			"Swap":            func() error { _, err := e.Swap(t.Context(), id, 3, newAnswer()); return err },
			"the first Swap":  func() error { _, err := e.Swap(t.Context(), fresh, 1, newAnswer()); return err },
			"Revoke":          func() error { return e.Revoke(t.Context(), id) },
			"Revoke of a new": func() error { return e.Revoke(t.Context(), fresh) },
		} {
			if err := call(); err == nil || !strings.Contains(err.Error(), "memory is full") || !strings.Contains(err.Error(), "raise maxmemory") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if state := load(t, e, id); state.Generation != 2 || state.Answer != before.Answer || state.Revoked {
		t.Errorf("%+v, before %+v", state, before)
	}
	if state, err := e.Swap(t.Context(), id, 2, before.Answer); err != nil || !won(state, 2, before.Answer) {
		t.Errorf("the repeat of a swap that was acknowledged: %+v, %v", state, err)
	}
	if feed, _ := read(t, e, ""); len(feed) != 0 {
		t.Errorf("the feed: %v", feed)
	}
	if now := epochOf(t, open(t, r.url())); now != id.Epoch { // a node that is started meanwhile
		t.Errorf("the epoch is %s, want %s", now, id.Epoch)
	}
	r.do("CONFIG", "SET", "maxmemory", "0")
	if state := load(t, e, fresh); state != (sessions.State{}) {
		t.Errorf("%+v", state)
	}
	swap(t, e, id, 3)
	swap(t, e, fresh, 1)
}

// Scripts that Redis has forgotten are sent again.
func TestRedisScriptsThatWereForgotten(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	for next := range uint64(5) {
		swap(t, e, id, next+1)
		r.do("SCRIPT", "FLUSH")
	}
}

// What an operator has to do about what Redis refuses is in the error.
func TestRedisRefusalsSayWhatToDo(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	refused := func(says string) {
		t.Helper()
		if _, err := e.Swap(t.Context(), id, 2, newAnswer()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	r.do("CONFIG", "SET", "min-replicas-to-write", "1")
	refused("lower it (NOREPLICAS")
	r.do("CONFIG", "SET", "min-replicas-to-write", "0")
	swap(t, e, id, 2)

	r.allow("caddy", suitePassword, aclRules...)
	r.do("ACL", "SETUSER", "default", "off")
	for says, change := range map[string]func(*Sessions){
		"check username and password": func(s *Sessions) { s.Username, s.Password = "caddy", secret },
		"write password {env":         func(*Sessions) {},
	} {
		_, err := open(t, r.url(), change).Epoch(t.Context())
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	for text, says := range map[string]string{ // as Redis 6.2 has it in a script
		"ERR Error running script (call to f_0): @user_script:46: @user_script: 46: -OOM command not allowed when used memory > 'maxmemory'.": "raise maxmemory",
		"MISCONF Errors writing to the AOF file: No space left on device":                                                                     "make room on the disk",
	} {
		if err := failure(errors.New(text)); !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
