package session

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// shelf is a certmagic.Storage in memory that does what the interface asks. What the
// interface leaves open can be set.
type shelf struct {
	mu      sync.Mutex
	objects map[string]object
	locks   map[string]chan struct{}

	modified           func() time.Time // its clock; nil tells none
	missingIsEmpty     bool             // List of a missing key is not an error, as with Redis
	missingDeleteFails bool
	stopsDeletingAt    int // how many objects Delete of a folder gets through before it fails
}

type object struct {
	content  string
	modified time.Time
}

func newShelf() *shelf {
	return &shelf{objects: make(map[string]object), locks: make(map[string]chan struct{}), modified: time.Now}
}

func (s *shelf) Lock(ctx context.Context, name string) error {
	for {
		s.mu.Lock()
		held := s.locks[name]
		if held == nil {
			s.locks[name] = make(chan struct{})
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *shelf) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.locks[name]
	if held == nil {
		return errors.New("not locked")
	}
	delete(s.locks, name)
	close(held)
	return nil
}

// locksGoStale frees locks that were never unlocked.
func (s *shelf) locksGoStale() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, held := range s.locks {
		delete(s.locks, name)
		close(held)
	}
}

func (s *shelf) Store(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := object{content: string(value)}
	if s.modified != nil {
		o.modified = s.modified()
	}
	s.objects[key] = o
	return nil
}

func (s *shelf) Load(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	if o.content == "" {
		return nil, nil
	}
	return []byte(o.content), nil
}

func (s *shelf) under(key string) []string {
	var keys []string
	for k := range s.objects {
		if strings.HasPrefix(k, key+"/") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func (s *shelf) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.objects[key]; ok {
		delete(s.objects, key)
		return nil
	}
	keys := s.under(key)
	if len(keys) == 0 && s.missingDeleteFails {
		return errors.New("no such key")
	}
	for i, k := range keys {
		if s.stopsDeletingAt > 0 && i == s.stopsDeletingAt {
			return errors.New("stopped in the middle")
		}
		delete(s.objects, k)
	}
	return nil
}

func (s *shelf) Exists(_ context.Context, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.objects[key]
	return ok || len(s.under(key)) > 0
}

func (s *shelf) List(_ context.Context, key string, recursive bool) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := s.under(key)
	if len(keys) == 0 && !s.missingIsEmpty {
		return nil, fs.ErrNotExist
	}
	if !recursive {
		for i, k := range keys {
			name, _, _ := strings.Cut(k[len(key)+1:], "/")
			keys[i] = key + "/" + name
		}
		keys = slices.Compact(keys)
	}
	return keys, nil
}

func (s *shelf) Stat(_ context.Context, key string) (certmagic.KeyInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.objects[key]; ok {
		return certmagic.KeyInfo{Key: key, Modified: o.modified, Size: int64(len(o.content)), IsTerminal: true}, nil
	}
	if len(s.under(key)) > 0 {
		return certmagic.KeyInfo{Key: key}, nil
	}
	return certmagic.KeyInfo{}, fs.ErrNotExist
}

// keys are the keys with that part, without the prefix.
func (s *shelf) keys(part string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(s.objects)) {
		if k = strings.TrimPrefix(k, testPrefix+"/"); strings.Contains(k, part) {
			keys = append(keys, k)
		}
	}
	return keys
}
