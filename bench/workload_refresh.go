package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// measureRefresh compares refreshes with what a refresh needs of the storage, which is
// files here: to lock a name, to read and to write an object, and to unlock. A bare
// server does only that, since a client that refreshes has to ask a server; the time of
// these steps alone is shown too. It does so in the same directories, beside the
// records of the sessions: the cost of making a file depends on its directory, and on
// the files that were made and removed there a moment ago. Every session is refreshed
// once.
//
// Both servers are pinned to a core, and both have two processors of Go there, as on the
// smallest machine that has two cores. With one, a thread that waits for the disk keeps
// it for up to 10 ms, in which no other request goes on: with several clients that
// measures Go's scheduler, and not what a refresh costs.
func measureRefresh(ctx context.Context, b *bench) ([]figure, error) {
	var figures []figure
	for _, of := range []struct {
		algorithm string
		workers   []uint64
	}{{"HS256", []uint64{1, 8}}, {"ES256", []uint64{1}}} { // ES256 for what its signature adds
		found, err := measureRefreshOf(ctx, b, of.algorithm, of.workers)
		if err != nil {
			return nil, err
		}
		figures = append(figures, found...)
	}
	return figures, nil
}

func measureRefreshOf(ctx context.Context, b *bench, algorithm string, workers []uint64) ([]figure, error) {
	hash := bcrypted(thePassword, cheapCost)
	s, err := b.start(ctx, setup{name: "refresh-" + algorithm, pinned: true, procs: refreshProcs, users: manyUsers, hash: hash, site: fmt.Sprintf(`token_endpoint {
		signing_key %s
		users htpasswd users
		import client
		password_checks {
			cache 1h
		}
	}`, algorithm)})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	all := refreshes{bench: b, server: s, algorithm: algorithm, workers: 8}
	if _, err := all.refresh(ctx); err != nil { // the first ones warm it up, and make the directories
		return nil, err
	}
	bare, err := bareStorage(b, s)
	if err != nil {
		return nil, err
	}
	if all.storage, err = bare.start(ctx, b); err != nil {
		return nil, err
	}
	defer all.storage.stop()

	var figures []figure
	for _, n := range workers {
		r := all
		r.workers = n
		found, err := r.measure(ctx)
		if err != nil {
			return nil, err
		}
		figures = append(figures, found...)
	}
	return figures, nil
}

// bareStorage keeps what it exchanges where the server has its sessions.
func bareStorage(b *bench, s *server) (*peer, error) {
	root := filepath.Join(s.dir, "storage")
	days, err := filepath.Glob(filepath.Join(root, "grant", "*", "sessions", "*"))
	if err != nil || len(days) == 0 {
		return nil, fmt.Errorf("there are no sessions in %s", root)
	}
	prefix := strings.TrimPrefix(days[len(days)-1], root+"/")
	return &peer{name: "storage", procs: refreshProcs, command: []string{b.path("storage"), "-directory", root, "-prefix", prefix, "-listen"}, dir: b.dir}, nil
}

// refreshes are the refreshes of that many clients at a time.
type refreshes struct {
	*bench
	server    *server
	storage   *process
	algorithm string // of the access tokens
	workers   uint64
}

func (r *refreshes) measure(ctx context.Context) ([]figure, error) {
	at := "one at a time"
	if r.workers > 1 {
		at = fmt.Sprint(r.workers, " at a time")
	}
	return inRounds(r.rounds, r.passes(refreshTurn, refreshSlots), func(number int) ([]figure, error) {
		var took []float64
		var limit, its reading
		err := pass(number,
			func() (err error) { limit, took, err = r.exchange(ctx); return err },
			func() (err error) { its, err = r.refresh(ctx); return err })
		alone := 1000 / mean(took)
		bare, kept := "a bare server, ", ratio("  refreshes / bare server's", its.perSecond()/limit.perSecond())
		var figures []figure
		if r.algorithm == "HS256" {
			kept = kept.atLeast(0.8)
		}
		if r.workers == 1 && r.algorithm == "HS256" {
			bare = "a bare server that does that, "
			figures = []figure{
				measured("lock, load, store and unlock", "/s", alone),
				measured("  p99", "ms", quantile(took, 0.99)),
			}
		}
		figures = append(figures,
			measured(bare+at, "/s", limit.perSecond()),
			measured("refreshes with "+r.algorithm+", "+at, "/s", its.perSecond()),
			measured("  p50", "ms", milliseconds(its.P50)),
			measured("  p99", "ms", milliseconds(its.P99)),
			measured("  CPU per request", "µs", its.cpu),
			kept)
		if r.workers == 1 { // otherwise they are in each other's way
			figures = append(figures, ratio("  refreshes / lock, load, store and unlock", its.perSecond()/alone))
		}
		return figures, err
	})
}

// exchange has the bare server exchange objects, and returns how long each took there, in milliseconds.
func (r *refreshes) exchange(ctx context.Context) (limit reading, took []float64, err error) {
	p := saturating(plan{Method: http.MethodPost, URL: r.storage.url("/exchange")}, "exchanged")
	p.Workers, p.Duration = r.workers, refreshTurn
	if limit, err = r.speed(ctx, &target{"storage", groupLimits, r.storage, p}); err != nil {
		return limit, nil, err
	}
	told, err := newClient().get(ctx, r.storage.url("/took"), nil)
	if err != nil {
		return limit, nil, err
	}
	var exchanges []time.Duration
	if err := json.Unmarshal(told.body, &exchanges); err != nil {
		return limit, nil, fmt.Errorf("the storage: %w", err)
	}
	for _, d := range exchanges {
		took = append(took, milliseconds(d))
	}
	return limit, took, nil
}

// refresh opens sessions and refreshes them, as many as a turn has time for.
func (r *refreshes) refresh(ctx context.Context) (reading, error) {
	n := int(refreshTurn.Seconds() * sessionsPerSecond)
	opened, err := logInOften(ctx, r.server.url("/token"), n)
	if err != nil {
		return reading{}, err
	}
	lines := r.path("refresh-tokens")
	if err := writeLines(lines, n, func(i int) string { return opened[i].Refresh }); err != nil {
		return reading{}, err
	}
	p := saturating(posting(r.server.url("/token"), refreshing("{line}")), `"refresh_token"`)
	p.Lines, p.Once = lines, true
	p.Workers, p.Duration = r.workers, refreshTurn
	return r.speed(ctx, &target{"refresh", groupOurs, &r.server.process, p})
}

const (
	refreshProcs      = 2
	refreshTurn       = 500 * time.Millisecond
	refreshSlots      = 3    // what a file costs changes with what was made and removed a moment ago
	sessionsPerSecond = 4000 // more than a file system can write that waits for its disk
)
