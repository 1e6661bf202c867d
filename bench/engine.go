package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// engine is where sessions live: Redis or PostgreSQL, started for the workload engines on
// loopback, or files, for which nothing is started.
type engine struct {
	name     string // in tables
	id       string // in the names of directories
	sessions string // the line of a token_endpoint

	stop func() // never nil

	// What a row is about. They are nil for files, and total for Redis too.
	cpu   func() (time.Duration, error)                                  // of all its processes
	count func(ctx context.Context, during func() error) (uint64, error) // the commands, or transactions, of nodes meanwhile
	total func(ctx context.Context) (transactions float64, err error)    // since its start, once no node is connected
}

// newEngines starts all engines. If one fails, those before it have been stopped.
func newEngines(ctx context.Context, b *bench) (started []*engine, err error) {
	defer func() {
		if err != nil {
			stopEngines(started)
		}
	}()
	redis, missingRedis := redisProgram()
	postgres, missingPostgres := postgresPrograms()
	if err := errors.Join(missingRedis, missingPostgres); err != nil {
		return nil, err
	}
	started = append(started, &engine{name: "files", id: "files", sessions: "sessions storage", stop: func() {}})
	for _, start := range []func() (*engine, error){
		func() (*engine, error) { return startRedis(ctx, b, redis, true) },
		func() (*engine, error) { return startRedis(ctx, b, redis, false) },
		func() (*engine, error) { return startPostgres(ctx, b, postgres) },
	} {
		e, err := start()
		if err != nil {
			return started, err
		}
		started = append(started, e)
	}
	return started, nil
}

func stopEngines(engines []*engine) {
	for _, e := range engines {
		e.stop()
	}
}

// fleet is two nodes that share an engine, and a storage for keys. Both are on the core
// that is for servers, and the engine is on that of the load.
type fleet struct {
	*engine
	nodes     []*server
	tokens    map[string]string // by algorithm, the file of the refresh tokens that are next
	refreshed uint64
}

// startFleet returns when all passwords are remembered and there are sessions.
func startFleet(ctx context.Context, b *bench, e *engine) (f *fleet, err error) {
	f = &fleet{engine: e, tokens: make(map[string]string)}
	defer func() {
		if err != nil {
			f.stopNodes()
		}
	}()
	site := ""
	for _, algorithm := range engineAlgorithms {
		site += endpointOf(algorithm, e.sessions)
	}
	hash := bcrypted(thePassword, cheapCost)
	for i := range fleetNodes {
		s, err := b.start(ctx, setup{
			name: fmt.Sprintf("%s-%d", e.id, i+1), program: "engines", pinned: true, procs: refreshProcs,
			users: manyUsers, hash: hash, site: site, storage: b.path(e.id + "-storage"),
		})
		if err != nil {
			return f, err
		}
		f.nodes = append(f.nodes, s)
		for _, algorithm := range engineAlgorithms {
			opened, err := logInOften(ctx, s.url(pathOf(algorithm)), fleetSessions)
			if err != nil {
				return f, fmt.Errorf("%s: %w", e.name, err)
			}
			f.tokens[algorithm] = b.path(e.id + "-" + algorithm)
			if err := writeLines(f.tokens[algorithm], len(opened), func(i int) string { return opened[i].Refresh }); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

func (f *fleet) stopNodes() {
	for _, s := range f.nodes {
		s.stop()
	}
}

// nodesCPU is what the first n nodes have used.
func (f *fleet) nodesCPU(n int) (all time.Duration, err error) {
	for _, s := range f.nodes[:n] {
		used, err := cpuTime(s.pid())
		if err != nil {
			return 0, err
		}
		all += used
	}
	return all, nil
}

// newest is the path of a program that Debian keeps outside of the PATH, by version.
func newest(pattern, program string) (string, error) {
	found, _ := filepath.Glob(pattern) // sorted
	if len(found) > 0 {
		return found[len(found)-1], nil
	}
	return exec.LookPath(program)
}

const (
	fleetNodes = 2

	// An odd number, so that a session is at the other node each time.
	fleetSessions = manyUsers - 1
)

var engineAlgorithms = []string{"HS256", "ES256"}
