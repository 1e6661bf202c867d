package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"sync"
	"time"
)

// measureSoak runs a server under a load of logins, refreshes and bearer checks while its config is reloaded and its
// file of users rewritten, again and again. A Caddy without the module runs beside it, with as many connections and
// reloads: what it drops and how it grows is Caddy's own.
func measureSoak(ctx context.Context, b *bench) ([]figure, error) {
	users, err := newChangingUsers(b.path("soak.htpasswd"))
	if err != nil {
		return nil, err
	}
	defer os.Remove(users.path)
	granting, err := b.start(ctx, setup{name: "granting", site: fmt.Sprintf(`token_endpoint {
		refresh_grace 1m
		users htpasswd %s
		import client
	}
	bearer_auth /app {
		scopes read
		copy_claims sub>X-User
	}
	respond /app "hello {http.request.header.X-User}"`, users.path)})
	if err != nil {
		return nil, err
	}
	defer granting.stop()
	plain, err := b.start(ctx, setup{name: "plain-caddy", program: "plain", site: `respond /app "hello"`})
	if err != nil {
		return nil, err
	}
	defer plain.stop()

	ours, theirs := newGrantingLoad(granting), newPlainLoad(plain)
	// first a while in which it takes what it needs and keeps
	if _, err := runSoak(ctx, warmUp, ours, theirs, users); err != nil {
		return nil, err
	}
	before, err := takeSamples(ctx, granting, plain)
	if err != nil {
		return nil, err
	}
	changes, err := runSoak(ctx, b.soak, ours, theirs, users)
	if err != nil {
		return nil, err
	}
	after, err := takeSamples(ctx, granting, plain)
	if err != nil {
		return nil, err
	}
	figures := droppedFigures(ours, theirs)
	figures = append(figures, measured("rewritten file in force, seconds after it came to rest", "s", changes...))
	return append(figures, growthFigures(before, after)...), nil
}

// runSoak is a time under load. Its error is the first wrong answer.
func runSoak(ctx context.Context, duration time.Duration, ours, theirs *soakLoad, users *changingUsers) (changes []float64, err error) {
	timed, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	var tasks sync.WaitGroup
	for _, load := range []*soakLoad{ours, theirs} {
		load.run(ctx, timed.Done(), &tasks)
	}
	tasks.Go(func() { changes = users.keepChanging(ctx, timed.Done(), ours) })
	tasks.Wait()
	for _, load := range []*soakLoad{ours, theirs} {
		if err := load.wrongAnswers(); err != nil {
			return nil, err
		}
	}
	return changes, ctx.Err()
}

// droppedFigures compares the connections that had no answer. Which of two equal servers drops more is chance, so the
// difference may be up to three standard deviations of it.
func droppedFigures(ours, theirs *soakLoad) []figure {
	n, m := float64(ours.requests), float64(theirs.requests)
	p, q := float64(ours.dropped)/n, float64(theirs.dropped)/m
	all := float64(ours.dropped+theirs.dropped) / (n + m)
	chance := 3 * math.Sqrt(all*(1-all)*(1/n+1/m))
	return []figure{
		measured("answers checked, none wrong", "", n-float64(ours.dropped)),
		measured("reloads of the config", "", float64(len(ours.reloads))),
		measured("  one takes", "ms", median(ours.reloads)),
		measured("  of plain Caddy", "ms", median(theirs.reloads)),
		measured("fresh connections without an answer", "%", 100*p),
		measured("  of plain Caddy", "%", 100*q),
		measured("  more than plain Caddy", "%", 100*(p-q)).
			judged(fmt.Sprintf("≤ %.2g, three sigma", 100*chance), func(more float64) bool { return more <= 100*chance }),
	}
}

// samples are what two servers have at one time.
type samples struct{ ours, plain sample }

type sample struct{ goroutines, heap, resident float64 }

// takeSamples waits until what the load began has ended.
func takeSamples(ctx context.Context, granting, plain *server) (s samples, err error) {
	if err := sleep(ctx, 5*time.Second); err != nil {
		return s, err
	}
	if s.ours, err = granting.sample(ctx); err == nil {
		s.plain, err = plain.sample(ctx)
	}
	return s, err
}

func (s *server) sample(ctx context.Context) (taken sample, err error) {
	m, err := s.memory() // before the profiles, which collect garbage and take memory themselves
	if err != nil {
		return taken, err
	}
	taken.resident = m.now
	if taken.goroutines, err = s.profile(ctx, "goroutine?debug=1", goroutineTotal); err != nil {
		return taken, err
	}
	// what a garbage collection leaves
	bytes, err := s.profile(ctx, "heap?debug=1&gc=1", heapAlloc)
	taken.heap = bytes / (1 << 20)
	return taken, err
}

func growthFigures(before, after samples) []figure {
	return []figure{
		measured("goroutines at first", "", before.ours.goroutines),
		measured("  growth", "", after.ours.goroutines-before.ours.goroutines).atMost(5),
		measured("  of plain Caddy", "", after.plain.goroutines-before.plain.goroutines),
		measured("live heap at first", "MiB", before.ours.heap),
		measured("  growth", "MiB", after.ours.heap-before.ours.heap).atMost(2),
		measured("  of plain Caddy", "MiB", after.plain.heap-before.plain.heap),
		measured("resident memory at first", "MiB", before.ours.resident),
		ratio("  after / before", after.ours.resident/before.ours.resident).atMost(1.2),
		ratio("  of plain Caddy", after.plain.resident/before.plain.resident),
	}
}

const warmUp = 15 * time.Second
