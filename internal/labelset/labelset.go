// Package labelset is for labels of metrics: how many values one may have, and how long a
// gauge has them.
package labelset

import "sync"

// Set is the values of a label, of several owners. It is safe for concurrent use.
type Set struct {
	most int // of each owner

	mu sync.RWMutex
	of map[string]map[string]bool
}

// New returns a set with at most that many values of each owner.
func New(most int) *Set { return &Set{most: most, of: make(map[string]map[string]bool)} }

// Label is the value, or empty if its owner has too many others.
func (s *Set) Label(owner, value string) string {
	s.mu.RLock()
	there, full := s.of[owner][value], len(s.of[owner]) >= s.most
	s.mu.RUnlock()
	switch {
	case there:
		return value
	case full:
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	values := s.of[owner]
	if values == nil {
		values = make(map[string]bool)
		s.of[owner] = values
	}
	if !values[value] && len(values) >= s.most { // meanwhile
		return ""
	}
	values[value] = true
	return value
}

// Forget makes room for another value of an owner. It returns what Label has returned for
// the value.
func (s *Set) Forget(owner, value string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.of[owner][value] {
		return ""
	}
	delete(s.of[owner], value)
	return value
}
