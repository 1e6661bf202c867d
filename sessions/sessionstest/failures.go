package sessionstest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// calls are one of each method that asks the engine.
func calls(e sessions.Engine, id sessions.ID, next uint64, answer string) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Epoch":   func(ctx context.Context) error { _, err := e.Epoch(ctx); return err },
		"Load":    func(ctx context.Context) error { _, err := e.Load(ctx, id); return err },
		"Swap":    func(ctx context.Context) error { _, err := e.Swap(ctx, id, next, answer); return err },
		"Revoke":  func(ctx context.Context) error { return e.Revoke(ctx, id) },
		"Revoked": func(ctx context.Context) error { _, _, _, err := e.Revoked(ctx, ""); return err },
		"Sweep":   func(ctx context.Context) error { _, err := e.Sweep(ctx); return err },
	}
}

func (s suite) endedContexts(t *testing.T) {
	w := s.begin(t)
	id, used := w.id(), w.id()
	answer := w.a.wins(t, used, 1)
	ended, end := context.WithCancel(t.Context())
	end()
	past, end := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer end()
	for how, ctx := range map[string]context.Context{"was canceled": ended, "has expired": past} {
		for _, node := range []*checked{w.a, w.open(t)} {
			for name, call := range calls(node, id, 1, newAnswer()) {
				soon(t, name, func() {
					if err := call(ctx); (err == nil || isCertain(err)) && name != "Sweep" {
						t.Errorf("%s, with a context that %s: %v; want an error", name, how, err)
					}
				})
			}
			for range 20 { // none of them must begin
				if st, err := node.Swap(ctx, used, 2, newAnswer()); err == nil {
					t.Errorf("Swap, with a context that %s: %s", how, describe(st))
				}
				if err := node.Revoke(ctx, used); err == nil {
					t.Errorf("Revoke succeeds with a context that %s", how)
				}
			}
		}
	}
	w.b.has(t, id, at(0, ""))
	w.b.has(t, used, at(1, answer))
	if read, _ := w.b.reads(t, ""); len(read) > 0 {
		t.Errorf("%d sessions are in the feed", len(read))
	}
	w.a.wins(t, used, 2)
}

func (s suite) closed(t *testing.T) {
	w := s.begin(t)
	id := w.id()
	answer := w.a.wins(t, id, 1)
	never := w.open(t) // was not used
	for _, node := range []*checked{w.a, never} {
		if err := node.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for name, call := range calls(node, id, 2, newAnswer()) {
			soon(t, name, func() {
				if err := call(t.Context()); err == nil || isCertain(err) {
					t.Errorf("%s after Close: %v; want an error", name, err)
				}
			})
		}
	}
	w.b.has(t, id, at(1, answer))
	w.b.wins(t, id, 2)
	w.open(t).wins(t, id, 3)
}

func (s suite) closedMeanwhile(t *testing.T) {
	w := s.begin(t)
	node := w.open(t)
	var group sync.WaitGroup
	for range s.size.writers {
		group.Go(func() {
			id := w.id()
			for next := uint64(1); ; next++ {
				answer := newAnswer()
				st, err := node.Swap(t.Context(), id, next, answer)
				if err != nil {
					if isCertain(err) {
						t.Errorf("Swap: %v", err)
					}
					return
				}
				if !won(st, next, answer) {
					t.Errorf("Swap to %d: %s", next, describe(st))
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	soon(t, "Close, or a call that was under way", func() {
		if err := node.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		group.Wait()
	})
	w.b.wins(t, w.id(), 1)
}

func (s suite) interrupted(t *testing.T) {
	if s.Interrupt == nil {
		t.Skip("there is no Interrupt")
	}
	w := s.begin(t)
	used, revoked := w.id(), w.id()
	first, second := w.a.wins(t, used, 1), newAnswer()
	w.a.revokes(t, revoked)
	unknown := w.id()
	restore := s.Interrupt(t)
	opened := w.open(t) // works
	for _, node := range []*checked{w.a, opened} {
		for _, id := range []sessions.ID{used, revoked, unknown} {
			for name, call := range calls(node, id, 2, second) {
				if name == "Revoke" && id != revoked || name == "Sweep" {
					continue // the first may take effect later
				}
				soon(t, name, func() {
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
					defer cancel()
					if err := call(ctx); err == nil || isCertain(err) {
						t.Errorf("%s: %v; want an error that says that nothing is known", name, err)
					}
				})
			}
		}
	}
	restore()
	for _, node := range []*checked{w.a, w.b, opened} {
		node.interrupted = true
		if epoch := node.epoch(t); epoch != w.epoch {
			t.Errorf("the epoch was %s, and is %s", w.epoch, epoch)
		}
		node.has(t, revoked, isRevoked)
		node.has(t, unknown, at(0, ""))
		if st := node.load(t, used); !same(st, at(1, first)) && !same(st, at(2, second)) {
			t.Errorf("%s, after %s", describe(st), first)
		}
	}
	w.b.swaps(t, used, 2, second, at(2, second))
}

func (s suite) survivesInterruption(t *testing.T) {
	if s.Interrupt == nil {
		t.Skip("there is no Interrupt")
	}
	s.survives(t, func(t *testing.T) {
		restore := s.Interrupt(t)
		time.Sleep(200 * time.Millisecond)
		restore()
	})
}

func (s suite) survivesRestart(t *testing.T) {
	if s.Restart == nil {
		t.Skip("there is no Restart")
	}
	s.survives(t, s.Restart)
}

// survives has a node that follows the feed all the time.
func (s suite) survives(t *testing.T, happens func(*testing.T)) {
	w := s.begin(t)
	w.a.interrupted, w.b.interrupted = true, true
	cursor, read := "", make(map[sessions.ID]bool)
	follow := func() error {
		page, next, err := w.b.read(t.Context(), cursor)
		switch {
		case errors.Is(err, sessions.ErrCursor):
			cursor = "" // and forgets nothing
			return err
		case err != nil:
			return err
		}
		maps.Copy(read, page)
		cursor = next
		return nil
	}
	l := w.start(t)
	for range 3 {
		l.done(t, 50)
		happens(t)
		l.mu.Lock()
		before := maps.Clone(l.revoked)
		l.mu.Unlock()
		eventually(t, "the feed goes on", follow)
		missing(t, "the node that follows", before, read)
	}
	l.done(t, 50)
	l.stop(t)
	eventually(t, "the feed goes on", follow)
	missing(t, "the node that follows", l.revoked, read)
	if epoch := w.a.epoch(t); epoch != w.epoch {
		t.Errorf("the epoch was %s, and is %s", w.epoch, epoch)
	}
}
