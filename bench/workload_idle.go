package main

import (
	"context"
	"fmt"
	"time"
)

// measureIdle compares a Caddy with the module, not configured and configured, with one without it, when there is
// nothing to do: how soon it answers after its start, and what it has resident then.
func measureIdle(ctx context.Context, b *bench) (findings, error) {
	hash, err := bcrypted(bcryptCost)
	if err != nil {
		return findings{}, err
	}
	users := b.path("one-user.htpasswd")
	if err := writeUsers(users, 1, hash); err != nil {
		return findings{}, err
	}
	const site = `respond /hello "Hello, world"`
	kinds := []*idle{
		{name: "plain Caddy", binary: b.plain, site: site},
		{name: "with the module, not configured", binary: b.caddy, site: site},
		{name: "with a token endpoint", binary: b.caddy, site: fmt.Sprintf(`token_endpoint {
		users htpasswd %s
		%s
	}
	%s`, users, theClient, site)},
	}
	for _, binary := range []string{b.plain, b.caddy} {
		if err := uncache(binary); err != nil {
			return findings{}, err
		}
	}
	// the first start of each makes its keys, and has the binary read from the disk
	for number := range 1 + max(10, 2*b.rounds) {
		var each []func() error
		for i, kind := range kinds {
			each = append(each, func() error { return kind.start(ctx, b, fmt.Sprint("idle-", i)) })
		}
		if err := pass(number, each...); err != nil {
			return findings{}, err
		}
		if number == 0 {
			for _, kind := range kinds {
				kind.ready, kind.resident, kind.own = nil, nil, nil
			}
		}
	}

	var figures []figure
	plain := kinds[0]
	for i, kind := range kinds {
		ready := measured(kind.name+": answers after", "ms", kind.ready...)
		resident := measured("  resident after a second", "MiB", kind.resident...)
		figures = append(figures, ready, resident, measured("    of which is not its binary", "MiB", kind.own...))
		if i > 0 {
			figures = append(figures,
				measured("  later than plain Caddy by", "ms", differences(kind.ready, plain.ready)...).atMost(50),
				measured("  larger by", "MiB", differences(kind.resident, plain.resident)...).atMost(5))
		}
	}
	return findings{figures: figures}, nil
}

// idle is a kind of Caddy, with one value a start.
type idle struct {
	name          string
	binary, site  string
	ready         []float64
	resident, own []float64
}

func (i *idle) start(ctx context.Context, b *bench, name string) error {
	s, err := b.startPinned(ctx, name, i.binary, "", i.site)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	m, err := s.memory()
	i.ready = append(i.ready, milliseconds(s.ready))
	i.resident, i.own = append(i.resident, m.now), append(i.own, m.own)
	return err
}

// differences are those of values that belong together.
func differences(a, b []float64) (of []float64) {
	for i := range a {
		of = append(of, a[i]-b[i])
	}
	return of
}
