package storage

import (
	"os"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// redisServer is a Redis of this test, which loses nothing when it restarts.
type redisServer struct {
	*realserver.Redis
	t *testing.T
}

// needRedis skips what a checkout does not need, so the variable says that Redis is
// there; then it must be.
func needRedis(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_REDIS") == "" {
		t.Skip("set CADDY_GRANT_REDIS where redis-server is installed")
	}
}

func newRedis(t *testing.T) *redisServer {
	t.Helper()
	needRedis(t)
	return started(t, realserver.NewRedis)
}

func started(t *testing.T, prepare func(options ...string) (*realserver.Redis, error)) *redisServer {
	t.Helper()
	prepared, err := prepare()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prepared.Close() })
	r := &redisServer{prepared, t}
	r.start()
	return r
}

// start returns when the server answers.
func (r *redisServer) start() {
	r.t.Helper()
	if err := r.Start(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *redisServer) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: r.Address(), MaxRetries: -1})
}

// newCluster is three of them, without replicas, each of which answers for a third of
// the keys.
func newCluster(t *testing.T) (shards []*redisServer) {
	t.Helper()
	needRedis(t)
	for range 3 {
		shards = append(shards, started(t, realserver.NewShard))
	}
	if err := realserver.JoinShards(prepared(shards)...); err != nil {
		t.Fatal(err)
	}
	return shards
}

// waitForSlots returns when all shards know that all of them are there.
func waitForSlots(t *testing.T, shards []*redisServer) {
	t.Helper()
	if err := realserver.AwaitShards(prepared(shards)...); err != nil {
		t.Fatal(err)
	}
}

func prepared(shards []*redisServer) (all []*realserver.Redis) {
	for _, shard := range shards {
		all = append(all, shard.Redis)
	}
	return all
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := realserver.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
