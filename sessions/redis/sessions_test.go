package redis

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/sessions"
)

func TestRedisKeepsASessionThroughItsLife(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	if state := load(t, e, id); state != (sessions.State{}) {
		t.Fatalf("a session in which nothing happened: %+v", state)
	}
	swap(t, e, id, 1)
	answer := newAnswer()
	for range 2 { // the second is a repeat
		state, err := e.Swap(t.Context(), id, 2, answer)
		if err != nil || !won(state, 2, answer) {
			t.Fatalf("%+v, %v", state, err)
		}
	}
	for _, next := range []uint64{1, 2, 4, 1 << 60} {
		state, err := e.Swap(t.Context(), id, next, newAnswer())
		if err != nil || state.Generation != 2 || state.Answer != answer {
			t.Errorf("a swap for %d at 2: %+v, %v", next, state, err)
		}
	}
	_, before := read(t, e, "")
	revoke(t, e, id)
	revoke(t, e, id)
	if state := load(t, e, id); !state.Revoked {
		t.Errorf("after Revoke: %+v", state)
	}
	if state, err := e.Swap(t.Context(), id, 3, newAnswer()); err != nil || !state.Revoked || state.Generation == 3 {
		t.Errorf("a swap after Revoke: %+v, %v", state, err)
	}
	for _, after := range []string{"", before} {
		if ids, _ := read(t, e, after); len(ids) != 1 || ids[id] != 1 {
			t.Errorf("the feed after %q: %v", after, ids)
		}
	}
}

func TestRedisLetsOneOfManyWin(t *testing.T) {
	for name, url := range map[string]string{"standalone": newServer(t).url(), "cluster": clusterURL(newCluster(t))} {
		t.Run(name, func(t *testing.T) {
			nodes := []sessions.Engine{open(t, url), open(t, url)}
			for range 20 {
				id := newID(epochOf(t, nodes[0]))
				var mutex sync.Mutex
				var winners []string
				var group sync.WaitGroup
				for i := range 50 {
					group.Go(func() {
						answer := newAnswer()
						state, err := nodes[i%2].Swap(t.Context(), id, 1, answer)
						if err != nil {
							t.Error(err)
						}
						if won(state, 1, answer) {
							mutex.Lock()
							winners = append(winners, answer)
							mutex.Unlock()
						}
					})
				}
				group.Wait()
				if len(winners) != 1 {
					t.Fatalf("%d winners", len(winners))
				}
			}
		})
	}
}

// A record that cannot be read is neither missing nor replaced, and can be revoked.
func TestRedisSaysThatARecordIsDamaged(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	key := e.(*engine).keys.of(id)[1]
	swap(t, e, id, 1)
	for _, text := range []string{
		"", "x", "1", "1:" + newAnswer() + ":5", "0:" + newAnswer() + ":5:0", "1::5:0", "1:" + newAnswer() + ":5:3", "1:" + newAnswer() + ":x:0",
		"99999999999999999999:" + newAnswer() + ":5:0", "-1:" + newAnswer() + ":5:0", "1:" + newAnswer() + ":5:0 ",
	} {
		r.do("HSET", key, id.Random, text)
		if _, err := e.Load(t.Context(), id); !errors.Is(err, sessions.ErrDamaged) {
			t.Errorf("%q: Load: %v", text, err)
		}
		if _, err := e.Swap(t.Context(), id, 1, newAnswer()); !errors.Is(err, sessions.ErrDamaged) {
			t.Errorf("%q: Swap: %v", text, err)
		}
		if got := r.do("HGET", key, id.Random); got != text {
			t.Errorf("%q was replaced by %q", text, got)
		}
	}
	revoke(t, e, id)
	if state := load(t, e, id); !state.Revoked {
		t.Errorf("%+v", state)
	}
	if ids, _ := read(t, e, ""); ids[id] != 1 {
		t.Errorf("the feed: %v", ids)
	}
}

func TestRedisLengthensNoGraceByAClockThatWentBack(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	ahead := time.Now().Add(time.Hour).UnixMilli()
	r.do("HSET", e.(*engine).keys.of(id)[1], id.Random, "1:"+newAnswer()+":"+strconv.FormatInt(ahead, 10)+":0")
	if state := load(t, e, id); state.Age < 59*time.Minute {
		t.Errorf("%+v", state)
	}
}

