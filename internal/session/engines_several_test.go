package session

import (
	"context"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// severalNode is a process that knows several engines, apart from the storage. Sessions
// begin in the first.
type severalNode struct {
	*node
	engines map[string]*sessionstest.Node
	failed  map[string]int // calls, by engine and call
	mu      sync.Mutex
}

func newSeveralNode(storage *shelf, memories map[string]*sessionstest.Memory) *severalNode {
	n := &severalNode{node: newNode(storage), engines: make(map[string]*sessionstest.Node), failed: make(map[string]int)}
	all := make(map[string]sessions.Engine)
	for name, memory := range memories {
		n.engines[name] = memory.Open(testServer)
		all[name] = n.engines[name]
	}
	n.Store = n.Store.WithEngines(Engines{New: "a", All: all, Storage: true, Failed: func(engine, call string) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.failed[engine+" "+call]++
	}})
	return n
}

// startSeveral has asked all engines once.
func startSeveral(t *testing.T, storage *shelf, memories map[string]*sessionstest.Memory) *severalNode {
	t.Helper()
	n := newSeveralNode(storage, memories)
	if _, err := n.KeepEpochs(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// beganIn is the ID of a session that begins there.
func (n *severalNode) beganIn(engine string) ID {
	e := n.Store.engines[engine]
	return Origin{engine: engine + "-" + e.epochOfNew()}.NewID(time.Now().AddDate(0, 1, 0))
}

func memories(names ...string) map[string]*sessionstest.Memory {
	all := make(map[string]*sessionstest.Memory)
	for _, name := range names {
		all[name] = sessionstest.NewMemory(nil)
	}
	return all
}

func hangsAlways(sessionstest.Call) sessionstest.Fault { return sessionstest.Hangs }

// What one engine has is learned however long the others take.
func TestEachEngineIsFollowedByItself(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, all := newShelf(), memories("a", "b", "c")
		n, other := startSeveral(t, storage, all), startSeveral(t, storage, all)
		must(t, n.Poll(t.Context()))
		id := other.beganIn("b")
		must(t, other.Revoke(t.Context(), id))
		n.engines["a"].Meet(hangsAlways)
		n.engines["c"].Meet(hangsAlways)
		time.Sleep(epochFor)
		begun := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var hanging sync.WaitGroup
		for _, name := range []string{"a", "c"} {
			hanging.Go(func() {
				if err := n.PollEngine(ctx, name); err == nil {
					t.Errorf("%s was read", name)
				}
			})
		}
		if _, err := n.KeepEpoch(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		must(t, n.PollEngine(t.Context(), "b"))
		if revoked, _ := n.memory.InView(id); !revoked || time.Since(begun) > 0 {
			t.Errorf("revoked %v, after %v", revoked, time.Since(begun))
		}
		if at := n.EngineReadAt("b"); !at.Equal(begun) {
			t.Errorf("read at %v", at)
		}
		if at := n.EngineReadAt("a"); !at.Before(begun) || !at.Equal(n.ViewReadAt()) {
			t.Errorf("read at %v, all at %v", at, n.ViewReadAt())
		}
		cancel()
		hanging.Wait()
	})
}

func TestSeveralEnginesAreAskedAtOnceAndTheirErrorsHaveAnOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := memories("d", "b", "a", "c")
		for range 8 {
			n := newSeveralNode(newShelf(), all)
			for _, e := range n.engines {
				e.Meet(hangsAlways)
			}
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			_, err := n.KeepEpochs(ctx)
			cancel()
			wantUnavailable(t, err)
			if took := time.Since(begun); took != 2*time.Second {
				t.Errorf("it took %v", took)
			}
			for _, e := range n.engines {
				e.Meet(func(sessionstest.Call) sessionstest.Fault { return sessionstest.Refused })
			}
			_, err = n.KeepEpochs(t.Context())
			var order string
			for _, line := range strings.Split(err.Error(), "; ") {
				_, rest, _ := strings.Cut(line, "in the engine ")
				order += rest[:1]
			}
			if order != "abcd" {
				t.Errorf("the errors are in the order %s", order)
			}
			if err := n.PollEngines(t.Context()); !strings.Contains(err.Error(), "in the engine a") {
				t.Errorf("error %v", err)
			}
			begun = time.Now()
			for _, e := range n.engines {
				e.Meet(hangsAlways)
			}
			if _, err := n.SweepEngines(t.Context()); strings.Count(err.Error(), "; ") != 3 || time.Since(begun) > sweepLimit {
				t.Errorf("after %v: %v", time.Since(begun), err)
			}
		}
	})
}

// An operator is told of calls that failed, and not of what an engine says for certain.
func TestCallsThatFailAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, all := newShelf(), memories("a", "b")
		n := startSeveral(t, storage, all)
		want := make(map[string]int)
		check := func(what string) {
			t.Helper()
			n.mu.Lock()
			defer n.mu.Unlock()
			if !maps.Equal(n.failed, want) {
				t.Errorf("%s: failed calls %v, want %v", what, n.failed, want)
			}
		}
		id, damaged := n.beganIn("a"), n.beganIn("a")
		n.wantRotated(t, id, 0, 0, 1)
		n.wantRotated(t, damaged, 0, 0, 1)
		all["a"].Damage(testServer, damaged.inEngine())
		n.wantRefused(t, damaged, 1, 0, ErrDamaged)
		n.wantRefused(t, Origin{engine: "a-" + sessions.NewEpoch()}.NewID(time.Now().AddDate(0, 1, 0)), 0, 0, ErrOver)
		must(t, n.Poll(t.Context()))
		all["a"].TrimFeeds()
		wantUnavailable(t, n.Poll(t.Context()))
		must(t, n.Poll(t.Context()))
		check("what an engine says")

		n.engines["a"].Meet(hangsAlways)
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := n.Check(ctx, id, 1, 0)
			left <- err
		}()
		time.Sleep(time.Millisecond)
		cancel()
		wantUnavailable(t, <-left)
		check("a caller who has left")

		n.engines["a"].Meet(func(sessionstest.Call) sessionstest.Fault { return sessionstest.Refused })
		time.Sleep(epochFor)
		_, _ = n.KeepEpochs(t.Context())
		_, _ = n.Check(t.Context(), id, 1, 0)
		_, _ = n.Rotate(t.Context(), id, 1, 0, false)
		_ = n.Revoke(t.Context(), id)
		_ = n.Poll(t.Context())
		_, _ = n.SweepEngines(t.Context())
		for _, call := range EngineCalls {
			want["a "+call] = 1
		}
		check("calls that are refused")
		n.engines["a"].Meet(hangsAlways)
		_, _ = n.Check(t.Context(), id, 1, 0)
		time.Sleep(time.Second)
		want["a "+callLoad]++
		check("a call that takes too long")
	})
}
