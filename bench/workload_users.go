package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// measureUsers loads a million users.
func measureUsers(ctx context.Context, b *bench) ([]figure, error) {
	hash, err := bcrypted(cheapCost)
	if err != nil {
		return nil, err
	}
	one, htpasswd, list := b.path("one.htpasswd"), b.path("million.htpasswd"), b.path("million.json")
	if err := writeUsers(one, 1, hash); err != nil {
		return nil, err
	}
	if err := writeUsers(htpasswd, million, hash); err != nil {
		return nil, err
	}
	defer os.Remove(htpasswd)

	var alone, loaded, took, resident, peak, lastToFirst []float64
	for range min(b.rounds, 3) {
		s, err := startUsers(ctx, b, "one", "htpasswd "+one)
		if err != nil {
			return nil, err
		}
		s.stop()
		alone = append(alone, s.ready.Seconds())

		if s, err = startUsers(ctx, b, "million", "htpasswd "+htpasswd); err != nil {
			return nil, err
		}
		m, lastFirst, err := useMillion(ctx, s)
		s.stop()
		if err != nil {
			return nil, err
		}
		loaded, took = append(loaded, s.ready.Seconds()), append(took, s.ready.Seconds()-alone[len(alone)-1])
		resident, peak = append(resident, m.now), append(peak, m.peak)
		lastToFirst = append(lastToFirst, lastFirst)
	}
	figures := []figure{
		measured("start with 1 user", "s", alone...),
		measured("start with 1,000,000 htpasswd users", "s", loaded...).atMost(4),
		measured("  of which for the file", "s", took...),
		measured("  resident after "+settling.String(), "MiB", resident...).atMost(450),
		measured("  at most", "MiB", peak...),
		ratio("  the last user's login / the first's", lastToFirst...).atMost(1.05),
	}

	changed, err := changeMillion(ctx, b, htpasswd, hash)
	if err != nil {
		return nil, err
	}
	figures = append(figures, changed...)

	if err := writeJSONUsers(list, million, hash); err != nil {
		return nil, err
	}
	defer os.Remove(list)
	s, err := startUsers(ctx, b, "list", "json "+list)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	m, lastFirst, err := useMillion(ctx, s)
	if err != nil {
		return nil, err
	}
	return append(figures,
		measured("start with 1,000,000 JSON users", "s", s.ready.Seconds()),
		measured("  resident after "+settling.String(), "MiB", m.now),
		measured("  at most", "MiB", m.peak),
		ratio("  the last user's login / the first's", lastFirst),
	), nil
}

func startUsers(ctx context.Context, b *bench, name, source string) (*server, error) {
	return b.start(ctx, "users-"+name, b.caddy, "", fmt.Sprintf(`token_endpoint {
		users %s
		%s
		password_checks {
			cache off
		}
		throttle off
	}`, source, theClient))
}

// useMillion waits, as nobody can tell a server to give memory back, and compares logins of the first and the last
// user. Their hash is the cheapest, so that a slow look-up would show.
func useMillion(ctx context.Context, s *server) (m memory, lastToFirst float64, err error) {
	if err := sleep(ctx, settling); err != nil {
		return m, 0, err
	}
	if m, err = s.memory(); err != nil {
		return m, 0, err
	}
	c := newClient()
	try := func(user int) (float64, error) {
		a, err := c.post(ctx, s.url("/token"), login(fmt.Sprintf("user%d", user), thePassword), nil)
		if err != nil {
			return 0, err
		}
		_, err = a.tokens()
		return milliseconds(a.took), err
	}
	first, last, err := inTurns(100,
		func(int) (float64, error) { return try(0) },
		func(int) (float64, error) { return try(million - 1) })
	return m, median(last) / median(first), err
}

// changeMillion adds a user to the file, as a tool does that writes a new one and renames it, and waits until that user
// can log in.
func changeMillion(ctx context.Context, b *bench, path, hash string) ([]figure, error) {
	s, err := startUsers(ctx, b, "change", "htpasswd "+path)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := writeUsers(path+".new", million+1, hash); err != nil {
		return nil, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, err
	}
	begun := time.Now()
	c := newClient()
	for {
		a, err := c.post(ctx, s.url("/token"), login(fmt.Sprintf("user%d", million), thePassword), nil)
		if err != nil {
			return nil, err
		}
		if _, err := a.tokens(); err == nil {
			break
		}
		if err := a.expect(400, `"invalid_grant"`); err != nil {
			return nil, err
		}
		if time.Since(begun) > time.Minute {
			return nil, fmt.Errorf("a user who was added to %d could not log in within a minute", million)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
	inForce := time.Since(begun)
	if err := sleep(ctx, settling); err != nil {
		return nil, err
	}
	m, err := s.memory()
	return []figure{
		measured("one more user: in force after", "s", inForce.Seconds()),
		measured("  resident after "+settling.String(), "MiB", m.now),
		measured("  at most", "MiB", m.peak),
	}, err
}

// writeJSONUsers writes the same users as writeUsers does, with an id and a scope each.
func writeJSONUsers(path string, n int, hash string) error {
	return writeLines(path, n, func(i int) string {
		var line strings.Builder
		if i == 0 {
			line.WriteString(`{"users":[`)
		}
		fmt.Fprintf(&line, `{"username":"user%d","password_hash":%q,"id":"512a0c1e-0000-4000-8000-%012d","scopes":["read"]}`, i, hash, i)
		if i < n-1 {
			line.WriteString(",")
		} else {
			line.WriteString("]}")
		}
		return line.String()
	})
}

const (
	million   = 1_000_000
	cheapCost = 4 // the lowest that bcrypt has
	settling  = 10 * time.Second
)
