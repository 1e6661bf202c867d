package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/caddygrant/caddy-grant/integration/internal/fleet"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/sessions"
)

// node is a process with a memory and, at an engine, connections of its own.
type node struct {
	*session.Store
	memory *session.Memory
	engine sessions.Engine // nil on files
}

func (m *measurement) newNode(ctx context.Context) (*node, error) {
	n := &node{memory: session.NewMemory()}
	if m.server == nil {
		n.Store = session.NewStore(&certmagic.FileStorage{Path: m.meter.directory()}, "grant/"+fleet.Server, n.memory, time.Now)
		return n, nil
	}
	var err error
	if n.engine, err = m.server.Open(m.server.Address(), connections); err != nil {
		return nil, err
	}
	n.Store = fleet.NewStore(fleet.NewShelf(), n.memory, time.Now, m.server.Name(), n.engine)
	_, err = n.KeepEpochs(ctx)
	return n, err
}

// connections is what a node has at most: the default of the engine for PostgreSQL.
const connections = 10

func (n *node) close() {
	if n.engine != nil {
		_ = n.engine.Close()
	}
}

// begin is new sessions, spread over days.
func (n *node) begin(ctx context.Context, count, days int) ([]session.ID, error) {
	ids := make([]session.ID, count)
	for i := range ids {
		origin, err := n.Origin(ctx)
		if err != nil {
			return nil, err
		}
		ids[i] = origin.NewID(time.Now().AddDate(0, 0, 1+i%days))
	}
	return ids, nil
}

// refresh is what a server does with a refresh token.
func (n *node) refresh(ctx context.Context, id session.ID, generation uint64) error {
	current, err := n.Glance(ctx, id, generation, 0)
	if err != nil {
		return err
	}
	_, err = n.Rotate(ctx, id, generation, 0, current)
	return err
}

// each does something with numbers from 0 up, several at a time, until all are done or
// the time is up, and returns how many it did. 0 is no end of either kind.
func each(clients, count int, lasts time.Duration, do func(i int) error) (done int, took time.Duration, err error) {
	var next, ended atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	began := time.Now()
	for range clients {
		all.Go(func() {
			for failed.Load() == nil && (lasts == 0 || time.Since(began) < lasts) {
				i := int(next.Add(1)) - 1
				if count > 0 && i >= count {
					return
				}
				if err := do(i); err != nil {
					failed.Store(&err)
					return
				}
				ended.Add(1)
			}
		})
	}
	all.Wait()
	if e := failed.Load(); e != nil {
		err = *e
	}
	return int(ended.Load()), time.Since(began), err
}

// syncTime is how long it takes to write and sync a block in a directory.
func syncTime(dir string) (time.Duration, error) {
	file, err := os.Create(filepath.Join(dir, "sync-test"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	const times = 50
	block := make([]byte, 4096)
	began := time.Now()
	for range times {
		if _, err := file.Write(block); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, fmt.Errorf("syncing: %w", err)
		}
	}
	return time.Since(began) / times, nil
}
