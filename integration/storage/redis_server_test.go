package storage

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a Redis of this test on loopback, which loses nothing when it
// restarts.
type redisServer struct {
	t       *testing.T
	dir     string
	port    int
	options []string
	cmd     *exec.Cmd
}

// needRedis skips what a checkout does not need, so the variable says that Redis is
// there; then it must be.
func needRedis(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_REDIS") == "" {
		t.Skip("set CADDY_GRANT_REDIS where redis-server is installed")
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is needed for this test: apt-get install redis-server")
	}
}

func newRedis(t *testing.T, options ...string) *redisServer {
	t.Helper()
	needRedis(t)
	r := &redisServer{t: t, dir: t.TempDir(), port: freePort(t), options: options}
	t.Cleanup(r.stop)
	r.start()
	return r
}

func (r *redisServer) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// start returns when the server answers.
func (r *redisServer) start() {
	r.t.Helper()
	arguments := append([]string{
		"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction",
	}, r.options...)
	r.cmd = exec.Command("redis-server", arguments...)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	client := r.client()
	defer client.Close()
	for range 200 {
		if client.Ping(context.Background()).Err() == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.t.Fatal("redis-server does not answer")
}

// stop ends the server as a service manager does.
func (r *redisServer) stop() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	_ = r.cmd.Wait()
	r.cmd = nil
}

func (r *redisServer) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: r.address(), MaxRetries: -1})
}

// newCluster is three of them, without replicas, each of which answers for a third of
// the keys.
func newCluster(t *testing.T) []*redisServer {
	t.Helper()
	ctx := t.Context()
	var shards []*redisServer
	for range 3 {
		shards = append(shards, newRedis(t, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "60000"))
	}
	for i, shard := range shards {
		client := shard.client()
		defer client.Close()
		slots := [][2]int{{0, 5460}, {5461, 10921}, {10922, 16383}}[i]
		if err := client.ClusterAddSlotsRange(ctx, slots[0], slots[1]).Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	first := shards[0].client()
	defer first.Close()
	for _, shard := range shards[1:] {
		if err := first.ClusterMeet(ctx, "127.0.0.1", strconv.Itoa(shard.port)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	waitForSlots(t, shards)
	return shards
}

// freePort is one that is free together with the one that a cluster adds 10,000 to.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port > 55_000 {
			port -= 30_000
		}
		if bus, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+10_000)); err == nil {
			bus.Close()
			if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				l.Close()
				return port
			}
		}
	}
	t.Fatal("no free port")
	return 0
}
