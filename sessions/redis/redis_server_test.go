package redis

import (
	"context"
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

	goredis "github.com/redis/go-redis/v9"
)

// server is a Redis of this test on loopback. Unless its options say otherwise, it loses
// nothing when it is killed.
type server struct {
	t       *testing.T
	dir     string
	port    int
	options []string
	users   string // the lines of an ACL file
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

func newServer(t *testing.T, options ...string) *server {
	t.Helper()
	needRedis(t)
	r := &server{t: t, dir: t.TempDir(), port: freePort(t), options: options}
	t.Cleanup(r.kill)
	r.start()
	return r
}

func (r *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

func (r *server) url() string { return "redis://" + r.address() + "/0" }

// start returns when the server answers.
func (r *server) start() {
	r.t.Helper()
	acl := filepath.Join(r.dir, "users.acl")
	if err := os.WriteFile(acl, []byte("user default on nopass ~* &* +@all\n"+r.users+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	arguments := append([]string{
		"--aclfile", acl, "--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir, "--logfile", filepath.Join(r.dir, "log"),
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--enable-debug-command", "yes",
	}, r.options...)
	r.cmd = exec.Command("redis-server", arguments...)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	client := r.client()
	for range 400 {
		err := client.Ping(context.Background()).Err()
		if err == nil || goredis.HasErrorPrefix(err, "NOAUTH") {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	text, _ := os.ReadFile(filepath.Join(r.dir, "log"))
	r.t.Fatalf("redis-server does not answer:\n%s", text)
}

// kill ends it as when the machine fails.
func (r *server) kill() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	r.cmd = nil
}

// pause stops the process until the function that it returns is called.
func (r *server) pause() (resume func()) {
	process := r.cmd.Process
	_ = process.Signal(syscall.SIGSTOP)
	return func() { _ = process.Signal(syscall.SIGCONT) }
}

// client is one of the test itself.
func (r *server) client() *goredis.Client {
	client := goredis.NewClient(&goredis.Options{Addr: r.address(), MaxRetries: -1, Protocol: 2, DisableIdentity: true})
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

// newCluster is three servers without replicas, each of which answers for a third of the
// keys.
func newCluster(t *testing.T) []*server {
	t.Helper()
	var shards []*server
	for i := range 3 {
		shard := newServer(t, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "60000")
		shards = append(shards, shard)
		slots := [][2]int{{0, 5460}, {5461, 10921}, {10922, 16383}}[i]
		shard.do("CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1])
		shard.do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i > 0 {
			shards[0].do("CLUSTER", "MEET", "127.0.0.1", shard.port)
		}
	}
	waitForSlots(t, shards)
	return shards
}

// waitForSlots returns when each shard knows of all.
func waitForSlots(t *testing.T, shards []*server) {
	t.Helper()
	for range 400 {
		ready := 0
		for _, shard := range shards {
			slots, err := shard.client().Do(t.Context(), "CLUSTER", "SLOTS").Slice()
			info := shard.client().ClusterInfo(t.Context()).Val()
			if err == nil && len(slots) == len(shards) && strings.Contains(info, "cluster_state:ok") {
				ready++
			}
		}
		if ready == len(shards) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the shards do not find each other")
}

func clusterURL(shards []*server) string {
	url := "redis://" + shards[0].address() + "?cluster=true"
	for _, shard := range shards[1:] {
		url += "&addr=" + shard.address()
	}
	return url
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
