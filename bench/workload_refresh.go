package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// measureRefresh compares refreshes with what a refresh needs of the storage, which are files here: to lock a name, to
// read and to write an object, and to unlock. Every session is refreshed once.
func measureRefresh(ctx context.Context, b *bench) (findings, error) {
	users, _, err := b.writeManyUsers()
	if err != nil {
		return findings{}, err
	}
	s, err := b.startPinned(ctx, "refresh", b.caddy, "", fmt.Sprintf(`token_endpoint {
		users htpasswd %s
		%s
		password_checks {
			cache 1h
		}
	}`, users, theClient))
	if err != nil {
		return findings{}, err
	}
	defer s.stop()

	if _, err := refreshed(ctx, b, s, 1); err != nil { // the first ones warm it up
		return findings{}, err
	}
	var f refreshFigures
	turns, number := b.turnsOf(refreshTurn), 0
	for range b.rounds {
		var r refreshRound
		for range turns.passes {
			if err := r.pass(ctx, b, s, number); err != nil {
				return findings{}, err
			}
			number++
		}
		f.add(r)
	}
	return findings{figures: f.figures()}, nil
}

// refreshRound has one value a pass.
type refreshRound struct {
	storage, storageP99 []float64
	one, eight          []reading
	kept                []float64
}

func (r *refreshRound) pass(ctx context.Context, b *bench, s *server, number int) error {
	var storage []float64
	var one, eight reading
	err := pass(number,
		func() (err error) { eight, err = refreshed(ctx, b, s, 8); return err },
		func() (err error) { storage, err = exchanged(ctx, b); return err },
		func() (err error) { one, err = refreshed(ctx, b, s, 1); return err })
	if err != nil {
		return err
	}
	perSecond := 1000 / mean(storage)
	r.storage, r.storageP99 = append(r.storage, perSecond), append(r.storageP99, quantile(storage, 0.99))
	r.one, r.eight = append(r.one, one), append(r.eight, eight)
	r.kept = append(r.kept, one.perSecond()/perSecond)
	return nil
}

// exchanged measures the storage alone, in a process on the server's core: how long each exchange took, in milliseconds.
func exchanged(ctx context.Context, b *bench) (took []float64, err error) {
	output, err := b.limit(ctx, b.storage, b.path("exchanged"), refreshTurn.String())
	if err != nil {
		return nil, fmt.Errorf("the storage: %w", err)
	}
	for line := range strings.Lines(output) {
		nanoseconds, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the storage: %w", err)
		}
		took = append(took, milliseconds(time.Duration(nanoseconds)))
	}
	return took, nil
}

// refreshed opens sessions and refreshes them, as many as a turn has time for.
func refreshed(ctx context.Context, b *bench, s *server, workers uint64) (reading, error) {
	n := int(refreshTurn.Seconds() * sessionsPerSecond)
	opened, err := logInOften(ctx, s, n)
	if err != nil {
		return reading{}, err
	}
	lines := b.path("refresh-tokens")
	if err := writeLines(lines, n, func(i int) string { return opened[i].Refresh }); err != nil {
		return reading{}, err
	}
	p := saturating(plan{
		Method: http.MethodPost, URL: s.url("/token"), Header: map[string]string{"Content-Type": formType},
		Body:  "grant_type=refresh_token&client_id=" + clientID + "&client_secret=" + clientSecret + "&refresh_token={line}",
		Lines: lines, Once: true,
	}, `"refresh_token"`)
	p.Workers, p.Duration = workers, refreshTurn
	return b.speed(ctx, &target{"refresh", groupOurs, s.pid(), p})
}

// refreshFigures has one value a round.
type refreshFigures struct {
	storage, storageP99 []float64
	one, eight          entry
	kept                []float64
}

func (f *refreshFigures) add(r refreshRound) {
	f.storage, f.storageP99 = append(f.storage, median(r.storage)), append(f.storageP99, median(r.storageP99))
	f.one.add(r.one)
	f.eight.add(r.eight)
	f.kept = append(f.kept, median(r.kept))
}

func (f *refreshFigures) figures() []figure {
	figures := []figure{
		measured("storage: lock, load, store, unlock, one at a time", "/s", f.storage...),
		measured("  p99", "ms", f.storageP99...),
	}
	for _, r := range []struct {
		workers string
		entry
	}{{"one at a time", f.one}, {"eight at a time", f.eight}} {
		figures = append(figures,
			measured("refreshes, "+r.workers, "/s", r.PerSecond.Values...),
			measured("  p50", "ms", r.P50.Values...),
			measured("  p99", "ms", r.P99.Values...),
			measured("  CPU per request", "µs", r.CPU.Values...))
	}
	return append(figures, ratio("refreshes, one at a time / storage", f.kept...).atLeast(0.8))
}

const (
	refreshTurn       = 500 * time.Millisecond
	sessionsPerSecond = 4000 // more than a file system writes that waits for its disk
)
