package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// measureEqual compares what an unknown name costs with what a known one costs: if one
// took longer, a stranger could find out by the clock which names exist.
func measureEqual(ctx context.Context, b *bench) ([]figure, error) {
	figures, err := equalMedians(ctx, b)
	if err != nil {
		return nil, err
	}
	mixed, err := equalDistributions(ctx, b)
	return append(figures, mixed...), err
}

// equalMedians is for names that all have a hash of the same cost. Tries of the two kinds take turns.
func equalMedians(ctx context.Context, b *bench) ([]figure, error) {
	hash := bcrypted(thePassword, bcryptCost)
	// The client of the logins is public and the other one has a hash, so that all secrets there are cost the same.
	s, err := b.start(ctx, setup{name: "equal", users: equalUsers, hash: hash, site: fmt.Sprintf(`token_endpoint {
		users htpasswd users
		client cli {
			public
		}
		client app {
			secret_hash %s
		}
		throttle off
	}`, hash)})
	if err != nil {
		return nil, err
	}
	defer s.stop()

	c := newClient()
	user := func(username, password string) url.Values { return publicLogin("cli", username, password) }
	app := func(id, secret string) url.Values {
		return url.Values{"grant_type": {"password"}, "client_id": {id}, "client_secret": {secret}, "username": {"user0"}, "password": {thePassword}}
	}
	for _, right := range []url.Values{user("user0", thePassword), app("app", thePassword)} {
		if _, err := c.logIn(ctx, s.url("/token"), right); err != nil {
			return nil, err
		}
	}

	var figures []figure
	for _, kind := range []struct {
		name           string
		form           func(name, secret string) url.Values
		known, unknown string // # is a number
		code           string
	}{
		{"user", user, "user#", "nobody#", `"invalid_grant"`},
		{"client", app, "app", "app#", `"invalid_client"`},
	} {
		try := func(name string) func(i int) (float64, error) {
			return func(i int) (float64, error) {
				form := kind.form(strings.Replace(name, "#", strconv.Itoa(i%equalUsers), 1), wrong(i))
				return c.timed(ctx, s.url("/token"), form, http.StatusBadRequest, kind.code)
			}
		}
		known, unknown, err := inTurns(b.tries, try(kind.known), try(kind.unknown))
		if err != nil {
			return nil, err
		}
		figures = append(figures,
			measured("known "+kind.name+", wrong password", "ms", median(known)),
			measured("unknown "+kind.name, "ms", median(unknown)),
			measured("unknown and known "+kind.name+": the medians differ by", "%", 100*apart(median(known), median(unknown))).atMost(2),
			measured("  and the medians of known tries with odd and even numbers by", "%", 100*apart(median(everyOther(known, 0)), median(everyOther(known, 1)))),
		)
	}
	return figures, nil
}

// everyOther is every second value from the given one on: two halves of one kind show how far the medians of equal
// things are apart by chance.
func everyOther(values []float64, from int) []float64 {
	var half []float64
	for i := from; i < len(values); i += 2 {
		half = append(half, values[i])
	}
	return half
}

// wrong is a password that is new with every try: equal attempts might share a hash.
func wrong(i int) string { return fmt.Sprintf("wrong-%d-%d", time.Now().UnixNano(), i) }

const equalUsers = 20
