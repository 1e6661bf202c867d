package main

import (
	"context"
	"time"
)

// measureLatency compares how long logins take with how long `respond` does, each at half of the requests a second that
// it has when it is saturated, which is measured just before. There are no more connections at half: with many, p99 is
// that of the bursts in which the load generator makes up for its own pauses.
func measureLatency(ctx context.Context, b *bench) (findings, error) {
	s, names, err := startAlgorithms(ctx, b)
	if err != nil {
		return findings{}, err
	}
	defer s.stop()
	respond, login := respondTarget(s, names), passwordTarget(s, names, "HS256")
	for _, t := range []target{respond, login} {
		t.plan.Duration = warming
		if _, err := b.speed(ctx, &t); err != nil {
			return findings{}, err
		}
	}

	var f latencyFigures
	turns, number := b.turnsOf(latencyTurn, latencySlots), 0
	for range b.rounds {
		var r latencyRound
		for range turns.passes {
			if err := r.pass(ctx, b, respond, login, number); err != nil {
				return findings{}, err
			}
			number++
		}
		f.add(r)
	}
	return findings{figures: f.figures()}, nil
}

// latencyRound has one value a pass.
type latencyRound struct {
	respond, login            []reading
	respondCapacity, capacity []float64
	slowedP50, slowedP99      []float64
}

func (r *latencyRound) pass(ctx context.Context, b *bench, respond, login target, number int) error {
	var fast, slow, limit, its reading
	half := func(t target, of *reading, s *reading) func() error {
		return func() (err error) {
			t.plan.Duration = latencyTurn / 2
			if *of, err = b.speed(ctx, &t); err != nil {
				return err
			}
			t.plan.Rate, t.plan.Duration = int(of.perSecond()/2), latencyTurn
			*s, err = b.speed(ctx, &t)
			return err
		}
	}
	if err := pass(number, half(respond, &fast, &limit), half(login, &slow, &its)); err != nil {
		return err
	}
	r.respondCapacity, r.capacity = append(r.respondCapacity, fast.perSecond()), append(r.capacity, slow.perSecond())
	r.respond, r.login = append(r.respond, limit), append(r.login, its)
	r.slowedP50 = append(r.slowedP50, float64(its.P50)/float64(limit.P50))
	r.slowedP99 = append(r.slowedP99, float64(its.P99)/float64(limit.P99))
	return nil
}

// latencyFigures has one value a round.
type latencyFigures struct {
	respond, login            entry
	respondCapacity, capacity []float64
	slowedP50, slowedP99      []float64
}

func (f *latencyFigures) add(r latencyRound) {
	f.respond.add(r.respond)
	f.login.add(r.login)
	f.respondCapacity = append(f.respondCapacity, median(r.respondCapacity))
	f.capacity = append(f.capacity, median(r.capacity))
	f.slowedP50 = append(f.slowedP50, median(r.slowedP50))
	f.slowedP99 = append(f.slowedP99, median(r.slowedP99))
}

func (f *latencyFigures) figures() []figure {
	return []figure{
		measured("respond, saturated", "/s", f.respondCapacity...),
		measured("  at half of that", "/s", f.respond.PerSecond.Values...),
		measured("  p50", "ms", f.respond.P50.Values...),
		measured("  p99", "ms", f.respond.P99.Values...),
		measured("logins with HS256, saturated", "/s", f.capacity...),
		measured("  at half of that", "/s", f.login.PerSecond.Values...),
		measured("  p50", "ms", f.login.P50.Values...),
		measured("  p99", "ms", f.login.P99.Values...),
		ratio("p50 of logins / of respond", f.slowedP50...),
		ratio("p99 of logins / of respond", f.slowedP99...).atMost(1.5),
	}
}

const (
	latencyTurn  = time.Second
	latencySlots = 6 // p99 of one second is that of its few collections of garbage
)
