package main

import (
	"context"
	"fmt"
	"strings"
)

// measurePassword compares logins whose password is remembered, by each algorithm, with `respond` of the same Caddy,
// and with other servers that do the same work.
func measurePassword(ctx context.Context, b *bench) (findings, error) {
	others, err := b.peers(ctx)
	if err != nil {
		return findings{}, err
	}
	s, names, err := startAlgorithms(ctx, b)
	if err != nil {
		return findings{}, err
	}
	defer s.stop()
	targets := []target{respondTarget(s, names)}
	for _, algorithm := range algorithms {
		targets = append(targets, passwordTarget(s, names, algorithm))
	}
	for _, other := range others {
		running, err := other.start(ctx, b)
		if err != nil {
			return findings{}, err
		}
		defer running.stop()
		t := target{other.name, groupPeers, running, passwordPlan(running.url("/token"), names)}
		if other.fixed {
			t.group = groupLimits
		}
		targets = append(targets, t)
	}
	entries, err := b.speeds(ctx, targets)
	if err != nil {
		return findings{}, err
	}
	figures := append(passwordFigures(entries), busyByOurs(entries)...)
	byWrk, err := measureByWrk(ctx, b, targets[0], targets[1])
	return findings{Entries: entries, Figures: append(figures, byWrk...)}, err
}

func passwordFigures(entries []entry) []figure {
	var figures []figure
	for _, wanted := range []struct {
		algorithm string
		share     float64
	}{{"HS256", 0.62}, {"ES256", 0.40}, {"EdDSA", 0.44}} {
		if e, ok := named(entries, wanted.algorithm); ok {
			figures = append(figures, ratio("CPU per request: respond's / "+e.Name+"'s", e.Share.Values...).atLeast(wanted.share))
		}
	}
	our, _ := named(entries, "HS256")
	if e, ok := named(entries, "go-oauth2 HS256"); ok {
		figures = append(figures, ratio("CPU per request: "+e.Name+"'s / HS256's", times(e, our)...).atLeast(1))
	}
	// of the peer on Express as fast as it can be made there
	var best entry
	for _, name := range []string{"jmondi HS256", "jmondi HS256, key object"} {
		if e, ok := named(entries, name); ok && (best.Name == "" || e.Share.Median > best.Share.Median) {
			best = e
		}
	}
	if best.Name != "" {
		figures = append(figures, ratio("CPU per request: "+best.Name+"'s / HS256's", times(best, our)...).atLeast(4))
	}
	return figures
}

// startAlgorithms runs a Caddy with a token endpoint for each algorithm, and with
// `respond` of an answer that is as long. Each has its own path and handle, so that no
// request passes through another. names is a file of its users' names.
func startAlgorithms(ctx context.Context, b *bench) (s *server, names string, err error) {
	names = b.path("names")
	if err := writeNames(names); err != nil {
		return nil, "", err
	}
	var site strings.Builder
	fmt.Fprintf(&site, "handle /json {\n\t\t%s\n\t}\n", respondJSON())
	for _, algorithm := range algorithms {
		site.WriteString(endpointOf(algorithm, ""))
	}
	hash := bcrypted(thePassword, cheapCost)
	s, err = b.start(ctx, setup{name: "algorithms", pinned: true, users: manyUsers, hash: hash, site: site.String()})
	return s, names, err
}

// endpointOf is a token endpoint with its own name and path, which remembers passwords.
func endpointOf(algorithm, more string) string {
	path := pathOf(algorithm)
	return fmt.Sprintf(`	handle %s {
		token_endpoint %s {
			name %s
			signing_key %s
			users htpasswd users
			import client
			password_checks {
				cache 1h
			}
			%s
		}
	}
`, path, path, strings.ToLower(algorithm), algorithm, more)
}

// writeNames writes a file of the names of all users.
func writeNames(path string) error {
	return writeLines(path, manyUsers, func(i int) string { return fmt.Sprintf("user%d", i) })
}

// respondTarget is what limits a login: the same request, and an answer that is as long, without any work.
func respondTarget(s *server, names string) target {
	return target{"respond", groupLimits, &s.process, passwordPlan(s.url("/json"), names)}
}

func passwordTarget(s *server, names, algorithm string) target {
	return target{algorithm, groupOurs, &s.process, passwordPlan(s.url(pathOf(algorithm)), names)}
}

// passwordPlan is the logins of users, one after the other, whose passwords are
// remembered after the first login.
func passwordPlan(address, names string) plan {
	p := saturating(posting(address, login("{line}", thePassword)), `"access_token"`)
	p.Lines = names
	return p
}

func pathOf(algorithm string) string { return "/" + strings.ToLower(algorithm) }

var algorithms = []string{"HS256", "ES256", "EdDSA", "RS256"}
