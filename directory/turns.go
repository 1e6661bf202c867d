package directory

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// turns are look-ups of keys of which each can be asked for any number of times, such
// as the ids of public clients. A key has a few look-ups at a time. Callers that come
// meanwhile share the next look-up, which begins after they came: so its answer is not
// older than their question, and one key does not take the places of all others.
type turns[T any] struct {
	name string // of the source
	look func(ctx context.Context, key string) (*T, error)

	mu   sync.Mutex
	keys map[string]*turn[T]
}

// turn is the look-ups of one key.
type turn[T any] struct {
	open    int
	next    *flight[T] // for callers that wait; nil if none does
	waiting int        // for next
}

func newTurns[T any](name string, look func(context.Context, string) (*T, error)) *turns[T] {
	return &turns[T]{name: name, look: look, keys: make(map[string]*turn[T])}
}

// ask returns what the source says now, or an error when patience is over.
func (x *turns[T]) ask(ctx context.Context, key string) (*T, error) {
	f := x.join(key)
	if f == nil {
		return nil, fmt.Errorf("%s: %w", x.name, errBusy)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", x.name, ctx.Err())
	case <-late.C:
		return nil, fmt.Errorf("%s: %w", x.name, errSlow)
	}
}

// join begins a look-up of a key, or waits for the next one. It is nil if too many do.
func (x *turns[T]) join(key string) *flight[T] {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.keys[key]
	if t == nil {
		t = new(turn[T])
		x.keys[key] = t
	}
	if t.open < maxTurns {
		f := newFlight[T]()
		t.open++
		go x.run(key, t, f)
		return f
	}
	if t.waiting == maxWaiting {
		return nil
	}
	if t.next == nil {
		t.next = newFlight[T]()
	}
	t.waiting++
	return t.next
}

// run looks a key up for as long as callers wait for it.
func (x *turns[T]) run(key string, t *turn[T], f *flight[T]) {
	for f != nil {
		f.value, f.err = x.look(context.Background(), key)
		close(f.done)
		f = x.following(key, t)
	}
}

// following is the look-up to begin when one has ended, or nil.
func (x *turns[T]) following(key string, t *turn[T]) *flight[T] {
	x.mu.Lock()
	defer x.mu.Unlock()
	f := t.next
	t.next, t.waiting = nil, 0
	if f == nil {
		if t.open--; t.open == 0 {
			delete(x.keys, key)
		}
	}
	return f
}

const (
	maxTurns   = 4    // how many look-ups of one key may be open
	maxWaiting = 1000 // how many callers may wait for the next look-up of a key
)
