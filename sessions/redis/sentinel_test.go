package redis

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/realserver"
	"github.com/caddygrant/caddy-grant/sessions"
)

// newSentinel watches a master.
func newSentinel(t *testing.T, master *server) *server {
	t.Helper()
	prepared, err := realserver.NewSentinel("sessions", master.Redis)
	s := newServerOf(t, prepared, err)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// A fail-over is followed. It loses what the replica did not have: nothing that was
// acknowledged longer ago than the replica lags, and what was lost is told here.
func TestRedisSentinelFailsOver(t *testing.T) {
	master := newServer(t)
	replica := newServer(t, "--replicaof", fmt.Sprintf("127.0.0.1 %d", master.port))
	sentinel := newSentinel(t, master)
	for range 400 {
		text, err := sentinel.client().Do(t.Context(), "SENTINEL", "REPLICAS", "sessions").Result()
		if err == nil && len(text.([]any)) == 1 && strings.Contains(replica.do("INFO", "replication").(string), "master_link_status:up") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	url := "redis://" + sentinel.address() + "?master_name=sessions"
	nodes := []sessions.Engine{open(t, url), open(t, url)}
	epoch := epochOf(t, nodes[0])
	old := newID(epoch)
	revoked := newID(epoch)
	swap(t, nodes[0], old, 1)
	revoke(t, nodes[1], revoked)
	_, cursor := read(t, nodes[1], "")
	for range 400 { // the replica has all of it
		if strings.Contains(fmt.Sprint(replica.do("XLEN", nodes[0].(*engine).keys.feed)), "1") {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}

	type client struct {
		id           sessions.ID
		acknowledged uint64
		lost         bool
	}
	clients := make([]*client, 8)
	stop := make(chan struct{})
	var group sync.WaitGroup
	for i := range clients {
		clients[i] = &client{id: newID(epoch)}
		group.Go(func() {
			c := clients[i]
			for {
				select {
				case <-stop:
					return
				default:
				}
				answer := newAnswer()
				state, err := nodes[i%2].Swap(t.Context(), c.id, c.acknowledged+1, answer)
				switch {
				case err != nil:
				case won(state, c.acknowledged+1, answer):
					c.acknowledged++
				case state.Generation < c.acknowledged:
					c.lost, c.acknowledged = true, state.Generation
				default: // one that failed has taken effect
					c.acknowledged = state.Generation
				}
			}
		})
	}
	time.Sleep(500 * time.Millisecond)
	master.kill()
	for range 400 {
		if strings.Contains(replica.do("INFO", "replication").(string), "role:master") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	close(stop)
	group.Wait()
	lost := 0
	for _, c := range clients {
		if c.lost {
			lost++
		}
		state := load(t, nodes[0], c.id)
		swap(t, nodes[1], c.id, state.Generation+1)
	}
	t.Logf("%d of %d sessions that were exchanged all the time went back", lost, len(clients))
	swap(t, nodes[0], old, 2)
	if state := load(t, nodes[0], revoked); !state.Revoked {
		t.Errorf("%+v", state)
	}
	if feed, _ := read(t, nodes[0], cursor); len(feed) != 0 {
		t.Errorf("the feed after a cursor that the replica had: %v", feed)
	}
	if now := epochOf(t, nodes[0]); now != epoch {
		t.Error("another epoch")
	}
}
