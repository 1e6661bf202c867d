package sharedfailures

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

// shelf is a storage in memory, whose clock may be ahead of that of the nodes.
type shelf struct {
	mu      sync.Mutex
	objects map[string]certmagic.KeyInfo
	content map[string][]byte
	ahead   time.Duration
}

func newShelf() *shelf {
	return &shelf{objects: make(map[string]certmagic.KeyInfo), content: make(map[string][]byte)}
}

// names are those of all objects.
func (s *shelf) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

func (s *shelf) put(key string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key] = certmagic.KeyInfo{Key: key, Modified: time.Now().Add(s.ahead), Size: int64(len(content)), IsTerminal: true}
	s.content[key] = content
}

// way is how one node gets to a shelf.
type way struct {
	certmagic.Storage // nil: no lock is ever taken
	*shelf

	mu     sync.Mutex
	down   error         // of every call
	hides  bool          // reads find nothing
	panics bool          // every call does
	hangs  chan struct{} // until it is closed, whatever the context; nil: no call does
	calls  map[string]int
}

func newWay(to *shelf) *way { return &way{shelf: to, calls: make(map[string]int)} }

// set changes what is wrong.
func (w *way) set(change func(*way)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// called returns how often each method was called since the last time.
func (w *way) called() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = make(map[string]int)
	return calls
}

func (w *way) meet(call string) (hides bool, err error) {
	w.mu.Lock()
	w.calls[call]++
	hangs, panics, down, hides := w.hangs, w.panics, w.down, w.hides
	w.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	if panics {
		panic("a bug in the storage")
	}
	return hides, down
}

func (w *way) Store(_ context.Context, key string, content []byte) error {
	if _, err := w.meet("Store"); err != nil {
		return err
	}
	w.put(key, slices.Clone(content))
	return nil
}

func (w *way) Load(_ context.Context, key string) ([]byte, error) {
	hides, err := w.meet("Load")
	if err != nil {
		return nil, err
	}
	w.shelf.mu.Lock()
	defer w.shelf.mu.Unlock()
	content, has := w.content[key]
	if !has || hides {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(content), nil
}

func (w *way) Delete(_ context.Context, key string) error {
	if _, err := w.meet("Delete"); err != nil {
		return err
	}
	w.shelf.mu.Lock()
	defer w.shelf.mu.Unlock()
	delete(w.objects, key)
	delete(w.content, key)
	return nil
}

func (w *way) Exists(_ context.Context, key string) bool {
	hides, err := w.meet("Exists")
	return err == nil && !hides && slices.ContainsFunc(w.names(), func(name string) bool { return strings.HasPrefix(name, key) })
}

func (w *way) List(_ context.Context, prefix string, recursive bool) ([]string, error) {
	if recursive {
		return nil, errors.New("it has to look at too much")
	}
	hides, err := w.meet("List")
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(w.names(), func(name string) bool { return !strings.HasPrefix(name, prefix+"/") })
	if hides || len(names) == 0 {
		return nil, fs.ErrNotExist
	}
	return names, nil
}

func (w *way) Stat(_ context.Context, key string) (certmagic.KeyInfo, error) {
	hides, err := w.meet("Stat")
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	w.shelf.mu.Lock()
	defer w.shelf.mu.Unlock()
	info, has := w.objects[key]
	if !has || hides {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return info, nil
}
