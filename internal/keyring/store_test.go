package keyring

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

const testPrefix = "grant/default-0a1b2c3d"

// faulty is a storage that fails or lies where a function is set.
type faulty struct {
	certmagic.Storage
	lock   func() error
	store  func(key string, value []byte) error
	load   func(key string) error
	list   func([]string, error) ([]string, error)
	remove func() error
}

func (f *faulty) Lock(ctx context.Context, name string) error {
	if f.lock != nil {
		if err := f.lock(); err != nil {
			return err
		}
	}
	return f.Storage.Lock(ctx, name)
}

func (f *faulty) Store(ctx context.Context, key string, value []byte) error {
	if f.store != nil {
		if err := f.store(key, value); err != nil {
			return err
		}
	}
	return f.Storage.Store(ctx, key, value)
}

func (f *faulty) Load(ctx context.Context, key string) ([]byte, error) {
	if f.load != nil {
		if err := f.load(key); err != nil {
			return nil, err
		}
	}
	return f.Storage.Load(ctx, key)
}

func (f *faulty) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	names, err := f.Storage.List(ctx, prefix, recursive)
	if f.list != nil {
		return f.list(names, err)
	}
	return names, err
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	if f.remove != nil {
		return f.remove()
	}
	return f.Storage.Delete(ctx, key)
}

func newStore(t *testing.T) (*Store, *certmagic.FileStorage) {
	t.Helper()
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	return NewStore(storage, testPrefix), storage
}