// What a session asks is one script, and so is an idle look at the feed.
func TestRedisIsAskedOncePerCall(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url())
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	load(t, e, id)
	_, cursor := read(t, e, "") // the scripts are known now
	for name, call := range map[string]func(){
		"Swap":    func() { swap(t, e, id, 2) },
		"Load":    func() { load(t, e, id) },
		"Revoked": func() { read(t, e, cursor) },
	} {
		before, others := commandCalls(t, r, "evalsha"), commandCalls(t, r, "eval")
		call()
		if ran := commandCalls(t, r, "evalsha") - before; ran != 1 {
			t.Errorf("%s ran %d scripts", name, ran)
		}
		if sent := commandCalls(t, r, "eval") - others; sent != 0 {
			t.Errorf("%s sent its script anew", name)
		}
	}
}

func commandCalls(t *testing.T, r *server, command string) int64 {
	t.Helper()
	text := r.do("INFO", "commandstats").(string)
	at := slices.IndexFunc(strings.Split(text, "\r\n"), func(line string) bool { return strings.HasPrefix(line, "cmdstat_"+command+":") })
	if at < 0 {
		return 0
	}
	_, value, _ := strings.Cut(strings.Split(text, "\r\n")[at], "calls=")
	value, _, _ = strings.Cut(value, ",")
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		t.Fatal(text)
	}
	return n
}

// A clock of Redis that was ahead while a session was revoked does not take that back
// when it is right again. To the script, a session that is over at an earlier time looks
// the same.
func TestRedisARevocationOutlivesAClockThatWasAhead(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url()).(*engine)
	epoch := epochOf(t, e)
	unused, used, other := newID(epoch), newID(epoch), newID(epoch)
	used.Random, other.Random = unused.Random[:3]+used.Random[3:], unused.Random[:3]+other.Random[3:] // one bucket
	ended := func(id sessions.ID, times int) {
		t.Helper()
		past := time.Now().Add(-time.Hour).UnixMilli()
		for _, step := range []string{"1", "2"}[:times] {
			if said, err := e.say(t.Context(), scriptRevoke, e.keys.of(id), id.Epoch, id.Day, past, id.Random, step); err != nil || said != step {
				t.Fatalf("%s, %v", said, err)
			}
		}
		for _, script := range []*goredis.Script{scriptLoad, scriptSwap} {
			said, err := e.say(t.Context(), script, e.keys.of(id), id.Epoch, id.Day, past, id.Random, "0", "1", newAnswer())
			if err != nil || said != saidOver {
				t.Errorf("while the clock is ahead: %s, %v", said, err)
			}
		}
	}
	ended(unused, 1) // the first of its day in the bucket
	swap(t, e, used, 1)
	swap(t, e, other, 1)
	ended(used, 2)
	for _, id := range []sessions.ID{unused, used} {
		if state, err := e.Swap(t.Context(), id, 2, newAnswer()); err != nil || !state.Revoked {
			t.Errorf("once it is right: %+v, %v", state, err)
		}
	}
	revoke(t, e, unused) // and completes what was cut off
	if feed, _ := read(t, e, ""); feed[unused] != 1 {
		t.Errorf("the feed: %v", feed)
	}
	swap(t, e, other, 2)
	if kept := r.do("PTTL", e.keys.of(used)[1]).(int64); kept <= 0 || kept > (7*24*time.Hour).Milliseconds() {
		t.Errorf("records are kept for %v ms", kept)
	}
}

// What is written of a session that is over goes with the next sweep, after which nothing
// is written of it.
func TestRedisTheEndOfASessionThatIsOverLeavesNothingBehind(t *testing.T) {
	r := newServer(t)
	e := open(t, r.url()).(*engine)
	e.sweepAgain = 0
	old := sessions.NewID(time.Now().AddDate(0, 0, -40), epochOf(t, e))
	of := e.keys.of(old)
	revoke(t, e, old)
	if n := r.do("EXISTS", of[1]); n != int64(1) {
		t.Error("nothing was written")
	}
	for range 2 {
		if state := load(t, e, old); !state.Over {
			t.Errorf("%+v", state)
		}
		for more := true; more; {
			var err error
			if more, err = e.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if r.do("EXISTS", of[1]) != int64(0) || r.do("HEXISTS", of[0], "d"+old.Day+old.Epoch) != int64(0) || r.do("XLEN", e.keys.feed) != int64(0) {
			t.Error("something is left")
		}
		revoke(t, e, old)
	}
}
