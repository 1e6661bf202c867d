package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a fleet is like. All of it must be set, but what says otherwise.
type Config struct {
	Site     Site
	Nodes    int
	Sessions int // that are alive at any time
	Seed     uint64

	Duration time.Duration
	Clients  int           // that do something at the same time
	Pause    time.Duration // of a client between two requests, on average; 0: none
	Poll     time.Duration // between two readings of the feed, as revocation_poll
	Sweep    time.Duration // between two sweeps of a node, on average; 0: none
	Grace    time.Duration // of every second session; the others have none
	Lifetime time.Duration // of a session

	Every     time.Duration // between two troubles, on average; 0: none
	Trouble   time.Duration // how long one lasts, at most
	Offset    time.Duration // of a node's clock from the true one, at most
	Restarts  time.Duration // between two kills of the engine, on average, if the site can; 0: none
	ByOwnTime bool          // the grace is measured by the clocks of nodes, as in the storage

	Looks int // at sessions when all troubles have ended, and as many at revoked ones, at most

	Log func(format string, arguments ...any) // may be called by several goroutines
}

// Fleet is nodes, sessions and their clients.
type Fleet struct {
	Config
	report

	began time.Time
	nodes []*node
	slots []slot
	homes homes
	dead  graveyard

	calm atomic.Bool // all troubles have ended
}

// New opens the nodes.
func New(config Config) (*Fleet, error) {
	f := &Fleet{Config: config, began: time.Now(), slots: make([]slot, config.Sessions)}
	f.report.begin()
	for i := range config.Nodes {
		n := &node{index: i, fleet: f}
		if err := n.start(); err != nil {
			f.Close()
			return nil, fmt.Errorf("node %d: %w", i, err)
		}
		f.nodes = append(f.nodes, n)
	}
	return f, nil
}

// Close ends all nodes.
func (f *Fleet) Close() {
	for _, n := range f.nodes {
		n.running().end()
	}
}

// Run begins the sessions, lets the clients loose for the duration, ends all troubles and
// looks at what has become of the sessions. An error is one of the simulation; what it
// found is in the report.
func (f *Fleet) Run(ctx context.Context) error {
	if err := f.ready(ctx, time.Now()); err != nil {
		return err
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	f.Log("%d nodes, %d live sessions, seed %d", len(f.nodes), len(f.slots), f.Seed)

	running, cancel := context.WithTimeout(ctx, f.Duration)
	defer cancel()
	var troubles, clients sync.WaitGroup
	troubles.Go(func() { f.troubles(running) })
	troubles.Go(func() { f.restarts(running) })
	started := time.Now()
	for i := range f.Clients {
		clients.Go(func() {
			c := &client{Fleet: f, Rand: f.random(uint64(i) + 1000)}
			for running.Err() == nil && !f.broken() {
				c.step(running)
			}
		})
	}
	clients.Wait()
	f.ran(time.Since(started))
	troubles.Wait()
	if f.broken() || ctx.Err() != nil {
		return ctx.Err()
	}
	f.calm.Store(true)
	return f.finish(ctx)
}

// random is a source of its own for each part of the fleet.
func (f *Fleet) random(part uint64) *rand.Rand { return rand.New(rand.NewPCG(f.Seed, part)) }

// ready waits until every node has polled successfully since.
func (f *Fleet) ready(ctx context.Context, since time.Time) error {
	deadline := time.Now().Add(2*time.Minute + 3*f.Poll)
	for _, n := range f.nodes {
		for n.running().polledFrom() < f.before(since) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("node %d has not read the revocations: %w", n.index, n.running().failure())
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// begin has every session begin at some node. A login writes nothing.
func (f *Fleet) begin(ctx context.Context) error {
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	const parts = 8
	for part := range parts {
		all.Go(func() {
			random := f.random(uint64(part))
			for i := part; i < len(f.slots); i += parts {
				if err := f.logIn(ctx, f.nodes[random.IntN(len(f.nodes))], &f.slots[i]); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return fmt.Errorf("a login: %w", *err)
	}
	return nil
}

// before and after are times as sessions have them: milliseconds since the fleet began,
// rounded so that they are certainly not later, or not earlier.
func (f *Fleet) before(t time.Time) uint32 { return uint32(t.Sub(f.began)/time.Millisecond) + 1 }
func (f *Fleet) after(t time.Time) uint32  { return f.before(t) + 1 }
