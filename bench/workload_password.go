package main

import (
	"context"
	"fmt"
	"strings"
)

// measurePassword compares logins whose password is remembered, by each algorithm, with `respond` of the same Caddy,
// and with other servers that do the same work.
func measurePassword(ctx context.Context, b *bench) (findings, error) {
	s, err := startAlgorithms(ctx, b)
	if err != nil {
		return findings{}, err
	}
	defer s.stop()
	targets := []target{respondTarget(b, s)}
	for _, algorithm := range algorithms {
		targets = append(targets, passwordTarget(b, s, algorithm))
	}
	entries, err := b.speeds(ctx, targets)
	if err != nil {
		return findings{}, err
	}
	share := func(name string) figure {
		return ratio(name+": CPU of respond / of it", find(entries, name).Share.Values...)
	}
	return findings{entries, []figure{
		share("HS256").atLeast(0.62),
		share("ES256").atLeast(0.40),
		share("EdDSA").atLeast(0.44),
		share("RS256"),
	}}, nil
}

// startAlgorithms runs a Caddy with a token endpoint for each algorithm, and with `respond` of an answer that is as
// long. Each has a path and a handle of its own, so that none passes through another.
func startAlgorithms(ctx context.Context, b *bench) (*server, error) {
	hash, err := bcrypted(bcryptCost)
	if err != nil {
		return nil, err
	}
	users := b.path("one-user.htpasswd")
	if err := writeUsers(users, 1, hash); err != nil {
		return nil, err
	}
	var site strings.Builder
	fmt.Fprintf(&site, "handle /json {\n\t\t%s\n\t}\n", respondJSON())
	for _, algorithm := range algorithms {
		path := pathOf(algorithm)
		fmt.Fprintf(&site, `	handle %s {
		token_endpoint %s {
			name %s
			signing_key %s
			users htpasswd %s
			%s
			password_checks {
				cache 1h
			}
		}
	}
`, path, path, strings.ToLower(algorithm), algorithm, users, theClient)
	}
	return b.startPinned(ctx, "algorithms", b.caddy, "", site.String())
}

// respondTarget is what limits a login: the same request, and an answer that is as long, without any work.
func respondTarget(b *bench, s *server) target {
	p := logins(s, "user0", thePassword, 0, 0)
	p.URL = s.url("/json")
	return target{"respond", limits, s.pid(), b.saturating(p, `"access_token"`)}
}

func passwordTarget(b *bench, s *server, algorithm string) target {
	p := logins(s, "user0", thePassword, 0, 0)
	p.URL = s.url(pathOf(algorithm))
	return target{algorithm, ours, s.pid(), b.saturating(p, `"access_token"`)}
}

func pathOf(algorithm string) string { return "/" + strings.ToLower(algorithm) }

var algorithms = []string{"HS256", "ES256", "EdDSA", "RS256"}
