package main

import (
	"context"
	"fmt"
	"net/http"
)

// measureBearer compares requests that bearer_auth checks with the same requests
// unchecked: with one token again and again, and with so many tokens that each was last
// seen a hundred thousand requests ago.
func measureBearer(ctx context.Context, b *bench) (findings, error) {
	s, err := b.start(ctx, setup{name: "bearer", pinned: true, users: manyUsers, hash: bcrypted(thePassword, cheapCost), site: fmt.Sprintf(`token_endpoint {
		signing_key HS256
		users htpasswd users
		import client
		password_checks {
			cache 1h
		}
	}
	handle /plain {
		%s
	}
	handle /app {
		bearer_auth
		%s
	}`, respondJSON(), respondJSON())})
	if err != nil {
		return findings{}, err
	}
	defer s.stop()

	issued, err := logInOften(ctx, s.url("/token"), rotated)
	if err != nil {
		return findings{}, err
	}
	tokens := b.path("access-tokens")
	if err := writeLines(tokens, rotated, func(i int) string { return issued[i].Access }); err != nil {
		return findings{}, err
	}
	// All have the token in a header, so that its transport is not part of the cost of
	// the check.
	hot := func(path string) plan {
		return saturating(plan{
			Method: http.MethodGet, URL: s.url(path), Header: map[string]string{"Authorization": "Bearer " + issued[0].Access},
		}, `"access_token"`)
	}
	rotation := func(path string) plan {
		p := hot(path)
		p.Header = map[string]string{"Authorization": "Bearer {line}"}
		p.Lines = tokens // each turn goes on where the last one ended
		return p
	}

	// after all requests of the one path, all of the other
	var resident []float64
	for _, path := range []string{"/plain", "/app"} {
		load := rotation(path)
		load.Once = true
		if _, err := b.offer(ctx, load); err != nil {
			return findings{}, err
		}
		m, err := s.memory()
		if err != nil {
			return findings{}, err
		}
		resident = append(resident, m.now)
	}
	entries, err := b.speeds(ctx, []target{
		{"respond", groupLimits, &s.process, hot("/plain")},
		{"bearer_auth, one token", groupOurs, &s.process, hot("/app")},
		{fmt.Sprintf("bearer_auth, %d tokens", rotated), groupOurs, &s.process, rotation("/app")},
	})
	if err != nil {
		return findings{}, err
	}
	return findings{Entries: entries, Figures: []figure{
		ratio("CPU per request: respond's / with one token", entries[1].Share.Values...).atLeast(0.90),
		ratio(fmt.Sprintf("CPU per request: respond's / with %d tokens in rotation", rotated), entries[2].Share.Values...).atLeast(0.70),
		measured("  growth of the resident memory", "MiB", resident[1]-resident[0]).atMost(64),
	}}, nil
}

const rotated = 100_000
