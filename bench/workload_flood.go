package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// measureFlood floods the endpoint with wrong logins beside other traffic of the same Caddy. Every one of the flood
// comes from another address, with a password that was not tried before, and none is throttled: the worst case, in
// which as much is hashed as the gate lets through. A round is
//
//	saturating traffic, traffic at half of that rate, then the flood, and beside it
//	traffic at half, saturating traffic, and logins of owners from where they have logged in before.
//
// The load generator has no core of its own: what it takes, it takes with and without the flood. What is wanted is for
// a machine of two cores, of which one is for hashing.
func measureFlood(ctx context.Context, b *bench) ([]figure, error) {
	s, err := startFlooded(ctx, b)
	if err != nil {
		return nil, err
	}
	defer s.stop()

	var f floodFigures
	for round := range b.rounds {
		if err := f.round(ctx, b, s, round); err != nil {
			return nil, err
		}
	}
	memory, err := measureFloodMemory(ctx, b)
	return append(f.figures(), memory...), err
}

func startFlooded(ctx context.Context, b *bench) (*server, error) {
	hash, err := bcrypted(bcryptCost)
	if err != nil {
		return nil, err
	}
	users := b.path("flood.htpasswd")
	if err := writeUsers(users, floodUsers, hash); err != nil {
		return nil, err
	}
	// What was right is remembered for a second only, so that owners have known addresses but their passwords have to
	// be hashed.
	return b.start(ctx, "flood", b.caddy, trustLoopback, fmt.Sprintf(`token_endpoint {
		users htpasswd %s
		%s
		client browser {
			public
		}
		password_checks {
			cache 1s
		}
	}
	respond /hello "Hello, world"`, users, theClient))
}

// flood is what an attacker sends. The client is a public one, since only of such a client an address is counted, and
// takes a turn at hashing.
func flood(s *server, users uint64) plan {
	p := logins(s, "user{user}", "wrong-{n}", users, floodWorkers)
	p.Body = "grant_type=password&client_id=browser&username=user{user}&password=wrong-{n}"
	p.Header["X-Forwarded-For"] = "{ip}"
	p.Duration = 10 * time.Minute // it is stopped before
	p.Expect = []expectation{
		{http.StatusBadRequest, `"invalid_grant"`},
		{http.StatusServiceUnavailable, `"temporarily_unavailable"`}, // the queue is full, or the wait too long
	}
	return p
}

// floodFigures has one value a round.
type floodFigures struct {
	saturated, saturatedP99         []float64
	half, halfAsked, halfP99        []float64
	floodedHalf, floodedHalfP99     []float64
	floodedSaturated                []float64
	keptHalf, slowedHalf, keptAll   []float64
	hashes, shed                    []float64
	ownerHashed, ownerCached, tries []float64
}

func (f *floodFigures) round(ctx context.Context, b *bench, s *server, round int) error {
	saturating := ask(s, "/hello", "Hello, world", floodWorkers)
	saturating.Duration = b.slot
	all, err := b.offer(ctx, saturating)
	if err != nil {
		return err
	}
	steady := saturating
	steady.Rate, steady.Workers = int(all.perSecond()/2), steadyWorkers
	half, err := b.offer(ctx, steady)
	if err != nil {
		return err
	}
	owners, err := newOwners(ctx, s, round)
	if err != nil {
		return err
	}

	stop := b.background(ctx, flood(s, floodUsers))
	defer stop() // of an error before; else it has ended
	if err := sleep(ctx, 2*time.Second); err != nil {
		return err
	}
	floodedHalf, err := b.offer(ctx, steady)
	if err != nil {
		return err
	}
	floodedAll, err := b.offer(ctx, saturating)
	if err != nil {
		return err
	}
	if err := owners.login(ctx, f); err != nil {
		return err
	}
	flooding, err := stop()
	if err != nil {
		return err
	}

	add := func(to *[]float64, value float64) { *to = append(*to, value) }
	add(&f.saturated, all.perSecond())
	add(&f.saturatedP99, milliseconds(all.P99))
	add(&f.half, half.perSecond())
	add(&f.halfAsked, half.perSecond()/float64(steady.Rate))
	add(&f.halfP99, milliseconds(half.P99))
	add(&f.floodedHalf, floodedHalf.perSecond())
	add(&f.floodedHalfP99, milliseconds(floodedHalf.P99))
	add(&f.floodedSaturated, floodedAll.perSecond())
	add(&f.keptHalf, floodedHalf.perSecond()/half.perSecond())
	add(&f.slowedHalf, float64(floodedHalf.P99)/float64(half.P99))
	add(&f.keptAll, floodedAll.perSecond()/all.perSecond())
	add(&f.hashes, flooding.perSecond(0))
	add(&f.shed, flooding.perSecond(1))
	return nil
}

