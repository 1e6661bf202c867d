package fleet

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// Shelf is a [certmagic.Storage] in memory, for what stays in the storage where sessions
// are in an engine: here, that there are no notices. Locks are never asked for.
type Shelf struct {
	mu      sync.Mutex
	objects map[string]shelved
}

type shelved struct {
	content  []byte
	modified time.Time
}

// NewShelf returns an empty one.
func NewShelf() *Shelf { return &Shelf{objects: make(map[string]shelved)} }

// Lock implements [certmagic.Locker].
func (s *Shelf) Lock(context.Context, string) error { panic("no session is in the storage") }

// Unlock implements [certmagic.Locker].
func (s *Shelf) Unlock(context.Context, string) error { panic("no session is in the storage") }

// Store implements [certmagic.Storage].
func (s *Shelf) Store(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key] = shelved{slices.Clone(value), time.Now()}
	return nil
}

// Load implements [certmagic.Storage].
func (s *Shelf) Load(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, found := s.objects[key]
	if !found {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(o.content), nil
}

// Delete implements [certmagic.Storage].
func (s *Shelf) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.objects[key]; !found {
		return fs.ErrNotExist
	}
	delete(s.objects, key)
	return nil
}

// Exists implements [certmagic.Storage].
func (s *Shelf) Exists(_ context.Context, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.objects[key]
	return found
}

// List implements [certmagic.Storage].
func (s *Shelf) List(_ context.Context, key string, recursive bool) (keys []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.objects {
		rest, under := strings.CutPrefix(name, key+"/")
		if !under {
			continue
		}
		if !recursive {
			rest, _, _ = strings.Cut(rest, "/")
		}
		keys = append(keys, key+"/"+rest)
	}
	if len(keys) == 0 {
		return nil, fs.ErrNotExist
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// Stat implements [certmagic.Storage].
func (s *Shelf) Stat(_ context.Context, key string) (certmagic.KeyInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, found := s.objects[key]
	if !found {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return certmagic.KeyInfo{Key: key, Modified: o.modified, Size: int64(len(o.content)), IsTerminal: true}, nil
}
