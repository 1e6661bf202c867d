package main

import (
	"context"
	"time"
)

// measureLatency compares how long logins take with how long `respond` does, each at half of the requests a second that
// it has when it is saturated, which is measured just before. There are no more connections at half: with many, p99 is
// that of the bursts in which the load generator makes up for its own pauses.
func measureLatency(ctx context.Context, b *bench) ([]figure, error) {
	s, names, err := startAlgorithms(ctx, b)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	respond, login := respondTarget(s, names), passwordTarget(s, names, "HS256")
	for _, t := range []*target{&respond, &login} {
		if err := b.warmUp(ctx, t); err != nil {
			return nil, err
		}
	}
	return inRounds(b.rounds, b.passes(latencyTurn, latencySlots), func(number int) ([]figure, error) {
		var fast, slow, limit, its reading
		err := pass(number,
			func() (err error) { fast, limit, err = b.atHalf(ctx, respond); return err },
			func() (err error) { slow, its, err = b.atHalf(ctx, login); return err })
		return []figure{
			measured("respond, saturated", "/s", fast.perSecond()),
			measured("  at half of that", "/s", limit.perSecond()),
			measured("  p50", "ms", milliseconds(limit.P50)),
			measured("  p99", "ms", milliseconds(limit.P99)),
			measured("logins with HS256, saturated", "/s", slow.perSecond()),
			measured("  at half of that", "/s", its.perSecond()),
			measured("  p50", "ms", milliseconds(its.P50)),
			measured("  p99", "ms", milliseconds(its.P99)),
			ratio("p50 of logins / of respond", float64(its.P50)/float64(limit.P50)),
			ratio("p99 of logins / of respond", float64(its.P99)/float64(limit.P99)).atMost(1.5),
		}, err
	})
}

// atHalf measures a target when it is saturated, and then at half of that.
func (b *bench) atHalf(ctx context.Context, t target) (saturated, half reading, err error) {
	t.plan.Duration = latencyTurn / 2
	if saturated, err = b.speed(ctx, &t); err != nil {
		return saturated, half, err
	}
	t.plan.Rate, t.plan.Duration = int(saturated.perSecond()/2), latencyTurn
	half, err = b.speed(ctx, &t)
	return saturated, half, err
}

const (
	latencyTurn  = time.Second
	latencySlots = 6 // p99 of one second is that of its few collections of garbage
)
