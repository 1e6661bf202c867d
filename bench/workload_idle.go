package main

import (
	"context"
	"fmt"
	"time"
)

// measureIdle compares a Caddy with the module, not configured and configured, with one without it, when there is
// nothing to do: how soon it answers after its start, and what it has resident then.
func measureIdle(ctx context.Context, b *bench) ([]figure, error) {
	users, err := b.writeUsers("one-user", 1, bcrypted(thePassword, bcryptCost))
	if err != nil {
		return nil, err
	}
	const site = `respond /hello "Hello, world"`
	kinds := []idle{
		{"plain Caddy", setup{binary: b.plain, site: site}},
		{"with the module, not configured", setup{site: site}},
		{"with a token endpoint", setup{site: fmt.Sprintf(`token_endpoint {
		users htpasswd %s
		%s
	}
	%s`, users, theClient, site)}},
	}
	for _, binary := range []string{b.plain, b.caddy} {
		if err := uncache(binary); err != nil {
			return nil, err
		}
	}
	var figures []figure
	for i, kind := range kinds {
		figures = append(figures,
			measured(kind.name+": answers after", "ms"),
			measured("  resident after a second", "MiB"),
			measured("    of which is not its binary", "MiB"))
		if i > 0 {
			figures = append(figures,
				measured("  later than plain Caddy by", "ms").atMost(50),
				measured("  larger by", "MiB").atMost(5))
		}
	}
	startEach := func(number int) (values []float64, err error) {
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
			values = append(values, s.ready, s.now, s.own)
			if i > 0 {
				values = append(values, s.ready-plain.ready, s.now-plain.now)
			}
		}
		return values, err
	}
	// the first start of each makes its keys, and has the binary read from the disk
	if _, err := startEach(0); err != nil {
		return nil, err
	}
	return inRounds(max(10, 2*b.rounds), 1, figures, func(number int) ([]float64, error) { return startEach(number + 1) })
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
