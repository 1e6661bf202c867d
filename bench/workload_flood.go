package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// measureFlood floods the endpoint with wrong logins beside other traffic of the same
// Caddy. Every login of the flood comes from another address, with a password that was
// not tried before, and none is throttled: the worst case, in which as much is hashed
// as the gate allows. A round is
//
//	saturating traffic, traffic at half of that rate, then the flood, and beside it
//	traffic at half, saturating traffic, and logins of owners from where they have logged in before.
//
// The load generator does not have a core to itself: what it takes, it takes with and
// without the flood. The required figures are for a machine of two cores, one of which
// is for hashing.
func measureFlood(ctx context.Context, b *bench) ([]figure, error) {
	// A right password is remembered for only a second, so that owners have known
	// addresses but their passwords have to be hashed.
	hash := bcrypted(thePassword, bcryptCost)
	s, err := b.start(ctx, setup{name: "flood", globals: trustLoopback, users: floodUsers, hash: hash, site: `token_endpoint {
		users htpasswd users
		import client
		client browser {
			public
		}
		password_checks {
			cache 1s
		}
	}
	respond /hello "Hello, world"`})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	figures, err := inRounds(b.rounds, 1, func(int) ([]figure, error) { return floodRound(ctx, b, s) })
	if err != nil {
		return nil, err
	}
	memory, err := measureFloodMemory(ctx, b)
	return append(figures, memory...), err
}

// flood is what an attacker sends. The client is public, since only for a public client
// an address is counted and takes its turn at hashing.
func flood(s *server) plan {
	p := posting(s.url("/token"), publicLogin("browser", "user{user}", "wrong-{n}"))
	p.Users, p.Workers = floodUsers, floodWorkers
	p.Header["X-Forwarded-For"] = "{ip}"
	p.Duration = 10 * time.Minute // it is stopped before
	p.Expect = []expectation{
		{http.StatusBadRequest, `"invalid_grant"`},
		{http.StatusServiceUnavailable, `"temporarily_unavailable"`}, // the queue is full, or the wait too long
	}
	return p
}

// hello is the other traffic.
func hello(s *server, duration time.Duration) plan {
	return plan{
		Method: http.MethodGet, URL: s.url("/hello"), Workers: floodWorkers, Duration: duration,
		Expect: []expectation{{http.StatusOK, "Hello, world"}},
	}
}

func floodRound(ctx context.Context, b *bench, s *server) ([]figure, error) {
	saturating := hello(s, b.slot)
	all, err := b.offer(ctx, saturating)
	if err != nil {
		return nil, err
	}
	steady := saturating
	steady.Rate, steady.Workers = int(all.perSecond()/2), steadyWorkers
	half, err := b.offer(ctx, steady)
	if err != nil {
		return nil, err
	}
	owners, err := newOwners(ctx, s)
	if err != nil {
		return nil, err
	}

	stop := b.background(ctx, flood(s))
	defer stop() // after an error before; otherwise it has ended
	if err := sleep(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	floodedHalf, err := b.offer(ctx, steady)
	if err != nil {
		return nil, err
	}
	floodedAll, err := b.offer(ctx, saturating)
	if err != nil {
		return nil, err
	}
	hashed, cached, tries, err := owners.login(ctx)
	if err != nil {
		return nil, err
	}
	flooding, err := stop()
	if err != nil {
		return nil, err
	}

	return []figure{
		measured("respond, saturated", "/s", all.perSecond()),
		measured("  p99", "ms", milliseconds(all.P99)),
		measured("respond at half of that", "/s", half.perSecond()),
		ratio("  of the rate that was asked for", half.perSecond()/float64(steady.Rate)),
		measured("  p99", "ms", milliseconds(half.P99)),
		measured("flood: wrong passwords answered 400", "/s", flooding.fitting(0)),
		measured("  answered 503", "/s", flooding.fitting(1)),
		measured("respond at half beside the flood", "/s", floodedHalf.perSecond()),
		measured("  p99", "ms", milliseconds(floodedHalf.P99)),
		ratio("  throughput with / without the flood", floodedHalf.perSecond()/half.perSecond()).atLeast(0.99),
		ratio("  p99 with / without", float64(floodedHalf.P99)/float64(half.P99)).atMost(5),
		measured("respond, saturated, beside the flood", "/s", floodedAll.perSecond()),
		ratio("  throughput with / without", floodedAll.perSecond()/all.perSecond()).atLeast(0.45),
		measured("an owner's login beside the flood, slowest of a round", "s", hashed.Seconds()).atMost(3),
		measured("  the same once more, remembered", "s", cached.Seconds()),
		measured("  tries it took", "", float64(tries)),
	}, nil
}

// owners are users who have logged in before, each from their own address.
type owners struct {
	server *server
	client *client
}

func newOwners(ctx context.Context, s *server) (*owners, error) {
	o := &owners{server: s, client: newClient()}
	for i := range ownersPerRound {
		if _, err := o.logIn(ctx, i); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *owners) try(ctx context.Context, i int) (answer, error) {
	// their names come last in the file, where the flood has names as well
	form := publicLogin("browser", fmt.Sprintf("user%d", floodUsers-1-i), thePassword)
	return o.client.post(ctx, o.server.url("/token"), form,
		map[string]string{"X-Forwarded-For": fmt.Sprintf("192.0.2.%d", 1+i)})
}

func (o *owners) logIn(ctx context.Context, i int) (time.Duration, error) {
	a, err := o.try(ctx, i)
	if err == nil {
		_, err = a.tokens()
	}
	return a.took, err
}

// login measures how long each owner needs until it works: an owner that is told to
// come again does so. It returns the longest time, that of the next logins, and the
// most attempts.
func (o *owners) login(ctx context.Context) (slowest, cached time.Duration, most int, err error) {
	for i := range ownersPerRound {
		took, tries, err := awaitLogin(ctx, time.Second, time.Minute, func() (answer, error) {
			return o.try(ctx, i)
		}, http.StatusServiceUnavailable, `"temporarily_unavailable"`)
		if err != nil {
			return 0, 0, 0, fmt.Errorf("an owner: %w", err)
		}
		again, err := o.logIn(ctx, i)
		if err != nil {
			return 0, 0, 0, err
		}
		slowest, cached, most = max(slowest, took), max(cached, again), max(most, tries)
	}
	return slowest, cached, most, nil
}

const (
	floodUsers   = 1000
	floodWorkers = 64

	// Enough for half of the rate, even during the flood. With far more workers, the
	// p99 is set by the bursts in which the load generator makes up for its own pauses,
	// and varies between 2 and 25 ms without any flood.
	steadyWorkers = 32

	ownersPerRound = 3

	trustLoopback = `servers {
		trusted_proxies static 127.0.0.1/32
		trusted_proxies_strict
	}`
)
