package engines

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// need skips what a checkout does not need, so the variable says that Redis and
// PostgreSQL are there; then they must be.
func need(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_ENGINES") == "" {
		t.Skip("set CADDY_GRANT_ENGINES where redis-server and PostgreSQL are installed")
	}
}

// redisServer is a Redis of this test on loopback. Unless its options say otherwise, it
// loses nothing when it is killed.
type redisServer struct {
	t       *testing.T
	dir     string
	port    int
	options []string
	cmd     *exec.Cmd
}

func newRedis(t *testing.T, options ...string) *redisServer {
	t.Helper()
	need(t)
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is needed for this test: apt-get install redis-server")
	}
	r := &redisServer{t: t, dir: t.TempDir(), port: freePort(t), options: options}
	t.Cleanup(r.kill)
	r.start()
	return r
}

func (r *redisServer) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// start returns when the server answers.
func (r *redisServer) start() {
	r.t.Helper()
	arguments := append([]string{
		"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir, "--logfile", filepath.Join(r.dir, "log"),
		"--appendonly", "yes", "--appendfsync", "always", "--save", "",
	}, r.options...)
	r.cmd = exec.Command("redis-server", arguments...)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	client := r.client()
	defer client.Close()
	for range 400 {
		if client.Ping(r.t.Context()).Err() == nil {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	text, _ := os.ReadFile(filepath.Join(r.dir, "log"))
	r.t.Fatalf("redis-server does not answer:\n%s", text)
}

// kill ends the server as when its machine fails.
func (r *redisServer) kill() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	r.cmd = nil
}

// pause has the server stand still, and resume go on with what has come meanwhile.
func (r *redisServer) pause()  { _ = r.cmd.Process.Signal(syscall.SIGSTOP) }
func (r *redisServer) resume() { _ = r.cmd.Process.Signal(syscall.SIGCONT) }

// client is one of the test itself.
func (r *redisServer) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: r.address(), MaxRetries: -1, Protocol: 2, DisableIdentity: true})
}

// do runs a command of the test itself.
func (r *redisServer) do(args ...any) {
	r.t.Helper()
	client := r.client()
	defer client.Close()
	if err := client.Do(r.t.Context(), args...).Err(); err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
}

// newShards is a cluster of three, without replicas, each of which answers for a third of
// the keys.
func newShards(t *testing.T) []*redisServer {
	t.Helper()
	var shards []*redisServer
	for i := range 3 {
		shard := newRedis(t, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "60000")
		shards = append(shards, shard)
		slots := [][2]int{{0, 5460}, {5461, 10921}, {10922, 16383}}[i]
		shard.do("CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1])
		shard.do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i > 0 {
			shards[0].do("CLUSTER", "MEET", "127.0.0.1", shard.port)
		}
	}
	awaitShards(t, shards)
	return shards
}

// awaitShards returns when each shard knows of all.
func awaitShards(t *testing.T, shards []*redisServer) {
	t.Helper()
	for range 400 {
		ready := 0
		for _, shard := range shards {
			client := shard.client()
			slots, err := client.ClusterSlots(t.Context()).Result()
			if err == nil && len(slots) == len(shards) && strings.Contains(client.ClusterInfo(t.Context()).Val(), "cluster_state:ok") {
				ready++
			}
			client.Close()
		}
		if ready == len(shards) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the shards do not find each other")
}

// redisLine is the setting for one Redis, at an address, or for a cluster.
func redisLine(address string, others ...*redisServer) string {
	line := "redis redis://" + address
	for i, shard := range others {
		if i == 0 {
			line += "?cluster=true"
		}
		line += "&addr=" + shard.address()
	}
	return line
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
			port -= 15_000
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
