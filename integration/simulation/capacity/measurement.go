package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/caddygrant/caddy-grant/integration/simulation"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/sessions"
)

// measurement is that of one engine.
type measurement struct {
	name, title       string
	server            simulation.Server // nil for files
	meter             meter
	sessions, revoked int
	wakes             bool // the engine tells nodes that there is something to read

	node        *node
	ids         []session.ID
	generations []uint64
	last        *reading
	costs       map[string]cost
}

func (m *measurement) run(ctx context.Context) (err error) {
	fmt.Printf("\n## %s\n\n", m.title)
	took, err := syncTime(m.meter.directory())
	if err != nil {
		return err
	}
	fmt.Printf("a block is synced to this disk in %v; %d processors\n\n", took.Round(time.Microsecond), runtime.NumCPU())
	if m.node, err = m.newNode(ctx); err != nil {
		return err
	}
	defer m.node.close()
	_, m.wakes = m.node.engine.(sessions.Waker)
	for _, step := range []func(context.Context) error{m.logins, m.records, m.refreshes, m.twoNodes, m.checks, m.idlePolls, m.revocations, m.start} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// between measures the engine, and this process, while something is done a number of
// times.
func (m *measurement) between(ctx context.Context, do func() (done int, took time.Duration, err error)) (done int, took time.Duration, used usage, err error) {
	before := m.last
	if before == nil {
		first, err := m.meter.read(ctx)
		if err != nil {
			return 0, 0, used, err
		}
		before = &first
	}
	if before.engine, err = m.meter.CPU(); err != nil {
		return 0, 0, used, err
	}
	node := ownCPU()
	if done, took, err = do(); err != nil {
		return 0, 0, used, err
	}
	used.node = ownCPU() - node
	after, err := m.meter.read(ctx)
	used.reading, m.last = after.minus(*before), &after
	return done, took, used, err
}

// usage is what was used by a number of things.
type usage struct {
	reading
	node time.Duration // CPU of this process
}

// each notes and prints what one of something costs.
func (m *measurement) each(what string, done int, took time.Duration, used usage) {
	n := float64(max(1, done))
	c := cost{
		rate: n / took.Seconds(), engine: float64(used.engine.Microseconds()) / n, node: float64(used.node.Microseconds()) / n,
		asked: float64(used.asked) / n, written: float64(used.written) / n, kept: float64(used.size) / n,
	}
	m.costs[what] = c
	fmt.Printf("%-34s %8d done, %8.0f/s, engine %7.1f µs CPU, node %7.1f µs CPU, %5.2f asked, %6.0f bytes of log, %6.0f bytes kept\n",
		what, done, c.rate, c.engine, c.node, c.asked, c.written, c.kept)
}

func (m *measurement) logins(ctx context.Context) error {
	done, took, used, err := m.between(ctx, func() (int, time.Duration, error) {
		began := time.Now()
		var err error
		m.ids, err = m.node.begin(ctx, m.sessions, *days)
		return len(m.ids), time.Since(began), err
	})
	m.generations = make([]uint64, len(m.ids))
	m.each(login, done, took, used)
	return err
}

// records refreshes each session for the first time, which makes its record.
func (m *measurement) records(ctx context.Context) error {
	done, took, used, err := m.between(ctx, func() (int, time.Duration, error) {
		return each(32, len(m.ids), 0, func(i int) error { return m.again(ctx, m.node, i) })
	})
	m.each(firstRefresh, done, took, used)
	return err
}

// again refreshes a session that no other goroutine refreshes now.
func (m *measurement) again(ctx context.Context, n *node, i int) error {
	if err := n.refresh(ctx, m.ids[i], m.generations[i]); err != nil {
		return err
	}
	m.generations[i]++
	return nil
}

func (m *measurement) refreshes(ctx context.Context) error {
	for _, clients := range clientNumbers {
		done, took, used, err := m.between(ctx, func() (int, time.Duration, error) {
			return each(clients, 0, *duration, func(i int) error { return m.again(ctx, m.node, m.place(i)) })
		})
		if err != nil {
			return err
		}
		m.each(refreshBy(clients), done, took, used)
	}
	return nil
}

// place spreads consecutive calls over all sessions, of which there are far more than
// clients, so no two clients use one at the same time.
func (m *measurement) place(i int) int { return i * 7919 % len(m.ids) }

func (m *measurement) twoNodes(ctx context.Context) error {
	other, err := m.newNode(ctx)
	if err != nil {
		return err
	}
	defer other.close()
	nodes := []*node{m.node, other}
	done, took, used, err := m.between(ctx, func() (int, time.Duration, error) {
		return each(32, 0, *duration, func(i int) error { return m.again(ctx, nodes[i%2], m.place(i)) })
	})
	m.each(twoNodes, done, took, used)
	return err
}

func (m *measurement) checks(ctx context.Context) error {
	if err := m.node.Poll(ctx); err != nil {
		return err
	}
	done, took, used, err := m.between(ctx, func() (int, time.Duration, error) {
		return each(1, 10*len(m.ids), 0, func(i int) error {
			_, err := m.node.IsRevoked(ctx, m.ids[i%len(m.ids)], time.Minute)
			return err
		})
	})
	m.each(check, done, took, used)
	return err
}

func (m *measurement) idlePolls(ctx context.Context) error {
	done, took, used, err := m.between(ctx, func() (int, time.Duration, error) {
		return each(1, 2000, 0, func(int) error { return m.node.Poll(ctx) })
	})
	m.each(poll, done, took, used)
	return err
}

func (m *measurement) revocations(ctx context.Context) error {
	count := min(m.revoked, len(m.ids))
	done, took, used, err := m.between(ctx, func() (int, time.Duration, error) {
		return each(32, count, 0, func(i int) error { return m.node.Revoke(ctx, m.ids[i]) })
	})
	m.each(revocation, done, took, used)
	return err
}

// start reads all revocations, as a node does that starts.
func (m *measurement) start(ctx context.Context) error {
	other, err := m.newNode(ctx)
	if err != nil {
		return err
	}
	defer other.close()
	before := heap()
	done, took, used, err := m.between(ctx, func() (int, time.Duration, error) {
		began := time.Now()
		for other.ViewReadAt().IsZero() {
			_ = other.Poll(ctx) // what takes long goes on in the background
			time.Sleep(10 * time.Millisecond)
		}
		return other.memory.ViewSize(), time.Since(began), nil
	})
	m.each(readAtStart, done, took, used)
	known := float64(heap()-before) / float64(max(1, done))
	m.costs[inView] = cost{kept: known}
	fmt.Printf("%-34s %8.0f bytes of a node's memory\n", inView, known)
	runtime.KeepAlive(other)
	return err
}

// heap is the memory in use.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