func put(t *testing.T, storage certmagic.Storage, key, value string) {
	t.Helper()
	if err := storage.Store(t.Context(), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

// files are the names and contents of the files under a folder.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		relative, _ := filepath.Rel(folder, name)
		found[filepath.ToSlash(relative)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func ids[K interface{ ID() string }](keys []K) []string {
	var all []string
	for _, k := range keys {
		all = append(all, k.ID())
	}
	return all
}

// `caddy validate` must leave no trace.
func TestLoadingFromAnEmptyStorageLeavesNoTrace(t *testing.T) {
	s, storage := newStore(t)
	keys, err := s.loadKeys(t.Context(), "ES256")
	if err != nil || len(keys) != 0 {
		t.Errorf("keys %v, error %v", keys, err)
	}
	if _, err := s.loadSecret(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
	entries, err := os.ReadDir(storage.Path)
	if err != nil || len(entries) != 0 {
		t.Errorf("the folder has %v, error %v", entries, err)
	}
}

func TestAMissingFolderThatIsListedAsEmptyHasNoKeys(t *testing.T) {
	_, storage := newStore(t)
	s := NewStore(&faulty{Storage: storage, list: func([]string, error) ([]string, error) { return nil, nil }}, testPrefix)
	if keys, err := s.loadKeys(t.Context(), "ES256"); err != nil || len(keys) != 0 {
		t.Errorf("keys %v, error %v", keys, err)
	}
}

func TestGeneratedKeysAndSecretAreThereAfterARestart(t *testing.T) {
	s, storage := newStore(t)
	secret, err := s.ensureSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kid := make(map[Algorithm]string)
	for _, p := range profiles {
		keys, err := s.ensureKey(t.Context(), p.algorithm, 0)
		if err != nil || len(keys) != 1 {
			t.Fatalf("%s: keys %v, error %v", p.algorithm, keys, err)
		}
		kid[p.algorithm] = keys[0].ID()
	}
	before := files(t, storage.Path)

	restarted := NewStore(&certmagic.FileStorage{Path: storage.Path}, testPrefix)
	again, err := restarted.loadSecret(t.Context())
	if err != nil || !bytes.Equal(again.bytes(), secret.bytes()) {
		t.Errorf("another secret, error %v", err)
	}
	for _, p := range profiles {
		for name, read := range map[string]func(context.Context, Algorithm) ([]generatedKey, error){
			"loadKeys": restarted.loadKeys,
			"ensureKey": func(ctx context.Context, a Algorithm) ([]generatedKey, error) {
				return restarted.ensureKey(ctx, a, 0)
			},
		} {
			keys, err := read(t.Context(), p.algorithm)
			if err != nil || len(keys) != 1 || keys[0].ID() != kid[p.algorithm] {
				t.Fatalf("%s %s: keys %v, error %v", name, p.algorithm, keys, err)
			}
			sign(t, keys[0].Key, "JWT")
		}
	}
	if after := files(t, storage.Path); !maps.Equal(before, after) {
		t.Errorf("files before %v, after %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}
	// The layout is a promise to the next release.
	form := regexp.MustCompile(`^grant/default-0a1b2c3d/(secret|keys/(hs|rs|ps|es)(256|384|512)/[0-9a-f]{64}|keys/eddsa/[0-9a-f]{64})$`)
	for name := range before {
		if !form.MatchString(name) {
			t.Errorf("object %s", name)
		}
	}
	if len(before) != len(profiles)+1 {
		t.Errorf("%d objects", len(before))
	}
}

func TestNodesThatStartTogetherGenerateOneKeyAndOneSecret(t *testing.T) {
	folder := t.TempDir()
	stores := []*Store{
		NewStore(&certmagic.FileStorage{Path: folder}, testPrefix),
		NewStore(&certmagic.FileStorage{Path: folder}, testPrefix),
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var (
		group   sync.WaitGroup
		mu      sync.Mutex
		kids    = make(map[string]int)
		secrets = make(map[string]int)
	)
	for i := range 8 {
		group.Go(func() {
			keys, err := stores[i%2].ensureKey(ctx, "ES256", 0)
			if err != nil || len(keys) != 1 {
				t.Errorf("keys %v, error %v", keys, err)
				return
			}
			secret, err := stores[i%2].ensureSecret(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			kids[keys[0].ID()]++
			secrets[string(secret.bytes())]++
		})
	}
	group.Wait()
	if len(kids) != 1 || len(secrets) != 1 {
		t.Errorf("%d keys, %d secrets", len(kids), len(secrets))
	}
	for name := range files(t, folder) {
		if strings.HasSuffix(name, ".lock") {
			t.Errorf("%s is left", name)
		}
	}
}

// failingAt makes Store fail where the key contains a part.
func failingAt(part string, err error) func(string, []byte) error {
	return func(key string, _ []byte) error {
		if strings.Contains(key, part) {
			return err
		}
		return nil
	}
}

func TestAStorageThatFailsIsAnErrorAndNothingIsGeneratedOver(t *testing.T) {
	down := errors.New("storage is down")
	folder := testPrefix + "/keys/es256"
	tests := []struct {
		name        string
		storage     faulty
		key, secret string // in the errors of ensureKey and ensureSecret; empty: none
	}{
		{"Lock fails", faulty{lock: func() error { return down }},
			"locking " + testPrefix + "/generate in storage: storage is down", "locking " + testPrefix + "/generate in storage: storage is down"},
		{"Store fails", faulty{store: func(string, []byte) error { return down }},
			"storing " + testPrefix + "/probe/", "storing " + testPrefix + "/probe/"},
		{"List fails", faulty{list: func([]string, error) ([]string, error) { return nil, down }},
			"listing signing keys in " + folder + ": storage is down", "looking for server secret " + testPrefix + "/secret: storage is down"},
		{"Load fails", faulty{load: func(string) error { return down }},
			"reading back " + testPrefix + "/probe/", "loading server secret " + testPrefix + "/secret: storage is down"},
		{"the generated key cannot be stored", faulty{store: failingAt(folder, down)}, "storing " + folder + "/", ""},
		{"the secret cannot be stored", faulty{store: failingAt("/secret", down)}, "", "storing " + testPrefix + "/secret: storage is down"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, storage := newStore(t)
			test.storage.Storage = storage
			s := NewStore(&test.storage, testPrefix)
			keys, err := s.ensureKey(t.Context(), "ES256", 0)
			checkError(t, err, test.key)
			if err != nil && (!errors.Is(err, down) || keys != nil) {
				t.Errorf("keys %v, error %v", keys, err)
			}
			secret, err := s.ensureSecret(t.Context())
			checkError(t, err, test.secret)
			if err != nil && (!errors.Is(err, down) || secret != nil) {
				t.Errorf("secret %v, error %v", secret, err)
			}
			for name := range files(t, storage.Path) {
				if strings.HasSuffix(name, ".lock") {
					t.Errorf("%s is left", name)
				}
			}

			// The same storage, up again.
			up := NewStore(storage, testPrefix)
			if keys, err := up.ensureKey(t.Context(), "ES256", 0); err != nil || len(keys) != 1 {
				t.Errorf("later: keys %v, error %v", keys, err)
			}
			if _, err := up.ensureSecret(t.Context()); err != nil {
				t.Error("later:", err)
			}
		})
	}
}

// A Store that reports an error after it wrote must not lead to a second key.
func TestAWriteThatArrivedThoughItFailedIsFoundByTheNextAttempt(t *testing.T) {
	_, storage := newStore(t)
	s := NewStore(&faulty{Storage: storage, store: func(key string, value []byte) error {
		if strings.Contains(key, "/probe/") {
			return nil
		}
		return errors.Join(storage.Store(t.Context(), key, value), errors.New("connection lost"))
	}}, testPrefix)
	for _, want := range []string{"connection lost", ""} {
		_, err := s.ensureKey(t.Context(), "ES256", 0)
		checkError(t, err, want)
		_, err = s.ensureSecret(t.Context())
		checkError(t, err, want)
	}
	if found := files(t, storage.Path); len(found) != 2 {
		t.Errorf("objects %v", slices.Sorted(maps.Keys(found)))
	}
}

func TestAStorageThatForgetsWhatItTookIsAnError(t *testing.T) {
	_, storage := newStore(t)
	s := NewStore(&faulty{Storage: storage, list: func([]string, error) ([]string, error) { return nil, nil }}, testPrefix)
	_, err := s.ensureKey(t.Context(), "ES256", 0)
	checkError(t, err, "stored, but the storage does not list it")
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	s, storage := newStore(t)
	if err := storage.Lock(t.Context(), testPrefix+"/generate"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.ensureKey(ctx, "ES256", 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if _, err := s.ensureSecret(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// A node that gets the lock too late writes nothing, but still releases it.
func TestNothingIsWrittenWhenTheContextEndedBeforeTheStore(t *testing.T) {
	_, storage := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := NewStore(&faulty{Storage: storage, lock: func() error { cancel(); return nil }}, testPrefix)
	if _, err := s.ensureKey(ctx, "ES256", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := s.ensureSecret(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if found := files(t, storage.Path); len(found) != 0 {
		t.Errorf("objects %v", slices.Sorted(maps.Keys(found)))
	}
}

// late is a context whose time is over in a process that was suspended: its timer has
// not fired.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

func TestNothingIsWrittenByAProcessThatWasSuspendedUnderTheLock(t *testing.T) {
	s, storage := newStore(t)
	ctx := late{t.Context()}
	if _, err := s.ensureKey(ctx, "ES256", 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ensureKey: %v", err)
	}
	if _, err := s.ensureSecret(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ensureSecret: %v", err)
	}
	if found := files(t, storage.Path); len(found) != 0 {
		t.Errorf("objects %v", slices.Sorted(maps.Keys(found)))
	}
}

// The file system's List fails as for a missing folder, and with a part of what is
// there, when a temporary file disappears while it looks. A part of the keys would
// refuse good tokens.
func TestAListingThatBreaksOffIsNotBelieved(t *testing.T) {
	files := &certmagic.FileStorage{Path: t.TempDir()}
	breaks := 0
	store := NewStore(&faulty{Storage: files, list: func(names []string, err error) ([]string, error) {
		if breaks > 0 {
			breaks--
			return nil, fs.ErrNotExist
		}
		return names, err
	}}, testPrefix)
	made, err := store.ensureKey(t.Context(), "ES256", 0)
	if err != nil {
		t.Fatal(err)
	}
	breaks = 3
	found, err := store.loadKeys(t.Context(), "ES256")
	if err != nil || len(found) != 1 || found[0].ID() != made[0].ID() {
		t.Errorf("after %d listings that broke off: %d keys, %v", 3, len(found), err)
	}
	breaks = 1000
	if found, err := store.loadKeys(t.Context(), "ES256"); err == nil {
		t.Errorf("none is right: %d keys and no error", len(found))
	}
}
