package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// J8
func TestARevokedSessionIsOverAtOnceForThisProcessAndForEveryRefresh(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, id, other := newNode(storage), newNode(storage), monthAhead(), monthAhead()
		a.wantRotated(t, id, 0, time.Minute, 1)
		must(t, a.Revoke(t.Context(), id))
		if revoked, _ := a.memory.InView(id); !revoked {
			t.Error("this process does not know")
		}
		for _, n := range []*node{a, b, a.restart()} {
			for generation := range uint64(3) {
				n.wantRefused(t, id, generation, time.Minute, ErrRevoked)
				if err := n.check(t.Context(), id, generation, time.Minute); !errors.Is(err, ErrRevoked) {
					t.Errorf("error %v", err)
				}
			}
			if revoked, err := n.Revoked(t.Context(), id); err != nil || !revoked {
				t.Errorf("revoked %v, error %v", revoked, err)
			}
			if revoked, err := n.Revoked(t.Context(), other); err != nil || revoked {
				t.Errorf("another session is revoked %v, error %v", revoked, err)
			}
		}
		a.wantRotated(t, other, 0, 0, 1)
	})
}

func TestTheMarkerIsWrittenBeforeTheRecordAndTheFeed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		must(t, n.Revoke(t.Context(), id))
		stores := storesOf(n)
		want := []string{"sessions/20000201/" + id.random + ".revoked", "sessions/20000201/" + id.random, "revocations/2000010100/" + id.String()}
		if !slices.Equal(stores, want) {
			t.Errorf("calls %q, want %q", stores, want)
		}
	})
}

func TestRevokingAgainWritesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, id := newNode(storage), monthAhead()
		must(t, n.Revoke(t.Context(), id))
		before := storage.keys("")
		n.storage.log()
		time.Sleep(10 * time.Minute)
		must(t, n.Revoke(t.Context(), id))
		for _, call := range n.storage.log() {
			if !strings.HasPrefix(call, "load ") {
				t.Errorf("it has called %s", call)
			}
		}
		if after := storage.keys(""); !slices.Equal(before, after) {
			t.Errorf("storage has %v, before it had %v", after, before)
		}
	})
}

// The view outlives what a power loss or an old backup takes from storage.
func TestRevokingAgainWritesAMarkerThatStorageHasLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n, id := newNode(storage), monthAhead()
		must(t, n.Revoke(t.Context(), id))
		must(t, storage.Delete(t.Context(), n.markerKey(id)))
		must(t, n.Revoke(t.Context(), id))
		n.wantRefused(t, id, 0, 0, ErrRevoked)
	})
}

func TestATornMarkerCountsAndIsNotWrittenAgain(t *testing.T) {
	for _, content := range []string{"", "{\"ver"} {
		inBubble(t, func(t *testing.T) {
			n, id := newNode(newShelf()), monthAhead()
			must(t, n.storage.Store(t.Context(), n.markerKey(id), []byte(content)))
			n.wantRefused(t, id, 0, time.Minute, ErrRevoked)
			n.storage.add(&rule{op: "store", part: markerSuffix, fault: refused})
			must(t, n.Revoke(t.Context(), id))
		})
	}
}

// A crash between marker and feed leaves the other nodes unaware at their edge, until
// the client, which got no answer, asks again, at whatever node.
func TestRevokingAgainCompletesTheFeed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		a, b, id := newNode(storage), newNode(storage), monthAhead()
		a.storage.befalls("store", "revocations/", refused)
		wantUnavailable(t, a.Revoke(t.Context(), id))
		if revoked, _ := a.memory.InView(id); revoked {
			t.Error("the view has what the feed has not")
		}
		a.wantRefused(t, id, 0, 0, ErrRevoked)
		must(t, b.Revoke(t.Context(), id))
		if keys := storage.keys("revocations/"); len(keys) != 1 {
			t.Errorf("the feed has %v", keys)
		}
		must(t, a.Poll(t.Context()))
		if revoked, known := a.memory.InView(id); !revoked || !known {
			t.Errorf("revoked %v, known %v", revoked, known)
		}
	})
}

