package keyring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/certmagic"
)

// place is where a storage keeps some of its keys. While it is down, reads find nothing
// there, and lists may lack the keys.
type place struct {
	certmagic.Storage
	down  func(key string) bool
	lists bool // even while it is down
	wrote []string
}

func (p *place) Load(ctx context.Context, key string) ([]byte, error) {
	if p.down(key) {
		return nil, fs.ErrNotExist
	}
	return p.Storage.Load(ctx, key)
}

func (p *place) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	if p.down(key) {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return p.Storage.Stat(ctx, key)
}

func (p *place) Store(ctx context.Context, key string, value []byte) error {
	if !strings.Contains(key, "/probe/") {
		p.wrote = append(p.wrote, key)
	}
	return p.Storage.Store(ctx, key, value)
}

func (p *place) List(ctx context.Context, folder string, recursive bool) ([]string, error) {
	names, err := p.Storage.List(ctx, folder, recursive)
	if !p.lists {
		names = slices.DeleteFunc(names, p.down)
	}
	return names, err
}

// Reads that fail as if nothing were there, for any length of time, while every write
// succeeds: the worst case.
func TestWhatCannotBeReadIsNeverReplaced(t *testing.T) {
	for name, down := range map[string]func(string) bool{
		"all reads":           func(string) bool { return true },
		"the secret":          func(key string) bool { return strings.HasSuffix(key, "/secret") },
		"the keys":            func(key string) bool { return strings.Contains(key, "/keys/") },
		"all but a few reads": func(key string) bool { return !strings.HasSuffix(key, "0") },
	} {
		t.Run(name, func(t *testing.T) {
			s, storage := newStore(t)
			secret, err := s.ensureSecret(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			keys, err := s.ensureKey(t.Context(), "ES256", 0)
			if err != nil {
				t.Fatal(err)
			}
			p := &place{Storage: storage, down: down, lists: true}
			again := NewStore(p, testPrefix)
			if got, err := again.ensureSecret(t.Context()); err == nil && got.bytes != nil && string(got.bytes()) != string(secret.bytes()) {
				t.Error("another secret")
			}
			if got, err := again.ensureKey(t.Context(), "ES256", 0); err == nil && (len(got) != 1 || got[0].ID() != keys[0].ID()) {
				t.Errorf("keys %v", ids(got))
			}
			if len(p.wrote) > 0 {
				t.Errorf("written: %q", p.wrote)
			}
			p.down = func(string) bool { return false }
			if got, err := again.ensureSecret(t.Context()); err != nil || string(got.bytes()) != string(secret.bytes()) {
				t.Errorf("later: another secret, error %v", err)
			}
		})
	}
}

// A storage that calls everything missing when the context has ended, and yet writes.
func TestAReadWhoseContextHasEndedIsNotBelieved(t *testing.T) {
	_, storage := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := &place{Storage: storage, down: func(string) bool { return true }}
	s := NewStore(p, testPrefix)
	if _, err := s.ensureSecret(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := s.loadKeys(ctx, "ES256"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(p.wrote) > 0 {
		t.Errorf("written: %q", p.wrote)
	}
}

// A token signed by such a key is valid: a list without the key must not end it.
func TestAKeyThatIsKnownIsNotTakenForGoneByAListThatLacksIt(t *testing.T) {
	s, storage := newStore(t)
	known, err := s.ensureKey(t.Context(), "ES256", 0)
	if err != nil {
		t.Fatal(err)
	}
	putKey(t, s, generate(t, "ES256"), 1780000000)
	p := &place{Storage: storage, down: func(key string) bool {
		return strings.HasSuffix(key, keyName(known[0].Key)) || strings.Contains(key, "/probe/")
	}}
	again := NewStore(p, testPrefix)
	if keys, err := again.reloadKeys(t.Context(), "ES256", known); err == nil {
		t.Errorf("keys %v", ids(keys))
	}
	p.down = func(string) bool { return false }
	if keys, err := again.reloadKeys(t.Context(), "ES256", known); err != nil || len(keys) != 2 {
		t.Errorf("keys %v, error %v", ids(keys), err)
	}
	if err := storage.Delete(t.Context(), testPrefix+"/keys/es256/"+keyName(known[0].Key)); err != nil {
		t.Fatal(err)
	}
	if keys, err := again.reloadKeys(t.Context(), "ES256", known); err != nil || len(keys) != 1 {
		t.Errorf("after it was deleted: keys %v, error %v", ids(keys), err)
	}
}

// Checking whether a storage answers leaves nothing behind.
func TestProbesAreRemoved(t *testing.T) {
	s, storage := newStore(t)
	if _, err := s.ensureSecret(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := files(t, storage.Path); len(found) != 1 {
		t.Errorf("the storage has %s", fmt.Sprint(found))
	}
}
