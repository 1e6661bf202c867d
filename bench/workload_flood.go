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

	figures, err := inRounds(b.rounds, 1, []figure{
		measured("respond, saturated", "/s"),
		measured("  p99", "ms"),
		measured("respond at half of that", "/s"),
		ratio("  of the rate that was asked for"),
		measured("  p99", "ms"),
		measured("flood: wrong passwords answered 400", "/s"),
		measured("  answered 503", "/s"),
		measured("respond at half beside the flood", "/s"),
		measured("  p99", "ms"),
		ratio("  throughput with / without the flood").atLeast(0.99),
		ratio("  p99 with / without").atMost(5),
		measured("respond, saturated, beside the flood", "/s"),
		ratio("  throughput with / without").atLeast(0.45),
		measured("an owner's login beside the flood, slowest of a round", "s").atMost(3),
		measured("  the same once more, remembered", "s"),
		measured("  tries it took", ""),
	}, func(int) ([]float64, error) { return floodRound(ctx, b, s) })
	if err != nil {
		return nil, err
	}
	memory, err := measureFloodMemory(ctx, b)
	return append(figures, memory...), err
}

func startFlooded(ctx context.Context, b *bench) (*server, error) {
	users, err := b.writeUsers("flood", floodUsers, bcrypted(thePassword, bcryptCost))
	if err != nil {
		return nil, err
	}
	// What was right is remembered for a second only, so that owners have known addresses but their passwords have to
	// be hashed.
	return b.start(ctx, setup{name: "flood", globals: trustLoopback, site: fmt.Sprintf(`token_endpoint {
		users htpasswd %s
		%s
		client browser {
			public
		}
		password_checks {
			cache 1s
		}
	}
	respond /hello "Hello, world"`, users, theClient)})
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

// floodRound returns the values of a round.
func floodRound(ctx context.Context, b *bench, s *server) ([]float64, error) {
	saturating := ask(s, "/hello", "Hello, world", floodWorkers)
	saturating.Duration = b.slot
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

	stop := b.background(ctx, flood(s, floodUsers))
	defer stop() // of an error before; else it has ended
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

	return []float64{
		all.perSecond(),
		milliseconds(all.P99),
		half.perSecond(),
		half.perSecond() / float64(steady.Rate),
		milliseconds(half.P99),
		flooding.perSecond(0),
		flooding.perSecond(1),
		floodedHalf.perSecond(),
		milliseconds(floodedHalf.P99),
		floodedHalf.perSecond() / half.perSecond(),
		float64(floodedHalf.P99) / float64(half.P99),
		floodedAll.perSecond(),
		floodedAll.perSecond() / all.perSecond(),
		hashed.Seconds(),
		cached.Seconds(),
		float64(tries),
	}, nil
}

// owners are users who have logged in before from addresses of their own.
type owners struct {
	server *server
	client *client
}

func newOwners(ctx context.Context, s *server) (*owners, error) {
	o := &owners{server: s, client: newClient()}
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
// cached is the slowest of their logins that follow.
func (o *owners) login(ctx context.Context) (slowest, cached time.Duration, most int, err error) {
	for i := range ownersPerRound {
		took, tries, err := o.logInWaiting(ctx, i)
		if err != nil {
			return 0, 0, 0, err
		}
		a, err := o.try(ctx, i)
		if err != nil {
			return 0, 0, 0, err
		}
		if _, err := a.tokens(); err != nil {
			return 0, 0, 0, err
		}
		slowest, cached, most = max(slowest, took), max(cached, a.took), max(most, tries)
	}
	return slowest, cached, most, nil
}

func (o *owners) logInWaiting(ctx context.Context, i int) (took time.Duration, tries int, err error) {
	begun := time.Now()
	for {
		a, err := o.try(ctx, i)
		if err != nil {
			return 0, 0, err
		}
		tries++
		if _, err = a.tokens(); err == nil {
			return time.Since(begun), tries, nil
		}
		if a.expect(http.StatusServiceUnavailable, `"temporarily_unavailable"`) != nil {
			return 0, 0, err
		}
		if time.Since(begun) > time.Minute {
			return 0, 0, fmt.Errorf("an owner could not log in within a minute: %w", err)
		}
		if err := sleep(ctx, time.Second); err != nil {
			return 0, 0, err
		}
	}
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
