package engines

import (
	"os"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// need skips what a checkout does not need, so the variable says that Redis and
// PostgreSQL are there; then they must be.
func need(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_ENGINES") == "" {
		t.Skip("set CADDY_GRANT_ENGINES where redis-server and PostgreSQL are installed")
	}
}

// redisServer is a Redis of this test.
type redisServer struct {
	*realserver.Redis
	t *testing.T
}

func newRedis(t *testing.T, options ...string) *redisServer {
	t.Helper()
	need(t)
	return startRedis(t, realserver.NewRedis, options)
}

func startRedis(t *testing.T, prepare func(options ...string) (*realserver.Redis, error), options []string) *redisServer {
	t.Helper()
	prepared, err := prepare(options...)
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

// do runs a command of the test itself.
func (r *redisServer) do(args ...any) {
	r.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: r.Address(), MaxRetries: -1, Protocol: 2, DisableIdentity: true})
	defer client.Close()
	if err := client.Do(r.t.Context(), args...).Err(); err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
}

// newShards is a cluster of three, without replicas, each of which answers for a third of
// the keys.
func newShards(t *testing.T) (shards []*redisServer) {
	t.Helper()
	need(t)
	for range 3 {
		shards = append(shards, startRedis(t, realserver.NewShard, nil))
	}
	if err := realserver.JoinShards(prepared(shards)...); err != nil {
		t.Fatal(err)
	}
	return shards
}

// awaitShards returns when each shard knows of all.
func awaitShards(t *testing.T, shards []*redisServer) {
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

// redisLine is the setting for one Redis, at an address, or for a cluster.
func redisLine(address string, others ...*redisServer) string {
	line := "redis redis://" + address
	for i, shard := range others {
		if i == 0 {
			line += "?cluster=true"
		}
		line += "&addr=" + shard.Address()
	}
	return line
}
