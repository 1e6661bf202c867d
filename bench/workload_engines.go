package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"time"
)

// measureEngines compares refreshes with logins where sessions are in files, in Redis and
// in PostgreSQL, at one node and at two. Sessions are refreshed again and again, as they
// are where they live for weeks. Each row is measured once a round, right before or after
// as many logins at the same nodes, by as many clients.
func measureEngines(ctx context.Context, b *bench) (found findings, err error) {
	engines, err := newEngines(ctx, b)
	if err != nil {
		return findings{}, err
	}
	defer stopEngines(engines)
	source, err := sourceDir(ctx)
	if err != nil {
		return findings{}, err
	}
	if err := compile(ctx, filepath.Join(source, "engines"), ".", b.path("engines")); err != nil {
		return findings{}, err
	}
	names := b.path("names")
	if err := writeNames(names); err != nil {
		return findings{}, err
	}
	before := make(map[*engine]float64)
	for _, e := range engines {
		if e.total != nil {
			if before[e], err = e.total(ctx); err != nil {
				return findings{}, err
			}
		}
	}
	var fleets []*fleet
	for _, e := range engines {
		f, err := startFleet(ctx, b, e)
		if err != nil {
			return findings{}, err
		}
		defer f.stopNodes()
		fleets = append(fleets, f)
	}

	measured, err := measureRows(ctx, b, fleets, names)
	if err != nil {
		return findings{}, err
	}
	figures := engineFigures(measured)
	for _, f := range fleets {
		if f.total == nil {
			continue
		}
		f.stopNodes()
		after, err := f.total(ctx)
		if err != nil {
			return findings{}, err
		}
		// with those of starts and polls, and those that only read, which the rows lack
		all := ratio(f.name+": all transactions / refreshes", (after-before[f.engine])/float64(f.refreshed))
		figures = append(figures, all.atMost(1.1))
	}
	return findings{Rows: measured, Figures: figures}, nil
}

// measureRows warms each row up, which is when commands are counted: to tell them slows
// Redis down. Then it measures all of them in turns.
func measureRows(ctx context.Context, b *bench, fleets []*fleet, names string) ([]engineRow, error) {
	var rows []*engineTurns
	for _, f := range fleets {
		for _, algorithm := range engineAlgorithms {
			for _, nodes := range []int{1, fleetNodes} {
				for _, clients := range []uint64{1, 8, 32} {
					if algorithm != "HS256" && (nodes != 1 || clients != 8) { // what its signature adds does not depend on them
						continue
					}
					rows = append(rows, newEngineTurns(b, f, algorithm, nodes, clients, names))
				}
			}
		}
	}
	for _, r := range rows {
		if err := r.warmUp(ctx); err != nil {
			return nil, err
		}
	}
	for round := range b.rounds {
		var each []func() error
		for _, r := range rows {
			each = append(each, func() error { return r.measure(ctx, round) })
		}
		if err := pass(round, each...); err != nil {
			return nil, err
		}
	}
	var measured []engineRow
	for _, r := range rows {
		measured = append(measured, r.row)
	}
	return measured, nil
}

// engineTurns are those of a row.
type engineTurns struct {
	*bench
	fleet          *fleet
	login, refresh plan
	row            engineRow
}

func newEngineTurns(b *bench, f *fleet, algorithm string, nodes int, clients uint64, names string) *engineTurns {
	var addresses []string
	for _, s := range f.nodes[:nodes] {
		addresses = append(addresses, s.url(pathOf(algorithm)))
	}
	planned := func(form url.Values, lines, contains string) plan {
		p := saturating(posting(addresses[0], form), contains)
		p.Others, p.Lines, p.Workers, p.Duration = addresses[1:], lines, clients, engineTurn
		return p
	}
	t := &engineTurns{
		bench: b, fleet: f,
		login:   planned(login("{line}", thePassword), names, `"access_token"`),
		refresh: planned(refreshing("{line}"), f.tokens[algorithm], `"refresh_token"`),
		row:     engineRow{Sessions: f.name, Nodes: nodes, Clients: clients, Algorithm: algorithm},
	}
	t.refresh.Follow = true
	return t
}

