package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// outcome is the result of a plan. bench has the same type.
type outcome struct {
	Answers []uint64 `json:"answers"` // how many met each expectation
	Seconds float64  `json:"seconds"` // from the first request to the last answer

	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`

	Unexpected      uint64 `json:"unexpected"`
	FirstUnexpected string `json:"first_unexpected,omitempty"`
}

// attack sends what the plan says and checks every answer.
func attack(ctx context.Context, p plan) (outcome, error) {
	var tokens *followed // nil, if the plan does not follow
	var targeter vegeta.Targeter
	var err error
	if p.Follow {
		tokens, err = p.follow()
		targeter = tokens.next
	} else {
		targeter, err = p.targeter()
	}
	if err != nil {
		return outcome{}, fmt.Errorf("making the requests: %w", err)
	}
	attacker := vegeta.NewAttacker(
		vegeta.Workers(min(p.Workers, 64)),
		vegeta.MaxWorkers(p.Workers),
		vegeta.Connections(int(p.Workers)),
		vegeta.Redirects(vegeta.NoFollow),
		vegeta.Timeout(time.Minute),
	)
	if p.Rate == 0 { // each worker sends at once: vegeta would start them one after the other
		vegeta.Workers(p.Workers)(attacker)
	}
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()

	rate := vegeta.Rate{Freq: p.Rate, Per: time.Second}
	o := outcome{Answers: make([]uint64, len(p.Expect))}
	latencies := make([]time.Duration, 0, 1<<18)
	var begun, ended time.Time
	for result := range attacker.Attack(targeter, rate, p.Duration, "") {
		if result.Error == vegeta.ErrNoTargets.Error() { // nothing was sent
			continue
		}
		latencies = append(latencies, result.Latency)
		if begun.IsZero() || result.Timestamp.Before(begun) {
			begun = result.Timestamp
		}
		if end := result.End(); end.After(ended) {
			ended = end
		}
		i := slices.IndexFunc(p.Expect, func(e expectation) bool { return e.fits(result) })
		if i >= 0 && (tokens == nil || tokens.add(result.Body)) {
			o.Answers[i]++
			continue
		}
		if o.Unexpected++; o.FirstUnexpected == "" {
			o.FirstUnexpected = describe(result)
		}
	}
	o.Seconds = ended.Sub(begun).Seconds()
	if len(latencies) > 0 {
		slices.Sort(latencies)
		o.P50, o.P99 = latencies[len(latencies)/2], latencies[len(latencies)*99/100]
		o.Max = latencies[len(latencies)-1]
	}
	if tokens != nil {
		return o, tokens.save()
	}
	return o, nil
}

func describe(r *vegeta.Result) string {
	if r.Code == 0 {
		return r.Error
	}
	return fmt.Sprintf("status %d: %.300s", r.Code, r.Body)
}
