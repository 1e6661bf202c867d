package main

import (
	"context"
	"fmt"
	"time"
)

// measureIdle compares a Caddy with the module, not configured and configured, with one without it, when there is
// nothing to do: how soon it answers after its start, and what it has resident then.
func measureIdle(ctx context.Context, b *bench) ([]figure, error) {
	const site = `respond /hello "Hello, world"`
	kinds := []idle{
		{"plain Caddy", setup{program: "plain", site: site}},
		{"with the module, not configured", setup{site: site}},
		{"with a token endpoint", setup{users: 1, hash: bcrypted(thePassword, bcryptCost), site: `token_endpoint {
		users htpasswd users
		import client
	}
	` + site}},
	}
	for _, binary := range []string{b.path("plain"), b.path("caddy")} {
		if err := uncache(binary); err != nil {
			return nil, err
		}
	}
	startEach := func(number int) (figures []figure, err error) {
		started := make([]idling, len(kinds))
		var each []func() error
		for i, kind := range kinds {
			each = append(each, func() (err error) {
				started[i], err = kind.start(ctx, b, fmt.Sprint("idle-", i))
				return err
			})
		}
		err = pass(number, each...)
		plain := started[0]
		for i, s := range started {
			figures = append(figures,
				measured(kinds[i].name+": answers after", "ms", s.ready),
				measured("  resident after a second", "MiB", s.now),
				measured("    of which is not its binary", "MiB", s.own))
			if i > 0 {
				figures = append(figures,
					measured("  later than plain Caddy by", "ms", s.ready-plain.ready).atMost(50),
					measured("  larger by", "MiB", s.now-plain.now).atMost(5))
			}
		}
		return figures, err
	}
	// the first start of each makes its keys, and has the binary read from the disk
	if _, err := startEach(0); err != nil {
		return nil, err
	}
	return inRounds(max(10, 2*b.rounds), 1, func(number int) ([]figure, error) { return startEach(number + 1) })
}

// idle is a kind of Caddy.
type idle struct {
	name  string
	setup setup
}

// idling is what was measured of one that was started.
type idling struct {
	ready float64 // milliseconds
	memory
}

func (i idle) start(ctx context.Context, b *bench, name string) (idling, error) {
	i.setup.name, i.setup.pinned = name, true
	s, err := b.start(ctx, i.setup)
	if err != nil {
		return idling{}, err
	}
	defer s.stop()
	if err := sleep(ctx, time.Second); err != nil {
		return idling{}, err
	}
	m, err := s.memory()
	return idling{milliseconds(s.ready), m}, err
}
