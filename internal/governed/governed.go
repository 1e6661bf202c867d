// Package governed is for what all configs of a process share, though each of them
// brings settings for it.
package governed

import "sync"

// Setting is a setting of something shared. The newest config that started decides. It
// is safe for concurrent use.
type Setting[T any] struct {
	apply func(T)

	mu     sync.Mutex
	now    governance[T]
	before governance[T] // what Yield gives back
}

type governance[T any] struct {
	by    uint64 // the number of the config, 0 before any
	value T
}

// New returns a setting that has a value already. apply is called with every later one.
func New[T any](value T, apply func(T)) *Setting[T] {
	return &Setting[T]{apply: apply, now: governance[T]{value: value}}
}

// Govern applies the setting of a config.
func (s *Setting[T]) Govern(by uint64, value T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.now = s.now, governance[T]{by, value}
	s.apply(value)
}

// Yield applies the setting before that of a config again, unless a newer config
// governs.
func (s *Setting[T]) Yield(by uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.by == by {
		s.now = s.before
		s.apply(s.now.value)
	}
}
