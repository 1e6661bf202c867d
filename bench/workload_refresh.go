package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/caddyserver/certmagic"
)

// measureRefresh compares refreshes with what a refresh needs of the storage, which are files here: to lock a name, to
// read and to write an object, and to unlock. Every session is refreshed once.
func measureRefresh(ctx context.Context, b *bench) (findings, error) {
	hash, err := bcrypted(bcryptCost)
	if err != nil {
		return findings{}, err
	}
	users := b.path("one-user.htpasswd")
	if err := writeUsers(users, 1, hash); err != nil {
		return findings{}, err
	}
	s, err := b.startPinned(ctx, "refresh", b.caddy, "", fmt.Sprintf(`token_endpoint {
		users htpasswd %s
		%s
		password_checks {
			cache 1h
		}
	}`, users, theClient))
	if err != nil {
		return findings{}, err
	}
	defer s.stop()

	var f refreshFigures
	for round := range b.rounds {
		if err := f.round(ctx, b, s, round); err != nil {
			return findings{}, err
		}
	}
	return findings{figures: f.figures()}, nil
}

// refreshFigures has one value a round.
type refreshFigures struct {
	storage, storageP99 []float64
	one, eight          refreshes
	kept                []float64
}

type refreshes struct{ perSecond, p50, p99, cpu []float64 }

func (f *refreshFigures) round(ctx context.Context, b *bench, s *server, round int) error {
	var alone float64
	parts := []func() error{
		func() (err error) {
			alone, err = f.exchange(ctx, b)
			return err
		},
		func() error { return f.one.measure(ctx, b, s, 1) },
		func() error { return f.eight.measure(ctx, b, s, 8) },
	}
	for i := range parts {
		if round%2 == 1 { // so that a drift of the machine's speed favours none
			i = len(parts) - 1 - i
		}
		if err := parts[i](); err != nil {
			return err
		}
	}
	f.kept = append(f.kept, f.one.perSecond[round]/alone)
	return nil
}

// exchange measures the storage alone, on the server's core.
func (f *refreshFigures) exchange(ctx context.Context, b *bench) (perSecond float64, err error) {
	var took []float64
	storage := &certmagic.FileStorage{Path: b.path("exchanged")}
	begun := time.Now()
	err = onCore(b.cores.server, func() error {
		for time.Since(begun) < b.slot {
			began := time.Now()
			if err := exchangeOnce(ctx, storage); err != nil {
				return fmt.Errorf("the storage: %w", err)
			}
			took = append(took, milliseconds(time.Since(began)))
		}
		return ctx.Err()
	})
	if err != nil {
		return 0, err
	}
	perSecond = float64(len(took)) / time.Since(begun).Seconds()
	f.storage = append(f.storage, perSecond)
	f.storageP99 = append(f.storageP99, quantile(took, 0.99))
	return perSecond, nil
}

// exchangeOnce does what is needed to keep something of a new session, in an object that is as large and has such a
// name.
func exchangeOnce(ctx context.Context, storage certmagic.Storage) error {
	id := make([]byte, 20)
	rand.Read(id) // never fails: it crashes the program instead
	key := "grant/sessions/20300101/" + hex.EncodeToString(id)
	lock := key + ".0"
	if err := storage.Lock(ctx, lock); err != nil {
		return err
	}
	if _, err := storage.Load(ctx, key); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a new object is there already, or: %w", err)
	}
	content := fmt.Sprintf(`{"version":1,"generation":1,"answer":"%x","rotated":%d}`, id[:16], time.Now().UnixMilli())
	return errors.Join(storage.Store(ctx, key, []byte(content)), storage.Unlock(ctx, lock))
}

// measure opens sessions and refreshes them, as many as a slot has time for.
func (r *refreshes) measure(ctx context.Context, b *bench, s *server, workers uint64) error {
	n := int(b.slot.Seconds() * sessionsPerSecond)
	opened, err := logInOften(ctx, s, n)
	if err != nil {
		return err
	}
	lines := b.path("refresh-tokens")
	if err := writeLines(lines, n, func(i int) string { return opened[i].Refresh }); err != nil {
		return err
	}
	p := b.saturating(plan{
		Method: http.MethodPost, URL: s.url("/token"), Header: map[string]string{"Content-Type": formType},
		Body:  "grant_type=refresh_token&client_id=" + clientID + "&client_secret=" + clientSecret + "&refresh_token={line}",
		Lines: lines, Once: true,
	}, `"refresh_token"`)
	p.Workers = workers
	refreshed, err := b.speed(ctx, target{"refresh", ours, s.pid(), p})
	if err != nil {
		return err
	}
	r.perSecond = append(r.perSecond, refreshed.perSecond())
	r.p50 = append(r.p50, milliseconds(refreshed.P50))
	r.p99 = append(r.p99, milliseconds(refreshed.P99))
	r.cpu = append(r.cpu, refreshed.cpu)
	return nil
}

func (f *refreshFigures) figures() []figure {
	figures := []figure{
		measured("storage: lock, load, store, unlock, one at a time", "/s", f.storage...),
		measured("  p99", "ms", f.storageP99...),
	}
	for _, r := range []struct {
		workers string
		refreshes
	}{{"one at a time", f.one}, {"eight at a time", f.eight}} {
		figures = append(figures,
			measured("refreshes, "+r.workers, "/s", r.perSecond...),
			measured("  p50", "ms", r.p50...),
			measured("  p99", "ms", r.p99...),
			measured("  CPU per request", "µs", r.cpu...))
	}
	return append(figures, ratio("refreshes, one at a time / storage", f.kept...).atLeast(0.8))
}

const sessionsPerSecond = 4000 // more than a file system writes that waits for its disk
