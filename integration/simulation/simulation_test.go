package simulation_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/fleet"
	"github.com/caddygrant/caddy-grant/integration/simulation"
)

var (
	nodes    = flag.Int("nodes", 100, "how many nodes there are")
	live     = flag.Int("sessions", 1_000_000, "how many sessions are alive")
	duration = flag.Duration("duration", 20*time.Second, "for how long clients do something, at each engine")
	seed     = flag.Uint64("seed", uint64(time.Now().UnixNano()), "what the troubles are drawn from")
	clients  = flag.Int("clients", 200, "how many clients do something at the same time")
	every    = flag.Duration("every", 400*time.Millisecond, "how often there is a trouble; 0 for none")
	kills    = flag.Duration("kills", 6*time.Second, "how often the engine is killed; 0 for never")
)

// needServers skips what a checkout does not need, so the variable says that the servers
// are there; then they must be.
func needServers(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_SIMULATION") == "" {
		t.Skip("set CADDY_GRANT_SIMULATION where redis-server and PostgreSQL are installed")
	}
}

func simulated(t *testing.T, server simulation.Server, nodes int) {
	t.Helper()
	f, err := fleet.New(fleet.Config{
		Site: simulation.NewSite(server, 4), Nodes: nodes, Sessions: *live, Seed: *seed,
		Duration: *duration, Clients: *clients, Poll: 2 * time.Second, Sweep: 10 * time.Second, Grace: 5 * time.Second,
		Lifetime: 30 * 24 * time.Hour, Looks: 10_000,
		Every: *every, Trouble: 6 * time.Second, Offset: 3 * 24 * time.Hour, Restarts: *kills, Log: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	err = f.Run(t.Context())
	t.Log(f)
	if err != nil {
		t.Error(err)
	}
	for _, violation := range f.Violations() {
		t.Error(violation)
	}
	for _, op := range []string{"refresh", "race", "revoke", "access", "poll", "finish"} {
		if f.Count(op, "done") == 0 {
			t.Errorf("no %s was done", op)
		}
	}
}

func TestNoSessionOfAFleetOnRedisIsLostOrRevived(t *testing.T) {
	needServers(t)
	server, err := simulation.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	simulated(t, server, *nodes)
}

func TestNoSessionOfAFleetOnPostgreSQLIsLostOrRevived(t *testing.T) {
	needServers(t)
	server, err := simulation.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	simulated(t, server, min(*nodes, affordable(t, server)))
}

// affordable is for how many nodes a PostgreSQL on this machine can start processes again
// after it was killed, before those that wait give up and ask for others: it starts one for
// each connection, which takes some machines twenty times as long as others.
func affordable(t *testing.T, server *simulation.Postgres) int {
	t.Helper()
	const tries = 20
	begun := time.Now()
	for range tries {
		conn, err := server.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close(t.Context())
	}
	each := time.Since(begun) / tries
	t.Logf("a connection takes %v", each)
	return max(10, int(500*time.Millisecond/each))
}
