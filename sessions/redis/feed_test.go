package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

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
