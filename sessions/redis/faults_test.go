package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// history is what clients of several nodes know of one session.
type history struct {
	id sessions.ID

	mutex     sync.Mutex
	won       map[uint64]string // answers that won, by generation
	attempted map[string]bool   // answers of calls that failed
	highest   uint64            // that was acknowledged
	revoked   bool              // Revoke returned nil
}

// exchange swaps once and checks what it is told against what was told before.
func (h *history) exchange(t *testing.T, e sessions.Engine) error {
	h.mutex.Lock()
	least, revoked := h.highest, h.revoked
	h.mutex.Unlock()
	state, err := e.Load(t.Context(), h.id)
	if err != nil {
		return err
	}
	h.check(t, state, least, revoked)
	answer, next := newAnswer(), state.Generation+1
	h.mutex.Lock()
	h.attempted[answer] = true
	least, revoked = h.highest, h.revoked
	h.mutex.Unlock()
	state, err = e.Swap(t.Context(), h.id, next, answer)
	if err != nil {
		return err
	}
	h.check(t, state, least, revoked)
	if won(state, next, answer) {
		h.mutex.Lock()
		defer h.mutex.Unlock()
		if other := h.won[next]; other != "" && other != answer {
			t.Errorf("two answers won generation %d of %s", next, h.id)
		}
		if h.won[next] = answer; next > h.highest {
			h.highest = next
		}
	}
	return nil
}

func (h *history) check(t *testing.T, state sessions.State, least uint64, revoked bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	switch {
	case state.Revoked:
		return
	case revoked:
		t.Errorf("a revoked session is %+v", state)
	case state.Over || state.Generation < least:
		t.Errorf("generation %d was acknowledged, the state is %+v", least, state)
	case h.won[state.Generation] != "" && h.won[state.Generation] != state.Answer:
		t.Errorf("another answer has won generation %d since", state.Generation)
	case state.Generation > 0 && !h.attempted[state.Answer]:
		t.Errorf("an answer that is from no exchange: %+v", state)
	}
}

