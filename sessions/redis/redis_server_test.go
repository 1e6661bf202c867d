package redis

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// server is a Redis of this test. Unless its options say otherwise, it loses nothing when
// it is killed.
type server struct {
	*realserver.Redis
	t       *testing.T
	port    int
	options []string
	users   string // the lines of an ACL file
}

// needRedis skips what a checkout does not need, so the variable says that Redis is
// there; then it must be.
func needRedis(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_REDIS") == "" {
		t.Skip("set CADDY_GRANT_REDIS where redis-server is installed")
	}
}

func newServer(t *testing.T, options ...string) *server {
	t.Helper()
	needRedis(t)
	prepared, err := realserver.NewRedis()
	r := newServerOf(t, prepared, err)
	r.options = options
	r.start()
	return r
}

// newServerOf does not start it.
func newServerOf(t *testing.T, prepared *realserver.Redis, err error) *server {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prepared.Close() })
	return &server{Redis: prepared, t: t, port: prepared.Port()}
}

func (r *server) address() string { return r.Address() }

func (r *server) url() string { return "redis://" + r.Address() + "/0" }

// start returns when the server answers.
func (r *server) start() {
	r.t.Helper()
	acl := filepath.Join(r.Dir(), "users.acl")
	if err := os.WriteFile(acl, []byte("user default on nopass ~* &* +@all\n"+r.users+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.Options = append([]string{"--aclfile", acl, "--enable-debug-command", "yes"}, r.options...)
	if err := r.Start(); err != nil {
		r.t.Fatal(err)
	}
}

// kill ends it as when the machine fails.
func (r *server) kill() { r.Kill() }

// pause stops the process until the function that it returns is called.
func (r *server) pause() (resume func()) {
	r.Pause()
	return r.Resume
}

// client is one of the test itself.
func (r *server) client() *goredis.Client {
	client := goredis.NewClient(&goredis.Options{Addr: r.Address(), MaxRetries: -1, Protocol: 2, DisableIdentity: true})
	r.t.Cleanup(func() { client.Close() })
	return client
}

// do runs a command of the test itself.
func (r *server) do(args ...any) any {
	r.t.Helper()
	result, err := r.client().Do(context.Background(), args...).Result()
	if err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
	return result
}

// newShard is a server that can be a part of a cluster.
func newShard(t *testing.T) *server {
	t.Helper()
	needRedis(t)
	prepared, err := realserver.NewShard()
	shard := newServerOf(t, prepared, err)
	shard.start()
	return shard
}

// newCluster is three servers without replicas, each of which answers for a third of the
// keys.
func newCluster(t *testing.T) (shards []*server) {
	t.Helper()
	for range 3 {
		shards = append(shards, newShard(t))
	}
	if err := realserver.JoinShards(prepared(shards)...); err != nil {
		t.Fatal(err)
	}
	return shards
}

// waitForSlots returns when each shard knows of all.
func waitForSlots(t *testing.T, shards []*server) {
	t.Helper()
	if err := realserver.AwaitShards(prepared(shards)...); err != nil {
		t.Fatal(err)
	}
}

func prepared(shards []*server) (all []*realserver.Redis) {
	for _, shard := range shards {
		all = append(all, shard.Redis)
	}
	return all
}

func clusterURL(shards []*server) string {
	url := "redis://" + shards[0].Address() + "?cluster=true"
	for _, shard := range shards[1:] {
		url += "&addr=" + shard.Address()
	}
	return url
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := realserver.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