func (f *floodFigures) figures() []figure {
	return []figure{
		measured("respond, saturated", "/s", f.saturated...),
		measured("  p99", "ms", f.saturatedP99...),
		measured("respond at half of that", "/s", f.half...),
		ratio("  of the rate that was asked for", f.halfAsked...),
		measured("  p99", "ms", f.halfP99...),
		measured("flood: wrong passwords answered 400", "/s", f.hashes...),
		measured("  answered 503", "/s", f.shed...),
		measured("respond at half beside the flood", "/s", f.floodedHalf...),
		measured("  p99", "ms", f.floodedHalfP99...),
		ratio("  throughput with / without the flood", f.keptHalf...).atLeast(0.99),
		ratio("  p99 with / without", f.slowedHalf...).atMost(5),
		measured("respond, saturated, beside the flood", "/s", f.floodedSaturated...),
		ratio("  throughput with / without", f.keptAll...).atLeast(0.45),
		measured("an owner's login beside the flood, slowest of a round", "s", f.ownerHashed...).atMost(3),
		measured("  the same once more, remembered", "s", f.ownerCached...),
		measured("  tries it took", "", f.tries...),
	}
}

// owners are users who have logged in before from addresses of their own.
type owners struct {
	server *server
	client *client
	round  int
}

func newOwners(ctx context.Context, s *server, round int) (*owners, error) {
	o := &owners{server: s, client: newClient(), round: round}
	for i := range ownersPerRound {
		a, err := o.try(ctx, i)
		if err != nil {
			return nil, err
		}
		if _, err := a.tokens(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *owners) try(ctx context.Context, i int) (answer, error) {
	// their names come last in the file, where the flood has names as well
	form := login(fmt.Sprintf("user%d", floodUsers-1-i), thePassword)
	form.Set("client_id", "browser")
	form.Del("client_secret")
	return o.client.post(ctx, o.server.url("/token"), form,
		map[string]string{"X-Forwarded-For": fmt.Sprintf("192.0.2.%d", 1+i)})
}

// login measures how long each owner needs until it works: one who is told to come again does so.
func (o *owners) login(ctx context.Context, f *floodFigures) error {
	var slowest, cached time.Duration
	most := 0
	for i := range ownersPerRound {
		begun := time.Now()
		for n := 1; ; n++ {
			a, err := o.try(ctx, i)
			if err != nil {
				return err
			}
			most = max(most, n)
			if _, err = a.tokens(); err == nil {
				break
			}
			if a.expect(http.StatusServiceUnavailable, `"temporarily_unavailable"`) != nil {
				return err
			}
			if time.Since(begun) > time.Minute {
				return fmt.Errorf("an owner could not log in within a minute: %w", err)
			}
			if err := sleep(ctx, time.Second); err != nil {
				return err
			}
		}
		slowest = max(slowest, time.Since(begun))
		a, err := o.try(ctx, i)
		if err != nil {
			return err
		}
		if _, err := a.tokens(); err != nil {
			return err
		}
		cached = max(cached, a.took)
	}
	f.ownerHashed = append(f.ownerHashed, slowest.Seconds())
	f.ownerCached = append(f.ownerCached, cached.Seconds())
	f.tries = append(f.tries, float64(most))
	return nil
}

const (
	floodUsers   = 1000
	floodWorkers = 64

	// Enough for half of the rate, also beside the flood. With many more, p99 is that of the bursts in which the load
	// generator makes up for its own pauses, and moves between 2 and 25 ms without any flood.
	steadyWorkers = 32

	ownersPerRound = 3

	trustLoopback = `servers {
		trusted_proxies static 127.0.0.1/32
		trusted_proxies_strict
	}`
)
