package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// measureCold compares logins whose password has to be hashed with the hash alone, one at a time: what is between is
// what the endpoint costs. Nothing is hashed twice by name, and nothing is remembered.
func measureCold(ctx context.Context, b *bench) ([]figure, error) {
	hash, err := bcrypted(bcryptCost)
	if err != nil {
		return nil, err
	}
	users := b.path("cold.htpasswd")
	if err := writeUsers(users, coldUsers, hash); err != nil {
		return nil, err
	}
	defer os.Remove(users)
	s, err := b.start(ctx, "cold", b.caddy, "", fmt.Sprintf(`token_endpoint {
		users htpasswd %s
		%s
		password_checks {
			concurrency 1
			cache off
		}
		throttle off
	}`, users, theClient))
	if err != nil {
		return nil, err
	}
	defer s.stop()

	var bare, logged, ratios []float64
	p := logins(s, "user{user}", thePassword, coldUsers, 1)
	p.Duration = b.slot
	p.Expect = []expectation{{http.StatusOK, `"access_token"`}}
	for round := range b.rounds {
		var alone float64
		if round%2 == 0 { // the order changes, so that a drift of the machine's speed favours neither
			if alone, err = bareHashes(ctx, hash, b.slot); err != nil {
				return nil, err
			}
		}
		o, err := b.offer(ctx, p)
		if err != nil {
			return nil, err
		}
		if round%2 == 1 {
			if alone, err = bareHashes(ctx, hash, b.slot); err != nil {
				return nil, err
			}
		}
		bare, logged = append(bare, alone), append(logged, o.perSecond())
		ratios = append(ratios, o.perSecond()/alone)
	}
	return []figure{
		measured("bcrypt 10 alone, one at a time", "/s", bare...),
		measured("cold logins, one at a time", "/s", logged...),
		ratio("cold logins / bcrypt", ratios...).atLeast(0.97),
	}, nil
}

// bareHashes is how many comparisons a second there are, one at a time.
func bareHashes(ctx context.Context, hash string, duration time.Duration) (float64, error) {
	begun := time.Now()
	for n := 1; ; n++ {
		if err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(thePassword)); err != nil {
			return 0, err
		}
		if elapsed := time.Since(begun); elapsed >= duration || ctx.Err() != nil {
			return float64(n) / elapsed.Seconds(), ctx.Err()
		}
	}
}

const (
	bcryptCost = 10 // Go's default, and that of `htpasswd -B -C 10`
	coldUsers  = 50
)