// busy has clients of two nodes exchange the tokens of some sessions, and revoke some, while something
// happens.
func busy(t *testing.T, url string, happens func(nodes []sessions.Engine, failing func() int)) {
	t.Helper()
	nodes := []sessions.Engine{open(t, url), open(t, url)}
	epoch := epochOf(t, nodes[0])
	epochOf(t, nodes[1])
	histories := make([]*history, 24)
	for i := range histories {
		histories[i] = &history{id: newID(epoch), won: make(map[uint64]string), attempted: make(map[string]bool)}
	}
	stop := make(chan struct{})
	var group sync.WaitGroup
	var mutex sync.Mutex
	failed, succeeded := 0, 0
	for client := range 8 {
		group.Go(func() {
			for i := client; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				h := histories[i%len(histories)]
				err := h.exchange(t, nodes[client%2])
				if client == 0 && i%50 == 49 && h.id.Random[0] < '4' {
					if nodes[0].Revoke(t.Context(), h.id) == nil {
						h.mutex.Lock()
						h.revoked = true
						h.mutex.Unlock()
					}
				}
				mutex.Lock()
				if err != nil {
					failed++
				} else {
					succeeded++
				}
				mutex.Unlock()
				if errors.Is(err, sessions.ErrDamaged) || errors.Is(err, sessions.ErrOtherEpoch) {
					t.Errorf("%v", err)
					return
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	happens(nodes, func() int { mutex.Lock(); defer mutex.Unlock(); return failed })
	time.Sleep(300 * time.Millisecond)
	close(stop)
	group.Wait()
	t.Logf("%d exchanges, and %d that failed", succeeded, failed)
	if failed == 0 {
		t.Error("nothing failed: nothing was tested")
	}
	feed, _ := read(t, nodes[1], "")
	for _, h := range histories {
		state := load(t, nodes[1], h.id)
		h.check(t, state, h.highest, h.revoked)
		if h.revoked && feed[h.id] == 0 {
			t.Errorf("a revoked session is not in the feed")
		}
		if !state.Revoked {
			swap(t, nodes[0], h.id, state.Generation+1)
		}
	}
	if now := epochOf(t, nodes[0]); now != epoch {
		t.Errorf("another epoch")
	}
}

// untilFailing waits until a call has failed.
func untilFailing(t *testing.T, failing func() int) {
	t.Helper()
	before := failing()
	for range 1000 {
		if failing() > before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("no call failed")
}

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
			if err := call(); err == nil || !strings.Contains(err.Error(), "OOM") {
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

// A feed whose end was lost, as by a fail-over, is not continued, whatever was added
// since.
func TestRedisFeedThatLostItsEndIsNotContinued(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	epoch := epochOf(t, e)
	kept := newID(epoch)
	revoke(t, e, kept)
	_, early := read(t, e, "")
	keys := e.(*engine).keys
	dump, root := r.do("DUMP", keys.feed), r.do("DUMP", keys.root)
	lost := newID(epoch)
	revoke(t, e, lost)
	_, cursor := read(t, e, early)
	stream := r.do("XRANGE", keys.feed, "-", "+").([]any)
	last := stream[len(stream)-1].([]any)[0].(string)

	restore := func() {
		r.do("RESTORE", keys.feed, 0, dump, "REPLACE")
		r.do("RESTORE", keys.root, 0, root, "REPLACE")
	}
	restore()
	if _, _, _, err := e.Revoked(t.Context(), cursor); !errors.Is(err, sessions.ErrCursor) {
		t.Errorf("the cursor at the lost entry: %v", err)
	}
	// Another entry with the very number of the lost one.
	other := newID(epoch)
	r.do("XADD", keys.feed, last, "s", other.String())
	r.do("HINCRBY", keys.root, "count", 1)
	if _, _, _, err := e.Revoked(t.Context(), cursor); !errors.Is(err, sessions.ErrCursor) {
		t.Errorf("the cursor at another entry: %v", err)
	}
	if feed, _ := read(t, e, early); len(feed) != 1 || feed[other] != 1 {
		t.Errorf("the cursor before it: %v", feed)
	}
	for _, cursor := range []string{"x", cursor + "0", strings.ToUpper(cursor), strings.Repeat("0", 2000), "0:0-0:", fmt.Sprintf("%s:99999999999999999999-0:%s", epoch, lost.Random[:16])} {
		if _, _, _, err := e.Revoked(t.Context(), cursor); !errors.Is(err, sessions.ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}

func TestRedisFeedIsReadInPages(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	epoch := epochOf(t, e)
	keys := e.(*engine).keys
	const n = 2*pageLength + 10
	client := r.client()
	pipe := client.Pipeline()
	for range n {
		pipe.Eval(t.Context(), "return redis.call('XADD', KEYS[1], '*', 's', ARGV[1])", []string{keys.feed}, newID(epoch).String())
	}
	pipe.HIncrBy(t.Context(), keys.root, "count", n)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids, cursor := read(t, e, "")
	if len(ids) != n {
		t.Errorf("%d entries, want %d", len(ids), n)
	}
	if ids, again := read(t, e, cursor); len(ids) != 0 || again != cursor {
		t.Errorf("after all: %d entries, %q after %q", len(ids), again, cursor)
	}
	if len(cursor) > 1024 {
		t.Errorf("a cursor of %d bytes", len(cursor))
	}
}

func TestRedisSweepsWhatIsOver(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	epoch := epochOf(t, e)
	keys := e.(*engine).keys
	live := newID(epoch)
	revoke(t, e, live)
	// Sessions that ended long ago, as they were left when Redis removed their records.
	old := sessions.NewID(time.Now().Add(-30*24*time.Hour), epoch)
	bucket := keys.of(old)[0]
	r.do("HSET", bucket, "d"+old.Day+epoch, "")
	if state := load(t, e, old); !state.Over {
		t.Errorf("a session that ended 30 days ago: %+v", state)
	}
	if state, err := e.Swap(t.Context(), old, 1, newAnswer()); err != nil || !state.Over || state.Generation != 0 {
		t.Errorf("its swap: %+v, %v", state, err)
	}
	revoke(t, e, old)
	sweep := func() {
		t.Helper()
		for calls := 0; ; calls++ {
			more, err := e.Sweep(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				return
			}
			if calls > 100 {
				t.Fatal("there is no end")
			}
		}
	}
	sweep()
	if r.do("HEXISTS", bucket, "d"+old.Day+epoch) != int64(0) {
		t.Error("the bucket still has the day")
	}
	if over := r.do("HGET", bucket, "over"); over != lastOver(time.Now()).day {
		t.Errorf("over: %v", over)
	}
	swap(t, e, newID(epoch), 1)
	if feed, _ := read(t, e, ""); len(feed) != 1 || feed[live] != 1 {
		t.Errorf("the feed: %v", feed)
	}

	// The feed, with entries that are over before and after one that is not.
	r.do("DEL", keys.feed)
	r.do("HSET", keys.root, "count", 0)
	add := func(id sessions.ID) {
		t.Helper()
		if _, err := scriptFeedAdd.Run(t.Context(), r.client(), []string{keys.root, keys.feed}, id.String()).Result(); err != nil {
			t.Fatal(err)
		}
	}
	_, beginning := read(t, e, "")
	add(old)
	_, early := read(t, e, "")
	add(sessions.NewID(time.Now().Add(-20*24*time.Hour), epoch))
	_, atLast := read(t, e, "")
	add(live)
	add(sessions.NewID(time.Now().Add(-19*24*time.Hour), epoch))
	_, late := read(t, e, "")
	sweep()
	if feed, _ := read(t, e, ""); len(feed) != 2 || feed[live] != 1 {
		t.Errorf("the feed: %v", feed)
	}
	for _, after := range []string{beginning, early} {
		if _, _, _, err := e.Revoked(t.Context(), after); !errors.Is(err, sessions.ErrCursor) {
			t.Errorf("a cursor to what was removed: %v", err)
		}
	}
	for after, want := range map[string]int{atLast: 2, late: 0} {
		if feed, _ := read(t, e, after); len(feed) != want {
			t.Errorf("%d entries after a cursor that is still good, want %d", len(feed), want)
		}
	}
}

// Each bucket keeps what was swept, even if the clock of Redis was wrong.
func TestRedisSaysForGoodThatASessionWasSwept(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	r.do("HSET", e.(*engine).keys.of(id)[0], "over", id.Day)
	if state := load(t, e, id); !state.Over {
		t.Errorf("%+v", state)
	}
}
