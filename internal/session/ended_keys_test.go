package session

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// wantKey fails the test unless a node knows whether a key has ended.
func (n *node) wantKey(t *testing.T, of string, want bool) {
	t.Helper()
	if ended, known := n.memory.KeyEnded(of); ended != want || !known {
		t.Errorf("%s: ended %t, known %t, want %t", of, ended, known, want)
	}
}

func TestAKeyEndsAtOnceAndAtAllNodesOnceItIsTold(t *testing.T) {
	a, b := tellers(t)
	if !a.memory.EndKey("one") || a.memory.EndKey("one") {
		t.Error("a key does not end once")
	}
	a.wantKey(t, "one", true)
	a.wantKey(t, "two", false)
	b.wantKey(t, "one", false)
	must(t, a.TellEndedKeys(t.Context()))
	must(t, b.ReadNotices(t.Context()))
	for _, n := range []*node{a, b, b.restart()} {
		must(t, n.ReadNotices(t.Context()))
		n.wantKey(t, "one", true)
		n.wantKey(t, "two", false)
		if n.memory.EndKey("one") {
			t.Error("it ends again")
		}
	}
	a.storage.dies()
	must(t, a.TellEndedKeys(t.Context())) // nothing is new, and storage is not asked
}

func TestAKeyStaysEndedWhileTheStorageDoesNotTakeTheNotice(t *testing.T) {
	a, b := tellers(t)
	a.storage.befalls("store", "notices", refused)
	for i := range 3 {
		a.memory.EndKey(fmt.Sprint(i))
	}
	wantUnavailable(t, a.TellEndedKeys(t.Context()))
	a.wantKey(t, "2", true)
	must(t, b.ReadNotices(t.Context()))
	b.wantKey(t, "2", false)
	a.storage.recovers()
	must(t, a.TellEndedKeys(t.Context()))
	must(t, b.ReadNotices(t.Context()))
	for i := range 3 {
		b.wantKey(t, fmt.Sprint(i), true)
	}
}

// Two configs of a process tell at the same time during a reload, and other nodes do.
func TestKeysThatEndTogetherAreAllTold(t *testing.T) {
	a, b := tellers(t)
	var all sync.WaitGroup
	for i := range 8 {
		a.memory.EndKey(fmt.Sprint("a", i))
		b.memory.EndKey(fmt.Sprint("b", i))
	}
	for _, n := range []*node{a, a, b} {
		all.Go(func() {
			for n.TellEndedKeys(t.Context()) != nil { // another node was quicker
			}
		})
	}
	all.Wait()
	fresh := a.restart()
	must(t, fresh.ReadNotices(t.Context()))
	for i := range 8 {
		for _, of := range []string{"a", "b"} {
			fresh.wantKey(t, fmt.Sprint(of, i), true)
		}
	}
	fresh.wantKey(t, strings.Repeat("a", 3), false)
}
