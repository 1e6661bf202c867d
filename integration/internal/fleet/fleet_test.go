package fleet_test

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/fleet"
	"github.com/caddygrant/caddy-grant/internal/session"
)

var (
	nodes = flag.Int("nodes", 12, "how many nodes there are")
	live  = flag.Int("sessions", 20_000, "how many sessions are alive")
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "what the troubles are drawn from")
	much  = flag.Float64("much", 1, "how much happens, in place of 1")
)

// ran is a fleet that was let loose.
func ran(t *testing.T, config fleet.Config) *fleet.Fleet {
	t.Helper()
	config.Seed, config.Log = *seed, t.Logf
	f, err := fleet.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer time.Sleep(time.Minute) // what hangs, hangs until its context ends
	defer f.Close()
	if err := f.Run(t.Context()); err != nil {
		t.Log(f)
		t.Fatal(err)
	}
	return f
}

// simulated runs a fleet and reports what must not have happened.
func simulated(t *testing.T, config fleet.Config) *fleet.Fleet {
	t.Helper()
	config.Nodes, config.Sessions = *nodes, *live
	config.Pause = time.Duration(float64(config.Pause) / *much)
	f := ran(t, config)
	t.Log(f)
	for _, violation := range f.Violations() {
		t.Error(violation)
	}
	for _, op := range []string{"refresh", "race", "revoke", "finish"} {
		if f.Count(op, "done") == 0 {
			t.Errorf("no %s was done", op)
		}
	}
	return f
}

// In three weeks days are over, and swept.
func TestNoSessionOfAFleetOnAnEngineIsLostOrRevivedInWeeks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := fleet.NewInMemory()
		f := simulated(t, fleet.Config{
			Site: site, Duration: 21 * 24 * time.Hour, Clients: 16, Pause: 20 * time.Minute, Lifetime: 6 * 24 * time.Hour,
			Poll: 5 * time.Minute, Sweep: 12 * time.Hour, Grace: 3 * time.Hour,
			Looks: 2000, Every: 30 * time.Minute, Trouble: 2 * time.Hour, Offset: 40 * time.Hour, Restarts: 12 * time.Hour,
		})
		records, entries := site.Engine.Kept(fleet.Server)
		t.Logf("%d records and %d entries of the feed are left", records, entries)
		if swept := f.Count("sweep", "done"); swept == 0 || f.Count("finish", session.ErrOver.Error()) == 0 {
			t.Errorf("%d sweeps, and no session was over", swept)
		}
	})
}

func TestNoSessionOfAFleetOnAnEngineIsLostOrRevivedInMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		simulated(t, fleet.Config{
			Site: fleet.NewInMemory(), Duration: 10 * time.Minute, Clients: 100, Pause: 2 * time.Second, Lifetime: 30 * 24 * time.Hour,
			Poll: 2 * time.Second, Grace: 20 * time.Second,
			Looks: 2000, Every: 2 * time.Second, Trouble: 20 * time.Second, Offset: 10 * time.Minute, Restarts: time.Minute,
		})
	})
}

func TestNoSessionOfAFleetOnFilesIsLostOrRevived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		simulated(t, fleet.Config{
			Site: &fleet.OnFiles{Directory: t.TempDir()}, Duration: 3 * time.Minute, Clients: 20, Pause: 5 * time.Second,
			Lifetime: 30 * 24 * time.Hour, Poll: 5 * time.Second, Grace: 30 * time.Second,
			Looks: 150, Every: 5 * time.Second, Trouble: 20 * time.Second, Offset: time.Second, ByOwnTime: true,
		})
	})
}
