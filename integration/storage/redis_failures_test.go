package storage

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/sharedfailures"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// countingNode is a process of its own, as far as failures are concerned.
type countingNode struct {
	*throttle.Throttle
	failing atomic.Bool
}

func countOnRedis(t *testing.T) *countingNode {
	t.Helper()
	n := &countingNode{Throttle: throttle.New(throttle.Limits{AccountCeiling: 10})}
	n.UseKey([32]byte{1})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	storage := caddy.ActiveContext().Storage()
	go func() {
		defer close(ended)
		sharedfailures.NewNode(n.Throttle).Follow(ctx, storage, "grant/failures-0a1b2c3d", func(err error) { n.failing.Store(err != nil) })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return n
}

// burn takes an account to its ceiling.
func (n *countingNode) burn(t *testing.T, name string) {
	t.Helper()
	for i := range 10 {
		r, err := n.Reserve(throttle.Attempt{Account: name, Source: throttle.Address(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))})
		if err != nil {
			t.Fatal(err)
		}
		r.Fail()
	}
}

func (n *countingNode) lets(name string) bool {
	r, err := n.Reserve(throttle.Attempt{Account: name, Source: throttle.Address(netip.MustParseAddr("198.51.100.1"))})
	if err == nil {
		r.Cancel()
	}
	return err == nil
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// Nodes count together on Redis; each by itself while it is down, when a list of the
// plugin finds nothing; and together again afterwards.
func TestRedisHasTheFailuresOfAllNodes(t *testing.T) {
	_, r := startOnRedis(t)
	a, b := countOnRedis(t), countOnRedis(t)
	a.burn(t, "alice")
	eventually(t, "the other node knows", func() bool { return !b.lets("alice") })
	if !b.lets("bob") {
		t.Error("another account waits")
	}

	r.Stop()
	a.burn(t, "carol")
	eventually(t, "it is told that Redis is down", a.failing.Load)
	if b.lets("alice") || a.lets("carol") || !b.lets("carol") {
		t.Error("a node forgets, or knows what it cannot know")
	}
	r.start()
	eventually(t, "the other node knows what was counted meanwhile", func() bool { return !b.lets("carol") })
	eventually(t, "Redis works again", func() bool { return !a.failing.Load() && !b.failing.Load() })
	eventually(t, "each node with failures has one object", func() bool {
		objects := 0
		for _, key := range keys(t, r.client(), "*failures-0a1b2c3d/failures/*") {
			if strings.Count(key, "-") >= 2 {
				objects++
			}
		}
		return objects == 1
	})
}
