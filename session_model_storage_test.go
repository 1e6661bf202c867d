package caddygrant

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
)

func init() {
	caddy.RegisterModule(modelStorage{})
}

// modelStorage is one process's access to a modelDisk, as a storage module: what the
// nodes of TestModelOfSessions share. The letter of the node is in its settings, or two
// nodes would count as one process that uses one storage.
type modelStorage struct {
	Disk string `json:"disk"`
	Node int    `json:"node"`

	disk    *modelDisk
	process *modelProcess
}

func (modelStorage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.model_test", New: func() caddy.Module { return new(modelStorage) }}
}

func (s *modelStorage) CertMagicStorage() (certmagic.Storage, error) {
	disk, ok := modelDisks.Load(s.Disk)
	if !ok {
		return nil, errors.New("no such disk")
	}
	s.disk = disk.(*modelDisk)
	s.process = s.disk.processes[s.Node]
	return s, nil
}

var modelDisks sync.Map // name → *modelDisk

// modelDisk has what is stored, and fails as it is told to, for what belongs to
// sessions.
type modelDisk struct {
	mu        sync.Mutex
	objects   map[string]modelObject
	locks     map[string]*modelLock
	processes [2]*modelProcess
	fault     modelFault
	fired     int // how often it failed, so far
	written   int // how often something was changed
	torn      int // how often half of a session's record was written
	calls     int // that are under way
	stuck     []*modelStuckCall
	hangUp    func() // the client of the request that is being answered
	obeys     bool   // contexts
}

type modelObject struct {
	value    []byte
	modified time.Time
}

type modelLock struct {
	process *modelProcess
	stale   time.Time // zero while it is held
}

// modelProcess is one life of a node. After a crash, nothing that it still does counts.
type modelProcess struct{ dead bool }

type modelStuckCall struct {
	process *modelProcess
	release chan struct{}
}

var errModelStorage = errors.New("the storage of the model test fails as it was told")

func newModelDisk(obeys bool) *modelDisk {
	return &modelDisk{
		objects:   make(map[string]modelObject),
		locks:     make(map[string]*modelLock),
		processes: [2]*modelProcess{{}, {}},
		obeys:     obeys,
	}
}

func (s *modelStorage) Lock(ctx context.Context, name string) error {
	taken := errors.New("taken")
	lock := &modelLock{process: s.process}
	try := func() error {
		if other := s.disk.locks[name]; other != nil && (other.stale.IsZero() || time.Now().Before(other.stale)) {
			return taken
		}
		s.disk.locks[name] = lock
		return nil
	}
	err := s.call(ctx, name, try, nil)
	s.disk.count(1)
	defer s.disk.count(-1)
	for errors.Is(err, taken) { // certmagic's own storage polls once a second
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		s.disk.mu.Lock()
		if err = try(); s.process.dead {
			err = errModelStorage
		}
		s.disk.mu.Unlock()
	}
	if err != nil {
		s.leave(name, lock)
	}
	return err
}

// leave is what happens to a lock that its holder does not know of or could not give
// back.
func (s *modelStorage) leave(name string, lock *modelLock) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if held := s.disk.locks[name]; held != nil && held.process == s.process && (lock == nil || held == lock) && held.stale.IsZero() {
		held.stale = time.Now().Add(modelLockStale)
	}
}

func (s *modelStorage) Unlock(ctx context.Context, name string) error {
	err := s.call(ctx, name, func() error { delete(s.disk.locks, name); return nil }, nil)
	if err != nil {
		s.leave(name, nil)
	}
	return err
}

// wrote counts changes, except for the short-lived object that tells whether the
// storage answers.
func (d *modelDisk) wrote(key string) {
	if !strings.Contains(key, "/probe/") {
		d.written++
	}
}

func (s *modelStorage) Store(ctx context.Context, key string, value []byte) error {
	store := func(value []byte) error {
		s.disk.objects[key] = modelObject{slices.Clone(value), time.Now()}
		s.disk.wrote(key)
		return nil
	}
	return s.call(ctx, key, func() error { return store(value) }, func() {
		_ = store(value[:len(value)/2])
		if strings.Contains(key, "/sessions/") && !strings.HasSuffix(key, ".revoked") {
			s.disk.torn++
		}
	})
}

func (s *modelStorage) Load(ctx context.Context, key string) (value []byte, err error) {
	err = s.call(ctx, key, func() error {
		object, ok := s.disk.objects[key]
		if !ok {
			return fs.ErrNotExist
		}
		value = slices.Clone(object.value)
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return value, nil
}

func (s *modelStorage) Delete(ctx context.Context, key string) error {
	return s.call(ctx, key, func() error {
		for other := range s.disk.objects {
			if other == key || strings.HasPrefix(other, key+"/") {
				delete(s.disk.objects, other)
				s.disk.wrote(other)
			}
		}
		return nil
	}, nil)
}

func (s *modelStorage) Exists(ctx context.Context, key string) bool {
	exists := false
	err := s.call(ctx, key, func() error {
		for other := range s.disk.objects {
			exists = exists || other == key || strings.HasPrefix(other, key+"/")
		}
		return nil
	}, nil)
	return exists && err == nil
}

func (s *modelStorage) List(ctx context.Context, prefix string, _ bool) ([]string, error) {
	var keys []string
	err := s.call(ctx, prefix, func() error {
		for key := range s.disk.objects {
			if below, ok := strings.CutPrefix(key, prefix+"/"); ok {
				name, _, _ := strings.Cut(below, "/")
				if name = prefix + "/" + name; !slices.Contains(keys, name) {
					keys = append(keys, name)
				}
			}
		}
		if len(keys) == 0 {
			return fs.ErrNotExist
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return keys, nil
}

func (s *modelStorage) Stat(ctx context.Context, key string) (info certmagic.KeyInfo, err error) {
	err = s.call(ctx, key, func() error {
		object, ok := s.disk.objects[key]
		if !ok {
			for other := range s.disk.objects {
				if strings.HasPrefix(other, key+"/") {
					info = certmagic.KeyInfo{Key: key}
					return nil
				}
			}
			return fs.ErrNotExist
		}
		info = certmagic.KeyInfo{Key: key, Modified: object.modified, Size: int64(len(object.value)), IsTerminal: true}
		return nil
	}, nil)
	return info, err
}

// modelLockStale is when a lock of the file system that is not refreshed counts as left
// behind.
const modelLockStale = 10 * time.Second
