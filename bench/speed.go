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
	name  string
	group string // limits, ours or peers
	pid   int
	plan  plan
}

const (
	limits = "limits"
	ours   = "ours"
	peers  = "peers"
)

// entry is how fast a target is, with one value a round.
type entry struct {
	Name      string `json:"name"`
	Group     string `json:"group"`
	PerSecond figure `json:"per_second"`
	P50       figure `json:"p50"`
	P99       figure `json:"p99"`
	CPU       figure `json:"cpu"` // of the server, per answer
	Resident  figure `json:"resident"`

	// The CPU time that `respond` takes for an answer in the same round, as a part of this one's. It is judged in place
	// of requests a second, which are as many as the load generator can send where the server is faster.
	Share figure `json:"share"`
}

// slot is what was measured of a target in one round.
type slot struct {
	outcome
	cpu      float64 // microseconds per answer
	resident float64 // MiB
}

// speed loads a target for a slot.
func (b *bench) speed(ctx context.Context, t target) (s slot, err error) {
	begun, err := cpuTime(t.pid)
	if err != nil {
		return s, err
	}
	if s.outcome, err = b.offer(ctx, t.plan); err != nil {
		return s, err
	}
	ended, err := cpuTime(t.pid)
	if err != nil {
		return s, err
	}
	s.cpu = microseconds(ended-begun) / (s.perSecond() * s.Seconds)
	m, err := memoryOf(t.pid)
	s.resident = m.now
	return s, err
}

// speeds measures targets in turns, the first of which is `respond`: each is loaded for a slot in every round, from the
// first to the last and in the next round from the last to the first, so that a drift of the machine's speed favours
// none.
func (b *bench) speeds(ctx context.Context, targets []target) ([]entry, error) {
	for _, t := range targets {
		t.plan.Duration = min(t.plan.Duration, warming)
		if _, err := b.speed(ctx, t); err != nil {
			return nil, fmt.Errorf("warming up %s: %w", t.name, err)
		}
	}
	slots := make([][]slot, len(targets))
	for round := range b.rounds {
		for i := range targets {
			if round%2 == 1 {
				i = len(targets) - 1 - i
			}
			s, err := b.speed(ctx, targets[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", targets[i].name, err)
			}
			slots[i] = append(slots[i], s)
		}
	}
	var entries []entry
	for i, t := range targets {
		entries = append(entries, newEntry(t, slots[i], slots[0]))
	}
	return entries, nil
}

func newEntry(t target, slots, respond []slot) entry {
	values := func(of func(s slot) float64) (values []float64) {
		for _, s := range slots {
			values = append(values, of(s))
		}
		return values
	}
	cpu := values(func(s slot) float64 { return s.cpu })
	var share []float64
	for round, s := range respond {
		share = append(share, s.cpu/cpu[round])
	}
	return entry{
		Name: t.name, Group: t.group,
		PerSecond: measured("requests", "/s", values(func(s slot) float64 { return s.perSecond() })...),
		P50:       measured("p50", "ms", values(func(s slot) float64 { return milliseconds(s.P50) })...),
		P99:       measured("p99", "ms", values(func(s slot) float64 { return milliseconds(s.P99) })...),
		CPU:       measured("CPU per request", "µs", cpu...),
		Resident:  measured("resident memory", "MiB", values(func(s slot) float64 { return s.resident })...),
		Share:     ratio("CPU per request of respond / of this", share...),
	}
}

// find returns the entry of that name: that there is one is a matter of this program.
func find(entries []entry, name string) entry {
	return entries[slices.IndexFunc(entries, func(e entry) bool { return e.Name == name })]
}

// times is how many times as much CPU one entry takes per request as another, round by round.
func times(more, less entry) []float64 {
	var times []float64
	for round, cpu := range less.CPU.Values {
		times = append(times, more.CPU.Values[round]/cpu)
	}
	return times
}

// saturating completes a plan for a slot in which each worker sends as soon as it has an answer.
func (b *bench) saturating(p plan, contains string) plan {
	p.Workers, p.Duration, p.pinned = speedWorkers, b.slot, true
	p.Expect = []expectation{{http.StatusOK, contains}}
	return p
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

	speedWorkers = 8
)