func (t *engineTurns) warmUp(ctx context.Context) error {
	if _, err := t.turn(ctx, &t.login); err != nil {
		return err
	}
	var refreshed reading
	refresh := func() (err error) { refreshed, err = t.refreshes(ctx); return err }
	if t.fleet.count == nil {
		return refresh()
	}
	commands, err := t.fleet.count(ctx, refresh)
	if err != nil {
		return fmt.Errorf("%s: %w", t.row.name(), err)
	}
	counted := ratio("commands per refresh", float64(commands)/float64(refreshed.answers()))
	t.row.Commands = &counted
	return nil
}

// measure adds the values of a round to the row.
func (t *engineTurns) measure(ctx context.Context, round int) error {
	var limit, its reading
	var engine time.Duration
	err := pass(round,
		func() (err error) { limit, err = t.turn(ctx, &t.login); return err },
		func() (err error) {
			begun, err := t.engineCPU()
			if err != nil {
				return err
			}
			if its, err = t.refreshes(ctx); err != nil {
				return err
			}
			ended, err := t.engineCPU()
			engine = ended - begun
			return err
		})
	if err != nil {
		return err
	}
	t.row.add(limit, its)
	if t.fleet.cpu != nil {
		t.row.addEngine(microseconds(engine) / float64(its.answers()))
	}
	return nil
}

func (t *engineTurns) engineCPU() (time.Duration, error) {
	if t.fleet.cpu == nil {
		return 0, nil
	}
	return t.fleet.cpu()
}

func (t *engineTurns) refreshes(ctx context.Context) (reading, error) {
	s, err := t.turn(ctx, &t.refresh)
	t.fleet.refreshed += s.answers()
	return s, err
}

// turn loads the nodes of the row.
func (t *engineTurns) turn(ctx context.Context, p *plan) (s reading, err error) {
	begun, err := t.fleet.nodesCPU(t.row.Nodes)
	if err != nil {
		return s, err
	}
	if s.outcome, err = t.offer(ctx, *p); err != nil {
		return s, fmt.Errorf("%s: %w", t.row.name(), err)
	}
	ended, err := t.fleet.nodesCPU(t.row.Nodes)
	p.First += s.answers()
	s.cpu = microseconds(ended-begun) / float64(s.answers())
	return s, err
}

// engineFigures are what is wanted of engines, of the row with the most load, where CPU
// time is what is short, and of the row that is farthest from it. Of files nothing is
// wanted here: see refresh.
func engineFigures(rows []engineRow) (figures []figure) {
	ratioOf := func(r engineRow) figure { return r.Ratio.atMost(1.3) }
	for _, name := range enginesOf(rows) {
		its := slices.DeleteFunc(slices.Clone(rows), func(r engineRow) bool { return r.Sessions != name || r.Commands == nil })
		switch name {
		case "files":
		case "postgres":
			figures = append(figures, busiestAndMost(its, "a node's CPU per refresh / per login", ratioOf)...)
			figures = append(figures, most(its, "transactions that write per refresh", func(r engineRow) figure { return r.Commands.atMost(1.01) }))
		default:
			figures = append(figures, busiestAndMost(its, "a node's CPU per refresh / per login", ratioOf)...)
			figures = append(figures, busiestAndMost(its, "Redis' CPU per refresh", func(r engineRow) figure { return r.EngineCPU.atMost(40) })...)
			figures = append(figures, most(its, "commands per refresh", func(r engineRow) figure { return r.Commands.atMost(2) }))
		}
	}
	return figures
}

// busiestAndMost are the figure of the row with the most nodes and clients, and the
// highest one.
func busiestAndMost(rows []engineRow, what string, of func(engineRow) figure) []figure {
	busiest := slices.MaxFunc(rows, func(a, b engineRow) int {
		return cmp.Or(cmp.Compare(a.Nodes, b.Nodes), cmp.Compare(a.Clients, b.Clients))
	})
	f := of(busiest)
	f.Name = fmt.Sprintf("%s: %s", busiest.place(), what)
	return []figure{f, most(rows, what, of)}
}

// most is the figure of the row where it is the highest.
func most(rows []engineRow, what string, of func(engineRow) figure) figure {
	at := slices.MaxFunc(rows, func(a, b engineRow) int { return cmp.Compare(of(a).Median, of(b).Median) })
	f := of(at)
	f.Name = fmt.Sprintf("%s: %s, at most", at.name(), what)
	return f
}

// enginesOf are the engines of rows, in their order.
func enginesOf(rows []engineRow) (names []string) {
	for _, r := range rows {
		if !slices.Contains(names, r.Sessions) {
			names = append(names, r.Sessions)
		}
	}
	return names
}

const engineTurn = 400 * time.Millisecond
