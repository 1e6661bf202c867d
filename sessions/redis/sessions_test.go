package redis

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

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
