package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// target is a server with what to send to it.
type target struct {
	name   string
	group  string // limits, ours or peers
	server *process
	plan   plan
}

const (
	groupLimits = "limits"
	groupOurs   = "ours"
	groupPeers  = "peers"
)

// reading is what was measured of a target in one turn.
type reading struct {
	outcome
	cpu      float64 // microseconds of the server per answer
	resident float64 // MiB
	share    float64 // see entry
}

func (s reading) figures() []figure {
	return []figure{
		measured("requests", "/s", s.perSecond()),
		measured("p50", "ms", milliseconds(s.P50)),
		measured("p99", "ms", milliseconds(s.P99)),
		measured("CPU per request", "µs", s.cpu),
		measured("resident memory", "MiB", s.resident),
		ratio("CPU per request of respond / of this", s.share),
	}
}

// speed loads a target for as long as its plan says.
func (b *bench) speed(ctx context.Context, t *target) (s reading, err error) {
	begun, err := cpuTime(t.server.pid())
	if err != nil {
		return s, err
	}
	if s.outcome, err = b.offer(ctx, t.plan); err != nil {
		return s, fmt.Errorf("%s: %w", t.name, err)
	}
	ended, err := cpuTime(t.server.pid())
	if err != nil {
		return s, err
	}
	if t.plan.Lines != "" { // the next turn goes on with the lines after
		t.plan.First += s.answers()
	}
	s.cpu = microseconds(ended-begun) / float64(s.answers())
	m, err := t.server.memory()
	s.resident = m.now
	return s, err
}

// speeds measures targets in turns, the first of which is `respond`, which has a turn beside each of theirs.
func (b *bench) speeds(ctx context.Context, targets []target) ([]entry, error) {
	entries := make([]entry, len(targets))
	for i := range targets {
		if err := b.warmUp(ctx, &targets[i]); err != nil {
			return nil, err
		}
		targets[i].plan.Duration = speedTurn
		entries[i] = newEntry(targets[i])
	}
	respond, others := &targets[0], targets[1:]
	passes := b.passes(speedTurn, 1)
	for round := range b.rounds {
		readings := make([][]reading, len(targets))
		for i := range passes {
			number := round*passes + i
			var each []func() error
			for i := range others {
				each = append(each, func() error {
					var limit, its reading
					err := pass(number,
						func() (err error) { limit, err = b.speed(ctx, respond); return err },
						func() (err error) { its, err = b.speed(ctx, &others[i]); return err })
					limit.share, its.share = 1, limit.cpu/its.cpu
					readings[0], readings[i+1] = append(readings[0], limit), append(readings[i+1], its)
					return err
				})
			}
			if err := pass(number, each...); err != nil {
				return nil, err
			}
		}
		for i := range entries {
			entries[i].add(readings[i])
		}
	}
	return entries, nil
}

// warmUp loads a target for a while that is not measured.
func (b *bench) warmUp(ctx context.Context, t *target) error {
	t.plan.Duration = warming
	if _, err := b.speed(ctx, t); err != nil {
		return fmt.Errorf("warming up: %w", err)
	}
	return nil
}

// saturating completes a plan in which each worker sends as soon as it has an answer.
func saturating(p plan, contains string) plan {
	p.Workers, p.pinned = speedWorkers, true
	p.Expect = []expectation{{http.StatusOK, contains}}
	return p
}

// entry is how fast a target is, with one value a round.
type entry struct {
	Name      string `json:"name"`
	Group     string `json:"group"`
	PerSecond figure `json:"per_second"`
	P50       figure `json:"p50"`
	P99       figure `json:"p99"`
	CPU       figure `json:"cpu"` // of the server, per answer
	Resident  figure `json:"resident"`

	// The CPU time that `respond` takes for an answer in the turn before or after, as a part of this one's. It is judged
	// in place of requests a second, of which there are no more than the load generator sends.
	Share figure `json:"share"`
}

func newEntry(t target) entry { return entry{Name: t.name, Group: t.group} }

// add takes the readings of a round.
func (e *entry) add(readings []reading) {
	var round []figure
	for _, s := range readings {
		round = join(round, s.figures())
	}
	for i, f := range e.figures() {
		*f = round[i].of(append(f.Values, round[i].Median)...)
	}
}

// figures are those of a reading.
func (e *entry) figures() []*figure {
	return []*figure{&e.PerSecond, &e.P50, &e.P99, &e.CPU, &e.Resident, &e.Share}
}

// named returns the entry of that name, if there is one.
func named(entries []entry, name string) (e entry, ok bool) {
	i := slices.IndexFunc(entries, func(e entry) bool { return e.Name == name })
	if i < 0 {
		return e, false
	}
	return entries[i], true
}

// times is how many times as much CPU per request one entry takes as another, round by round. It goes by their shares,
// which have a turn of `respond` beside them each, and not by two turns that may be far apart.
func times(more, less entry) (times []float64) {
	for round, share := range less.Share.Values {
		times = append(times, share/more.Share.Values[round])
	}
	return times
}

// limitJSON is what `respond` answers: as long as a token response, and with a name in it that those have.
func limitJSON() string {
	const before, after = `{"token_type":"Bearer","expires_in":3600,"access_token":"`, `"}`
	return before + strings.Repeat("x", limitBytes-len(before)-len(after)) + after
}

func respondJSON() string {
	return "header Content-Type application/json\n\t\trespond `" + limitJSON() + "`"
}

// microseconds is a duration as a figure.
func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

const (
	limitBytes = 635
	warming    = 2 * time.Second
	speedTurn  = 250 * time.Millisecond

	// Enough that the server's core has something to do nearly all the time, also with `respond`; with more of them only
	// the latency grows.
	speedWorkers = 8
)
