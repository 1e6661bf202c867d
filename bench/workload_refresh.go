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

	if _, err := refreshed(ctx, b, s, 1); err != nil { // the first ones warm it up
		return findings{}, err
	}
	var f refreshFigures
	turns, number := b.turnsOf(refreshTurn), 0
	for range b.rounds {
		var r refreshRound
		for range turns.passes {
			if err := r.pass(ctx, b, s, number); err != nil {
				return findings{}, err
			}
			number++
		}
		f.add(r)
	}
	return findings{figures: f.figures()}, nil
}

// refreshRound has one value a pass.
type refreshRound struct {
	storage, storageP99 []float64
	one, eight          []reading
	kept                []float64
}

func (r *refreshRound) pass(ctx context.Context, b *bench, s *server, number int) error {
	var storage []float64
	var one, eight reading
	err := pass(number,
		func() (err error) { eight, err = refreshed(ctx, b, s, 8); return err },
		func() (err error) { storage, err = exchanged(ctx, b); return err },
		func() (err error) { one, err = refreshed(ctx, b, s, 1); return err })
	if err != nil {
		return err
	}
	perSecond := 1000 / mean(storage)
	r.storage, r.storageP99 = append(r.storage, perSecond), append(r.storageP99, quantile(storage, 0.99))
	r.one, r.eight = append(r.one, one), append(r.eight, eight)
	r.kept = append(r.kept, one.perSecond()/perSecond)
	return nil
}

// exchanged measures the storage alone, on the server's core: how long each exchange took, in milliseconds.
func exchanged(ctx context.Context, b *bench) (took []float64, err error) {
	storage := &certmagic.FileStorage{Path: b.path("exchanged")}
	err = onCore(b.cores.server, func() error {
		for begun := time.Now(); time.Since(begun) < refreshTurn; {
			began := time.Now()
			if err := exchangeOnce(ctx, storage); err != nil {
				return fmt.Errorf("the storage: %w", err)
			}
			took = append(took, milliseconds(time.Since(began)))
		}
		return ctx.Err()
	})
	return took, err
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

// refreshed opens sessions and refreshes them, as many as a turn has time for.
func refreshed(ctx context.Context, b *bench, s *server, workers uint64) (reading, error) {
	n := int(refreshTurn.Seconds() * sessionsPerSecond)
	opened, err := logInOften(ctx, s, n)
	if err != nil {
		return reading{}, err
	}
	lines := b.path("refresh-tokens")
	if err := writeLines(lines, n, func(i int) string { return opened[i].Refresh }); err != nil {
		return reading{}, err
	}
	p := saturating(plan{
		Method: http.MethodPost, URL: s.url("/token"), Header: map[string]string{"Content-Type": formType},
		Body:  "grant_type=refresh_token&client_id=" + clientID + "&client_secret=" + clientSecret + "&refresh_token={line}",
		Lines: lines, Once: true,
	}, `"refresh_token"`)
	p.Workers, p.Duration = workers, refreshTurn
	return b.speed(ctx, &target{"refresh", groupOurs, s.pid(), p})
}

// refreshFigures has one value a round.
type refreshFigures struct {
	storage, storageP99 []float64
	one, eight          entry
	kept                []float64
}

func (f *refreshFigures) add(r refreshRound) {
	f.storage, f.storageP99 = append(f.storage, median(r.storage)), append(f.storageP99, median(r.storageP99))
	f.one.add(r.one)
	f.eight.add(r.eight)
	f.kept = append(f.kept, median(r.kept))
}

func (f *refreshFigures) figures() []figure {
	figures := []figure{
		measured("storage: lock, load, store, unlock, one at a time", "/s", f.storage...),
		measured("  p99", "ms", f.storageP99...),
	}
	for _, r := range []struct {
		workers string
		entry
	}{{"one at a time", f.one}, {"eight at a time", f.eight}} {
		figures = append(figures,
			measured("refreshes, "+r.workers, "/s", r.PerSecond.Values...),
			measured("  p50", "ms", r.P50.Values...),
			measured("  p99", "ms", r.P99.Values...),
			measured("  CPU per request", "µs", r.CPU.Values...))
	}
	return append(figures, ratio("refreshes, one at a time / storage", f.kept...).atLeast(0.8))
}

const (
	refreshTurn       = 500 * time.Millisecond
	sessionsPerSecond = 4000 // more than a file system writes that waits for its disk
)
