package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// measureCold compares logins whose password has to be hashed with the hash alone, on the same core and one at a time:
// what is between is what the endpoint costs. Nothing is hashed twice by name, and nothing is remembered.
func measureCold(ctx context.Context, b *bench) ([]figure, error) {
	var figures []figure
	for _, c := range []cold{
		{"bcrypt 10", bcrypted(thePassword, bcryptCost), []string{"bcrypt", strconv.Itoa(bcryptCost)}},
		{fmt.Sprintf("argon2id m=%d,t=%d", argonKiB, argonTime), argon2ided(argonKiB, argonTime),
			[]string{"argon2id", strconv.Itoa(argonKiB), strconv.Itoa(argonTime)}},
	} {
		of, err := c.measure(ctx, b)
		if err != nil {
			return nil, err
		}
		figures = append(figures, of...)
	}
	return figures, nil
}

// cold is a kind of hash.
type cold struct {
	name string
	hash string
	bare []string // what the program hash is told
}

func (c cold) measure(ctx context.Context, b *bench) ([]figure, error) {
	s, err := b.start(ctx, setup{name: "cold", pinned: true, users: coldUsers, hash: c.hash, site: `token_endpoint {
		users htpasswd users
		import client
		password_checks {
			concurrency 1
			cache off
		}
		throttle off
	}`})
	if err != nil {
		return nil, err
	}
	defer s.stop()

	p := posting(s.url("/token"), login("user{user}", thePassword))
	p.Users, p.Workers, p.Duration, p.pinned = coldUsers, 1, coldTurn, true
	p.Expect = []expectation{{http.StatusOK, `"access_token"`}}
	return inRounds(b.rounds, b.passes(coldTurn, 1), func(number int) ([]figure, error) {
		var alone float64
		var o outcome
		err := pass(number,
			func() (err error) { alone, err = c.alone(ctx, b); return err },
			func() (err error) { o, err = b.offer(ctx, p); return err })
		return []figure{
			measured(c.name+" alone, one at a time", "/s", alone),
			measured("  cold logins, one at a time", "/s", o.perSecond()),
			ratio("  cold logins / alone", o.perSecond()/alone).atLeast(0.97),
		}, err
	})
}

// alone is how many hashes a second there are, one at a time, in a process on the server's core.
func (c cold) alone(ctx context.Context, b *bench) (perSecond float64, err error) {
	output, err := b.output(ctx, b.cores.server, nil, "hash", append([]string{coldTurn.String()}, c.bare...)...)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(output)), 64)
}

const (
	bcryptCost = 10 // Go's default, and that of `htpasswd -B -C 10`
	coldUsers  = 50
	coldTurn   = time.Second

	argonKiB, argonTime = 19456, 2 // as OWASP's Password Storage Cheat Sheet has them first
)
