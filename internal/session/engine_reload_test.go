package session

import (
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// with is the same process with a config that has another engine by the name "memory".
func (n *engineNode) with(memory *sessionstest.Memory) *engineNode {
	other := &engineNode{node: &node{memory: n.memory, storage: n.storage}, engine: memory.Open(testServer)}
	other.Store = NewStore(n.storage, testPrefix, n.memory, func() time.Time { return time.Now().Add(n.skew) }).
		WithEngines(Engines{New: "memory", All: map[string]sessions.Engine{"memory": other.engine}})
	return other
}

// A reload that changes the URL of an engine: both configs run for a while, and the new
// one may be refused after all.
func TestSessionsBeginInTheEngineOfTheirOwnConfig(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		before := newEngineNode(t, storage, memory, false)
		must(t, before.Poll(t.Context()))
		time.Sleep(time.Second)
		after := before.with(sessionstest.NewMemory(nil))
		for round := range 4 {
			for i, n := range []*engineNode{after, before} {
				if i == 0 || round > 0 { // the first login of the old config comes before its next poll
					_, _ = n.KeepEpochs(t.Context())
					_ = n.Poll(t.Context())
				}
				for _, n := range []*engineNode{before, after} {
					id := n.began(t)
					n.wantRotated(t, id, 0, 0, 1)
					must(t, n.Revoke(t.Context(), id))
					if revoked, err := n.IsRevoked(t.Context(), id, 0); err != nil || !revoked {
						t.Errorf("revoked %v, error %v", revoked, err)
					}
				}
			}
			time.Sleep(2 * time.Second)
		}
	})
}

// Another process at the engine notices as soon as this one has learned of it.
func TestANewEpochThatAnotherConfigHasLearnedOfIsAskedForAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		memory.Flush()
		reloaded := n.with(memory)
		if _, err := reloaded.KeepEpochs(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := n.KeepEpochs(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.wantRotated(t, n.began(t), 0, 0, 1)
	})
}

// What is dropped when a clock is ahead matters again when it is right.
func TestARevocationInAnEngineCountsAfterAClockWasAheadForAWhile(t *testing.T) {
	for _, between := range []string{"nothing", "a poll of the storage", "a poll of the engines", "a poll of all"} {
		t.Run(between, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage, memory := engines()
				n := newEngineNode(t, storage, memory, true)
				other := n.another(t, memory)
				id := other.began(t)
				must(t, other.Revoke(t.Context(), id))
				must(t, n.Poll(t.Context()))
				wantRevoked := func() {
					t.Helper()
					if revoked, err := n.IsRevoked(t.Context(), id, 0); err != nil || !revoked {
						t.Errorf("revoked %v, error %v", revoked, err)
					}
				}
				wantRevoked()
				n.skew = 60 * 24 * time.Hour
				n.forgetOver()
				if between == "a poll of all" {
					must(t, n.Poll(t.Context()))
				}
				n.skew = 0
				wantRevoked()
				switch between {
				case "a poll of the storage":
					must(t, n.PollStorage(t.Context()))
				case "a poll of the engines":
					must(t, n.PollEngines(t.Context()))
				}
				wantRevoked()
				must(t, n.Poll(t.Context()))
				revoked, _ := n.memory.InView(id)
				if known := n.engines["memory"].known.knows(id); !revoked || !known {
					t.Errorf("revoked %v, known %v", revoked, known)
				}
			})
		})
	}
}

// Days that a node has swept in the storage say nothing of sessions elsewhere: an engine
// goes by its own clock.
func TestADayThatIsSweptInTheStorageEndsNoSessionInAnEngine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, true)
		id := n.began(t)
		put(t, storage, "swept/"+id.day, "{}")
		must(t, n.Poll(t.Context()))
		n.wantRotated(t, id, 0, 0, 1)
		must(t, n.Revoke(t.Context(), id))
		n.another(t, memory).wantRefused(t, id, 1, 0, ErrRevoked)
	})
}

// What a fail-over lost, this process still knows.
func TestIntrospectionKnowsOfARevocationThatAnEngineHasLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage, memory := engines()
		n := newEngineNode(t, storage, memory, false)
		id := n.began(t)
		replica := memory.Snapshot()
		must(t, n.Revoke(t.Context(), id))
		memory.FailOver(replica)
		if revoked, err := n.Revoked(t.Context(), id); err != nil || !revoked {
			t.Errorf("revoked %v, error %v", revoked, err)
		}
	})
}

// Neither an engine that is down nor one that a reload has taken out of the config.
func TestWhatWaitsForOneEngineHoldsUpNothingElsewhere(t *testing.T) {
	for what, faulty := range map[string]func(*engineNode){
		"an engine that is down": func(n *engineNode) {
			n.engine.Meet(func(sessionstest.Call) sessionstest.Fault { return sessionstest.Refused })
		},
		"an engine that is no longer in the config": func(n *engineNode) {
			n.memory.Leave(n.Store)
			n.memory.Serve(NewStore(n.storage, testPrefix, n.memory, time.Now))
		},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage, memory := engines()
				n := newEngineNode(t, storage, memory, true)
				there, here := n.began(t), monthAhead()
				n.memory.Serve(n.Store)
				defer n.memory.Close()
				bounded := n.Within(newAllowance(100))
				bounded.RevokeLater(there, 30*time.Second)
				bounded.RevokeLater(here, 30*time.Second)
				faulty(n)
				time.Sleep(5 * time.Minute)
				if !n.memory.later.has(there) {
					t.Error("it was given up")
				}
				newNode(storage).wantRefused(t, here, 0, 0, ErrRevoked)
			})
		})
	}
}
