package keyring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
)

const (
	// lockHold bounds the work under the storage lock. A lock whose holder is suspended
	// goes stale (file system: after 10 s) and then has two holders, so a holder that
	// took longer may no longer write.
	lockHold = 5 * time.Second
	// unlockWait bounds releasing the lock, which must happen even when the caller's
	// context has ended.
	unlockWait = 5 * time.Second

	listTries = 20
)

// Store keeps what one authorization server generates for itself:
//
//	<prefix>/secret                 the server secret
//	<prefix>/keys/<alg>/<key>       one generated signing key; <alg> in lower case, <key> its ID in hex
//	<prefix>/probe/<random>         tells whether the storage answers; a crash can leave one
//
// Objects are written once and never overwritten; keys are deleted when they have long
// retired. Names that are not of this form, such as a temporary file that a crash left
// behind, are ignored. It is safe for concurrent use. Every method is bounded by its
// context as far as the storage obeys it.
//
// Locks of certmagic are not perfect: a stale lock can have two holders. Two first
// starts at that moment may leave two signing keys, which does no harm, since all nodes
// choose the same signer as soon as they have read both; or one of two secrets, and the
// node that read the other must be restarted.
type Store struct {
	storage certmagic.Storage
	prefix  string
	notice  func(*Key, bool)
}

// NewStore returns the store under a prefix of the storage. The prefix has no slash at
// its ends, and its parts are lower case and free of "..": storages take keys as paths,
// and some fold case.
func NewStore(storage certmagic.Storage, prefix string) *Store {
	return &Store{storage: storage, prefix: prefix, notice: func(*Key, bool) {}}
}

// WithNotice has f called after this node has generated something and read it back:
// with a signing key and whether it is the first of its algorithm, or with nil and true
// for a server secret.
func (s *Store) WithNotice(f func(key *Key, first bool)) *Store {
	s.notice = f
	return s
}

// exclusively runs f while only this node generates under the prefix. The context of f
// ends after lockHold at the latest, and f passes it to create.
func (s *Store) exclusively(ctx context.Context, f func(context.Context) error) error {
	name := path.Join(s.prefix, "generate")
	if err := s.storage.Lock(ctx, name); err != nil {
		return fmt.Errorf("locking %s in storage: %w", name, err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockWait)
		defer cancel()
		_ = s.storage.Unlock(ctx, name) // what was written stands; the lock goes stale by itself
	}()
	held, cancel := context.WithTimeout(ctx, lockHold)
	defer cancel()
	return f(held)
}

// certain returns an error unless the storage answers, so that what it does not have
// can be believed: many storages report a failed read as a missing object.
func (s *Store) certain(ctx context.Context) error {
	if err := storagecheck.Answers(ctx, s.storage, path.Join(s.prefix, "probe")); err != nil {
		return fmt.Errorf("checking whether the storage answers: %w", err)
	}
	return nil
}

// isListed tells whether an object is in its folder.
func (s *Store) isListed(ctx context.Context, name string) (bool, error) {
	names, err := s.list(ctx, path.Dir(name))
	return slices.ContainsFunc(names, func(n string) bool { return strings.TrimSuffix(n, "/") == name }), err
}

// list returns the keys directly below a folder, none if there is no such folder. The
// file system's List fails as for a missing folder, with a part of the keys, also when
// a temporary file disappears while it looks: that is believed only if the folder
// really is missing.
func (s *Store) list(ctx context.Context, folder string) ([]string, error) {
	for try := 1; ; try++ {
		names, err := s.storage.List(ctx, folder, false)
		if ctx.Err() != nil && len(names) == 0 { // some storages report this as a missing folder too
			return nil, ctx.Err()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return names, err
		}
		if _, missing := s.storage.Stat(ctx, folder); errors.Is(missing, fs.ErrNotExist) {
			return nil, nil
		}
		if try == listTries {
			return nil, err
		}
	}
}

// create writes a new object, unless the time under the lock is over: not every storage
// asks the context itself.
func (s *Store) create(ctx context.Context, key string, value []byte) error {
	if err := clock.Expired(ctx); err != nil {
		return fmt.Errorf("storing %s: out of time: %w", key, err)
	}
	if err := s.storage.Store(ctx, key, value); err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	return nil
}