// J8, J10: every call of a revocation meets every fault. Nil means revoked, everywhere;
// ErrUnavailable means that asking again does it.
func TestAFaultAtAnyCallOfARevocation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(newShelf())
		must(t, n.Revoke(t.Context(), monthAhead()))
		for at := range n.storage.log() {
			for _, what := range []fault{refused, failsButDone, lost, torn, tornUnnoticed, late, hangs, doneButHangs, stuck, doneButStuck, panics, panicsDone} {
				storage := newShelf()
				n, id := newNode(storage), monthAhead()
				n.storage.add(&rule{skip: at, times: 1, fault: what})
				where := fmt.Sprintf("%s at call %d", what, at)
				begun := time.Now()
				err := n.Revoke(t.Context(), id)
				if waited := time.Since(begun); waited > revokeLimit {
					t.Errorf("%s: took %s", where, waited)
				}
				if err != nil {
					if !errors.Is(err, ErrUnavailable) {
						t.Errorf("%s: error %v", where, err)
					}
					n.storage.release()
					synctest.Wait()
					must(t, n.Revoke(t.Context(), id))
				}
				if revoked, _ := n.memory.InView(id); !revoked {
					t.Errorf("%s: this process does not know", where)
				}
				other := n.restart()
				other.wantRefused(t, id, 0, 0, ErrRevoked)
				must(t, other.Poll(t.Context()))
				if revoked, _ := other.memory.InView(id); !revoked {
					t.Errorf("%s: another node does not know", where)
				}
			}
		}
	})
}

func TestACallerThatHangsUpDoesNotStopItsRevocation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n, id := newNode(newShelf()), monthAhead()
		n.storage.obedient = true
		ctx, hangUp := context.WithCancel(t.Context())
		n.storage.add(&rule{op: "load", times: 1, before: func() {
			hangUp()
			time.Sleep(time.Second)
		}})
		wantUnavailable(t, n.Revoke(ctx, id))
		time.Sleep(2 * time.Second)
		n.wantRefused(t, id, 0, 0, ErrRevoked)
		if revoked, _ := n.memory.InView(id); !revoked {
			t.Error("this process does not know")
		}
	})
}

func TestManyRevocationsOfOneSessionAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		nodes, id := []*node{newNode(storage), newNode(storage)}, monthAhead()
		results := make(chan error)
		for i := range 40 {
			go func() { results <- nodes[i%2].Revoke(t.Context(), id) }()
		}
		for range 40 {
			must(t, <-results)
		}
		if keys := storage.keys("re"); len(keys) != 2 {
			t.Errorf("storage has %v", keys)
		}
	})
}

// Nodes read the newest hours only.
func TestAnEntryIsNotPutIntoAnHourBeforeTheNewest(t *testing.T) {
	for name, test := range map[string]struct {
		there []string
		want  string
	}{
		"an empty feed":                         {nil, "2000010100"},
		"older hours":                           {[]string{"1999123122", "1999123123"}, "2000010100"},
		"this hour":                             {[]string{"2000010100"}, "2000010100"},
		"an hour of a clock that is ahead":      {[]string{"1999123123", "2000010105"}, "2000010105"},
		"an hour of a clock that is days ahead": {[]string{"2000011200", "1999123123"}, "2000011200"},
		"foreign names":                         {[]string{"9999", "2000010199", "zzz", "200001020", "2000-01-02"}, "2000010100"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage := newShelf()
				n, id := newNode(storage), monthAhead()
				for _, hour := range test.there {
					put(t, storage, "revocations/"+hour+"/"+monthAhead().String(), "")
				}
				must(t, n.Revoke(t.Context(), id))
				if keys := storage.keys(id.String()); !slices.Equal(keys, []string{"revocations/" + test.want + "/" + id.String()}) {
					t.Errorf("entry %v, want hour %s", keys, test.want)
				}
			})
		})
	}
}
