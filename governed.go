package caddygrant

import "sync"

// governed is a setting of something that all configs of the process share. The newest
// config that started has its way.
type governed[T any] struct {
	apply func(T)

	mu     sync.Mutex
	now    governance[T]
	before governance[T] // what yield gives back
}

type governance[T any] struct {
	by    uint64 // the number of the config, 0 before any
	value T
}

func newGoverned[T any](value T, apply func(T)) governed[T] {
	return governed[T]{apply: apply, now: governance[T]{value: value}}
}

// govern puts the setting of a config into force.
func (g *governed[T]) govern(by uint64, value T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.before, g.now = g.now, governance[T]{by, value}
	g.apply(value)
}

// yield puts the setting into force that was before that of a config, if it still is.
func (g *governed[T]) yield(by uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now.by == by {
		g.now = g.before
		g.apply(g.now.value)
	}
}
