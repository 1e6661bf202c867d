package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

func TestRedisSaysWhatIsUnsuitable(t *testing.T) {
	for options, says := range map[string]string{
		"--maxmemory-policy allkeys-lru":  "noeviction",
		"--maxmemory-policy volatile-ttl": "noeviction",
		"--rename-command INFO NONE":      "",
	} {
		r := newServer(t, strings.Fields(options)...)
		_, err := open(t, r.url()).Epoch(t.Context())
		if says == "" {
			if err == nil {
				t.Errorf("%s: no error", options)
			}
			continue
		}
		if !errors.Is(err, sessions.ErrUnsuitable) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", options, err)
		}
	}
	if _, err := open(t, newShard(t).url()).Epoch(t.Context()); !errors.Is(err, sessions.ErrUnsuitable) || !strings.Contains(err.Error(), "cluster=true") {
		t.Errorf("a part of a cluster: %v", err)
	}
	master := newServer(t)
	replica := newServer(t, "--replicaof", fmt.Sprintf("127.0.0.1 %d", master.port))
	if _, err := open(t, replica.url()).Epoch(t.Context()); !errors.Is(err, sessions.ErrUnsuitable) || !strings.Contains(err.Error(), "replica") {
		t.Errorf("a replica: %v", err)
	}
	if _, err := open(t, master.url()+"?cluster=true").Epoch(t.Context()); err == nil {
		t.Error("a Redis that is no cluster was taken for one")
	}
	e := open(t, master.url())
	epochOf(t, e)
	master.do("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
	if _, err := e.Epoch(t.Context()); !errors.Is(err, sessions.ErrUnsuitable) {
		t.Errorf("a policy that was changed later: %v", err)
	}
}

// A replica is never read, even where the client was led to it.
func TestRedisReplicaIsNotRead(t *testing.T) {
	master := newServer(t)
	replica := newServer(t)
	e, reader := open(t, master.url()), open(t, replica.url(), func(s *Sessions) { s.Timeout *= 2 })
	epochOf(t, reader)
	id := newID(epochOf(t, e))
	swap(t, e, id, 1)
	replica.do("REPLICAOF", "127.0.0.1", master.port)
	deadline := time.Now().Add(time.Minute)
	for replica.do("DBSIZE") != master.do("DBSIZE") || !strings.Contains(replica.do("INFO", "replication").(string), "master_link_status:up") {
		if time.Now().After(deadline) {
			t.Fatal("the replica has no data")
		}
		time.Sleep(50 * time.Millisecond)
	}
	fails(t, reader, id)
	if _, _, _, err := reader.Revoked(context.Background(), ""); err == nil {
		t.Error("the feed was read from a replica")
	}
	if _, err := reader.Epoch(t.Context()); err == nil {
		t.Error("the epoch was read from a replica")
	}
}
