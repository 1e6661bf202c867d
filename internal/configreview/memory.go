package configreview

import (
	"context"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
)

// memory is a storage that is empty at first and forgets all: modules read from storage
// while they are provisioned, and some write to it.
type memory struct {
	mu     *sync.Mutex
	values map[string]stored
}

type stored struct {
	value    []byte
	modified time.Time
}

// CaddyModule returns the Caddy module information.
func (memory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage." + moduleName, New: func() caddy.Module {
		return &memory{new(sync.Mutex), make(map[string]stored)}
	}}
}

// CertMagicStorage returns the storage itself.
func (m *memory) CertMagicStorage() (certmagic.Storage, error) { return m, nil }

// Lock does not wait: this process is alone with the storage.
func (*memory) Lock(context.Context, string) error { return nil }

// Unlock has nothing to do.
func (*memory) Unlock(context.Context, string) error { return nil }

// Store keeps a value for as long as the process lives.
func (m *memory) Store(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = stored{value, time.Now()}
	return nil
}

// Load returns a value.
func (m *memory) Load(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, there := m.values[key]; there {
		return v.value, nil
	}
	return nil, fs.ErrNotExist
}

// Delete removes a value and all below it.
func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.values {
		if name == key || strings.HasPrefix(name, key+"/") {
			delete(m.values, name)
		}
	}
	return nil
}

// Exists tells whether there is a value.
func (m *memory) Exists(ctx context.Context, key string) bool {
	_, err := m.Load(ctx, key)
	return err == nil
}

// List names what is below a key.
func (m *memory) List(_ context.Context, path string, recursive bool) (keys []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := make(map[string]bool)
	for name := range m.values {
		below, ok := strings.CutPrefix(name, path+"/")
		if !ok {
			continue
		}
		if !recursive {
			below, _, _ = strings.Cut(below, "/")
		}
		if key := path + "/" + below; !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, fs.ErrNotExist
	}
	return keys, nil
}

// Stat describes a value.
func (m *memory) Stat(_ context.Context, key string) (certmagic.KeyInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, there := m.values[key]
	if !there {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return certmagic.KeyInfo{Key: key, Modified: v.modified, Size: int64(len(v.value)), IsTerminal: true}, nil
}

// Interface guards
var (
	_ certmagic.Storage      = (*memory)(nil)
	_ caddy.StorageConverter = (*memory)(nil)
)
