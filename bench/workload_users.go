package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// measureUsers loads a million users.
func measureUsers(ctx context.Context, b *bench) ([]figure, error) {
	hash := bcrypted(thePassword, cheapCost)
	one, htpasswd, list := b.path("one.htpasswd"), b.path("million.htpasswd"), b.path("million.json")
	if err := errors.Join(writeUsers(one, 1, hash), writeUsers(htpasswd, million, hash)); err != nil {
		return nil, err
	}
	defer os.Remove(htpasswd)
	figures, err := inRounds(min(b.rounds, 3), 1, func(int) ([]figure, error) {
		s, err := startUsers(ctx, b, "one", "htpasswd "+one)
		if err != nil {
			return nil, err
		}
		s.stop()
		alone := s.ready.Seconds()
		u, err := useMillion(ctx, b, "million", "htpasswd "+htpasswd)
		return []figure{
			measured("start with 1 user", "s", alone),
			measured("start with 1,000,000 htpasswd users", "s", u.ready).atMost(4),
			measured("  of which for the file", "s", u.ready-alone),
			measured("  resident after "+settling.String(), "MiB", u.now).atMost(450),
			measured("  at most", "MiB", u.peak),
			ratio("  the last user's login / the first's", u.lastToFirst).atMost(1.05),
		}, err
	})
	if err != nil {
		return nil, err
	}

	changed, err := changeMillion(ctx, b, htpasswd, hash)
	if err != nil {
		return nil, err
	}

	if err := writeJSONUsers(list, million, hash); err != nil {
		return nil, err
	}
	defer os.Remove(list)
	u, err := useMillion(ctx, b, "list", "json "+list)
	return slices.Concat(figures, changed, []figure{
		measured("start with 1,000,000 JSON users", "s", u.ready),
		measured("  resident after "+settling.String(), "MiB", u.now),
		measured("  at most", "MiB", u.peak),
		ratio("  the last user's login / the first's", u.lastToFirst),
	}), err
}

func startUsers(ctx context.Context, b *bench, name, source string) (*server, error) {
	return b.start(ctx, setup{name: "users-" + name, site: fmt.Sprintf(`token_endpoint {
		users %s
		import client
		password_checks {
			cache off
		}
		throttle off
	}`, source)})
}

// used is what was measured of a server with a million users.
type used struct {
	ready float64 // seconds
	memory
	lastToFirst float64
}

// useMillion waits, as nothing can tell a server to give memory back, and compares
// logins of the first and the last user. Their hash is the cheapest, so that a slow
// look-up would show.
func useMillion(ctx context.Context, b *bench, name, source string) (u used, err error) {
	s, err := startUsers(ctx, b, name, source)
	if err != nil {
		return u, err
	}
	defer s.stop()
	u.ready = s.ready.Seconds()
	if err := sleep(ctx, settling); err != nil {
		return u, err
	}
	if u.memory, err = s.memory(); err != nil {
		return u, err
	}
	c := newClient()
	try := func(user int) (float64, error) {
		form := login(fmt.Sprintf("user%d", user), thePassword)
		return c.timed(ctx, s.url("/token"), form, http.StatusOK, `"access_token"`)
	}
	first, last, err := inTurns(100,
		func(int) (float64, error) { return try(0) },
		func(int) (float64, error) { return try(million - 1) })
	u.lastToFirst = median(last) / median(first)
	return u, err
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
	c, form := newClient(), login(fmt.Sprintf("user%d", million), thePassword)
	took, _, err := awaitLogin(ctx, 50*time.Millisecond, time.Minute, func() (answer, error) {
		return c.post(ctx, s.url("/token"), form, nil)
	}, http.StatusBadRequest, `"invalid_grant"`)
	if err != nil {
		return nil, fmt.Errorf("a user who was added to %d: %w", million, err)
	}
	if err := sleep(ctx, settling); err != nil {
		return nil, err
	}
	m, err := s.memory()
	return []figure{
		measured("one more user: in force after", "s", took.Seconds()),
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
	million  = 1_000_000
	settling = 10 * time.Second
)
