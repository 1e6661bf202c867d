package session

import (
	"context"
	"errors"
	"hash/fnv"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// places is a storage that keeps each key at one of several places, as a cluster does.
// Each place can be down: then a read finds nothing, a list lacks what is there, and a
// write fails. That is what many storage plugins make of a failed connection.
type places struct {
	certmagic.Storage

	mu     sync.Mutex
	down   [placesOfAll]bool
	plan   []flip
	calls  int
	failed int            // calls that met a place that is down
	probes map[string]int // a sign asks every place
	slow   bool           // each call takes a moment, so that others get in between
}

// flip is a place that goes down or comes up before a call.
type flip struct {
	at    int
	place int
	down  bool
}

const placesOfAll = 3

var errPlaceDown = errors.New("connection refused")

func newPlaces(inner certmagic.Storage) *places {
	return &places{Storage: inner, probes: make(map[string]int)}
}

func (p *places) place(key string) int {
	if path.Base(path.Dir(key)) == "probe" {
		if _, ok := p.probes[key]; !ok {
			p.probes[key] = len(p.probes) % placesOfAll
		}
		return p.probes[key]
	}
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32() % placesOfAll)
}

// up tells whether the place of a key is up when a call begins.
func (p *places) up(key string) bool {
	if p.slow {
		h := fnv.New32a()
		h.Write([]byte(key))
		time.Sleep(time.Duration(1+h.Sum32()%97) * time.Microsecond)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.plan {
		if f.at == p.calls {
			p.down[f.place] = f.down
		}
	}
	p.calls++
	if p.down[p.place(key)] {
		p.failed++
		return false
	}
	return true
}

// schedule has places flip at calls from now on.
func (p *places) schedule(plan ...flip) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan, p.calls = plan, 0
}

// set puts all places up or down.
func (p *places) set(down ...bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan, p.down = nil, [placesOfAll]bool{}
	copy(p.down[:], down)
}

// isDown tells whether any place is.
func (p *places) isDown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down != [placesOfAll]bool{}
}

// failures is how many calls have met a place that is down.
func (p *places) failures() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

func (p *places) Load(ctx context.Context, key string) ([]byte, error) {
	if !p.up(key) {
		return nil, fs.ErrNotExist
	}
	return p.Storage.Load(ctx, key)
}

func (p *places) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	if !p.up(key) {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return p.Storage.Stat(ctx, key)
}

func (p *places) Exists(ctx context.Context, key string) bool {
	return p.up(key) && p.Storage.Exists(ctx, key)
}

func (p *places) List(ctx context.Context, key string, recursive bool) ([]string, error) {
	p.up(key)
	names, err := p.Storage.List(ctx, key, recursive)
	p.mu.Lock()
	defer p.mu.Unlock()
	names = slices.DeleteFunc(names, func(name string) bool {
		down := p.down[p.place(strings.TrimSuffix(name, "/"))]
		if down {
			p.failed++
		}
		return down
	})
	if err == nil && len(names) == 0 {
		return nil, fs.ErrNotExist
	}
	return names, err
}

func (p *places) Store(ctx context.Context, key string, value []byte) error {
	if !p.up(key) {
		return errPlaceDown
	}
	return p.Storage.Store(ctx, key, value)
}

func (p *places) Delete(ctx context.Context, key string) error {
	if !p.up(key) {
		return errPlaceDown
	}
	return p.Storage.Delete(ctx, key)
}

func (p *places) Lock(ctx context.Context, name string) error {
	if !p.up(name) {
		return errPlaceDown
	}
	return p.Storage.Lock(ctx, name)
}

func (p *places) Unlock(ctx context.Context, name string) error {
	if !p.up(name) {
		return errPlaceDown
	}
	return p.Storage.Unlock(ctx, name)
}

var _ certmagic.Storage = (*places)(nil)
