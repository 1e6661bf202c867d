package redis

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

func TestRedisNodesAgreeOnTheEpochOfAnEmptyEngine(t *testing.T) {
	for name, url := range map[string]string{"standalone": newServer(t).url(), "cluster": clusterURL(newCluster(t))} {
		t.Run(name, func(t *testing.T) {
			epochs := make([]string, 8)
			var group sync.WaitGroup
			for i := range epochs {
				e := open(t, url)
				group.Go(func() {
					var err error
					if epochs[i], err = e.Epoch(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			for _, epoch := range epochs {
				if epoch != epochs[0] {
					t.Fatalf("%v", epochs)
				}
			}
			swap(t, open(t, url), newID(epochs[0]), 1)
		})
	}
}

// A session can be asked for before Epoch, but not before there is one.
func TestRedisWithoutAnEpochAnswersNothing(t *testing.T) {
	r := newServer(t)
	id := newID(sessions.NewEpoch())
	e := open(t, r.url())
	fails(t, e, id)
	if _, _, _, err := e.Revoked(t.Context(), ""); err == nil {
		t.Error("there is a feed")
	}
	if keys := r.do("DBSIZE"); keys != int64(0) {
		t.Errorf("%v keys were made", keys)
	}
	other := newID(epochOf(t, open(t, r.url())))
	swap(t, open(t, r.url()), other, 1)
	time.Sleep(examineAgain) // what e has found until now
	ended(t, e, id)
}

func TestRedisThatWasFlushedFailsUntilItIsOpenedAnew(t *testing.T) {
	for _, command := range []string{"FLUSHALL", "FLUSHDB"} {
		r := newServer(t)
		e := open(t, r.url())
		before := epochOf(t, e)
		used, unused := newID(before), newID(before)
		swap(t, e, used, 1)
		_, cursor := read(t, e, "")
		r.do(command)
		for range 2 {
			fails(t, e, used)
			fails(t, e, unused)
			if epoch, err := e.Epoch(t.Context()); err == nil {
				t.Fatalf("%s: an epoch: %s", command, epoch)
			}
		}
		if _, _, _, err := e.Revoked(t.Context(), cursor); err == nil || errors.Is(err, sessions.ErrCursor) {
			t.Errorf("%s: the feed: %v", command, err)
		}
		again := open(t, r.url())
		after := epochOf(t, again)
		if after == before {
			t.Fatalf("%s: the epoch is the same", command)
		}
		for _, e := range []sessions.Engine{e, again} {
			ended(t, e, used)
			ended(t, e, unused)
			if _, _, _, err := e.Revoked(t.Context(), cursor); !errors.Is(err, sessions.ErrCursor) {
				t.Errorf("%s: the old cursor: %v", command, err)
			}
			swap(t, e, newID(after), 1)
		}
		if now := epochOf(t, e); now != after {
			t.Errorf("%s: the first node has the epoch %s, want %s", command, now, after)
		}
	}
}

// Only the sessions of the lost shard end, and the others keep all that they had.
func TestRedisClusterThatLostAShardEndsItsSessions(t *testing.T) {
	shards := newCluster(t)
	e := open(t, clusterURL(shards))
	keys := e.(*engine).keys
	before := epochOf(t, e)
	root := shardOf(t, shards, keys.root)
	var ids []sessions.ID
	for range 60 {
		id := newID(before)
		ids = append(ids, id)
		swap(t, e, id, 1)
	}
	gone := newID(before)
	revoke(t, e, gone)
	lost := (root + 1) % 3
	shards[lost].do("FLUSHALL")

	if _, err := e.Epoch(t.Context()); err == nil {
		t.Error("there is an epoch though a shard is empty")
	}
	check := func(e sessions.Engine, lostOnes func(*testing.T, sessions.Engine, sessions.ID)) {
		t.Helper()
		n := 0
		for _, id := range ids {
			if shardOf(t, shards, keys.of(id)[0]) == lost {
				lostOnes(t, e, id)
				n++
				continue
			}
			if state := load(t, e, id); state.Generation != 1 {
				t.Errorf("a session of another shard: %+v", state)
			}
		}
		if n == 0 || n == len(ids) {
			t.Fatalf("%d of %d sessions are in the lost shard", n, len(ids))
		}
	}
	check(e, fails)
	again := open(t, clusterURL(shards))
	after := epochOf(t, again)
	if after == before {
		t.Fatal("the epoch is the same")
	}
	for _, e := range []sessions.Engine{e, again} {
		if now := epochOf(t, e); now != after {
			t.Errorf("a node has the epoch %s, want %s", now, after)
		}
		check(e, ended)
		if feed, _ := read(t, e, ""); feed[gone] == 0 {
			t.Error("the feed was lost with a shard in which it is not")
		}
		for range 60 {
			swap(t, e, newID(after), 1) // wherever they are
		}
	}

	// The root and the feed are something else: without them all sessions end.
	shards[root].do("FLUSHALL")
	third := open(t, clusterURL(shards))
	last := epochOf(t, third)
	for _, id := range ids {
		ended(t, third, id)
	}
	swap(t, third, newID(last), 1)
	if feed, _ := read(t, third, ""); len(feed) != 0 {
		t.Errorf("the new feed: %v", feed)
	}
}

func shardOf(t *testing.T, shards []*server, key string) int {
	t.Helper()
	slot, err := shards[0].client().ClusterKeySlot(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	return min(int(slot)/5461, 2)
}

// A node that ends while it makes an epoch leaves a part of the buckets with one that
// is never used.
func TestRedisEpochThatWasLeftHalfMadeIsMadeAnew(t *testing.T) {
	for _, at := range []string{"claim", "half", "all"} {
		t.Run(at, func(t *testing.T) {
			r := newServer(t)
			dead := open(t, r.url()).(*engine)
			ctx := t.Context()
			claim, err := dead.clients.once(ctx, scriptRootClaim, []string{dead.keys.root}, "", "0", claimed.Milliseconds())
			if err != nil || claim == "" {
				t.Fatal(claim, err)
			}
			half := sessions.NewEpoch()
			n := map[string]int{"claim": 0, "half": buckets / 2, "all": buckets}[at]
			for _, key := range dead.keys.buckets[:n] {
				if _, err := dead.clients.once(ctx, scriptBucketFill, []string{key}, claim, half, "1", mostEpochs); err != nil {
					t.Fatal(err)
				}
			}
			fails(t, open(t, r.url()), newID(sessions.NewEpoch()))
			e := open(t, r.url())
			epoch := epochOf(t, e)
			if epoch == half {
				t.Fatal("the epoch of the dead node was completed")
			}
			swap(t, e, newID(epoch), 1)
			// What the dead node sent last comes late.
			published, err := dead.clients.once(ctx, scriptRootPublish, []string{dead.keys.root, dead.keys.feed}, claim, half, "", sessions.NewEpoch())
			if err != nil || published != int64(0) {
				t.Errorf("a late epoch was published: %v, %v", published, err)
			}
			if now := epochOf(t, open(t, r.url())); now != epoch {
				t.Errorf("the epoch is %s, want %s", now, epoch)
			}
		})
	}
}

// A claim that is older than another one takes nothing away from it.
func TestRedisLateFillsEndNothing(t *testing.T) {
	r := newServer(t)
	late := open(t, r.url()).(*engine)
	ctx := t.Context()
	claim, err := late.clients.once(ctx, scriptRootClaim, []string{late.keys.root}, "", "0", 0)
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	for _, key := range late.keys.buckets {
		if _, err := late.clients.once(ctx, scriptBucketFill, []string{key}, claim, sessions.NewEpoch(), "1", mostEpochs); err != nil {
			t.Fatal(err)
		}
	}
	swap(t, e, id, 2)
	epochOf(t, e)
}

func TestRedisBucketsKeepABoundedNumberOfEpochs(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url()).(*engine)
	epoch := epochOf(t, e)
	key := e.keys.buckets[5]
	for i := range 100 {
		if _, err := e.clients.once(t.Context(), scriptBucketFill, []string{key}, time.Now().UnixMilli()+int64(i), sessions.NewEpoch(), "0", mostEpochs); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.do("HLEN", key); n != int64(mostEpochs) {
		t.Errorf("%v fields, want %d", n, mostEpochs)
	}
	_ = epoch
}

// The bucket knows that it had records, so that they are not taken for none.
func TestRedisRecordsThatWereRemovedAreNotMissing(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	key := e.(*engine).keys.of(id)[1]
	at := time.UnixMilli(r.do("PEXPIRETIME", key).(int64))
	if !at.Equal(id.Over()) {
		t.Errorf("the records go at %v, want %v", at, id.Over())
	}
	r.do("DEL", key)
	if state := load(t, e, id); !state.Over {
		t.Errorf("%+v", state)
	}
	if state, err := e.Swap(t.Context(), id, 1, newAnswer()); err != nil || !state.Over {
		t.Errorf("%+v, %v", state, err)
	}
	// The feed knows its length.
	other := newID(id.Epoch)
	revoke(t, e, other)
	_, cursor := read(t, e, "")
	r.do("DEL", e.(*engine).keys.feed)
	for _, after := range []string{"", cursor} {
		if _, _, _, err := e.Revoked(t.Context(), after); err == nil || errors.Is(err, sessions.ErrCursor) {
			t.Errorf("a feed that was removed: %v", err)
		}
	}
	again := open(t, r.url())
	epochOf(t, again)
	ended(t, again, other)
}

// The pattern in README.md is that of one server, also where another's name begins so.
func TestTheREADMEListsTheKeysOfOneServer(t *testing.T) {
	r := newServer(t)
	epochOf(t, open(t, r.url()))
	e := openAs(t, "default-2", r.url())
	epochOf(t, e)
	revoke(t, e, newID(epochOf(t, e)))
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, pattern, _ := strings.Cut(string(text), "--scan --pattern '")
	pattern, _, _ = strings.Cut(pattern, "'")
	// the buckets and the root: a feed without entries is no key
	if found := r.do("KEYS", pattern).([]any); len(found) != buckets+1 {
		t.Errorf("%s finds %d keys", pattern, len(found))
	}
}
