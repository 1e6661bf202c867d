package keyring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddygrant/caddy-grant/internal/oneline"
)

// Follower keeps up with what a server generates in storage: Read takes over what is
// there, Follow generates what is missing, rotates keys, and learns of rotations by
// other nodes.
type Follower struct {
	options   FollowerOptions
	complete  atomic.Bool   // Use has accepted a set
	attempted chan struct{} // closed after the first attempt to generate what is missing
	turn      chan struct{} // has a place for one Attempt or RotateNow
}

// FollowerOptions say what is followed, and what is done with it. All but RotateEvery
// and Algorithms are required.
type FollowerOptions struct {
	Store      *Store
	Memory     *Memory
	Algorithms []Algorithm // of the keys to generate; without any, only a secret is generated

	RotateEvery time.Duration        // 0: never
	Lifetime    func() time.Duration // of the longest-lived token that the keys sign

	// Use is called with a complete set whenever it was read, changed or not, and never
	// concurrently for one Memory. An error counts as an error of Follow.
	Use func(Generated) error

	// Failed is called with an error of Follow, which tries again: with the first of
	// several in a row, or with each as long as there has been no complete set.
	Failed func(error)
}

// Generated is a complete set of what a server generates: its secret and, for each
// algorithm that is followed, the key that signs and then those that verify.
type Generated struct {
	Secret *Secret
	Keys   map[Algorithm][]*Key
}

// Memory is what a process has read from storage for one server. Followers share it, so
// that a storage that is down does not take the keys away from a server that had them.
type Memory struct {
	mu     sync.Mutex
	secret *Secret
	keys   map[Algorithm][]generatedKey
}

// NewMemory returns an empty memory.
func NewMemory() *Memory {
	return &Memory{keys: make(map[Algorithm][]generatedKey)}
}

// NewFollower returns a follower that has not read anything.
func NewFollower(options FollowerOptions) *Follower {
	return &Follower{options: options, attempted: make(chan struct{}), turn: make(chan struct{}, 1)}
}

// Attempted is closed when Follow has tried once to generate what is missing.
func (f *Follower) Attempted() <-chan struct{} { return f.attempted }

// Read takes over what storage has, without leaving a trace there. Nothing there yet is
// not an error. A storage that hangs does not hold up the caller, even if it ignores
// its context.
func (f *Follower) Read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	result := make(chan error, 1)
	go func() {
		defer cancel()
		result <- f.update(ctx, f.options.Store.loadSecret, f.options.Store.loadKeys)
	}()
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		select {
		case err = <-result: // which ended the context
		default:
			err = ctx.Err()
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Follow generates what storage does not have, trying again until it succeeds, and then
// keeps up with keys that are rotated, here or by another node. It ends with ctx, or
// when there is nothing left to follow. It is called once.
func (f *Follower) Follow(ctx context.Context) {
	attempted := sync.OnceFunc(func() { close(f.attempted) })
	defer attempted()
	wait, failing := time.Duration(0), false
	for {
		err := f.Attempt(ctx)
		attempted()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && len(f.options.Algorithms) == 0:
			return // a secret does not change
		case err == nil:
			wait, failing = FollowEvery, false
		default:
			if !failing || !f.complete.Load() {
				f.options.Failed(err)
			}
			wait, failing = min(max(2*wait, time.Second), FollowEvery), true
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Attempt is one step of Follow: it generates what was never there, and reads what
// changed. What this process knows and storage has lost is an error: storage that is
// missing for a moment must not end every session and make nodes sign with different
// keys. A restart generates new ones.
func (f *Follower) Attempt(ctx context.Context) error {
	return f.inTurn(ctx, func(ctx context.Context) error {
		store := f.options.Store
		hasSecret, known := f.options.Memory.known()
		getSecret := store.ensureSecret
		if hasSecret {
			getSecret = store.loadSecret
		}
		err := f.update(ctx, getSecret, func(ctx context.Context, a Algorithm) ([]generatedKey, error) {
			found, err := store.keepKeys(ctx, a, known[a])
			if err != nil || len(found) > 0 && f.options.RotateEvery == 0 {
				return found, err
			}
			return store.ensureKey(ctx, a, f.options.RotateEvery)
		})
		if err != nil {
			return err
		}
		return f.deleteRetired(ctx)
	})
}

// inTurn makes one attempt at a time: what one reads must not replace what another has
// read after it. A panic is an error.
func (f *Follower) inTurn(ctx context.Context, attempt func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("waiting for another look at the keys in storage to end: %w", ctx.Err())
	}
	defer func() {
		<-f.turn
		if r := recover(); r != nil {
			err = fmt.Errorf("[PANIC] following the server's keys: %v", r)
		}
	}()
	return attempt(ctx)
}

// deleteRetired is for rotations by hand too, so it does not ask for RotateEvery.
func (f *Follower) deleteRetired(ctx context.Context) error {
	_, known := f.options.Memory.known()
	for algorithm, keys := range known {
		if err := f.options.Store.deleteRetired(ctx, algorithm, keys, f.options.Lifetime()); err != nil {
			return err
		}
	}
	return nil
}

// update gets the secret and the keys by the given calls and passes on a complete set.
// What the process already knows stands in for what fails.
func (f *Follower) update(ctx context.Context,
	getSecret func(context.Context) (*Secret, error),
	getKeys func(context.Context, Algorithm) ([]generatedKey, error),
) error {
	secret, failed := getSecret(ctx)
	read := make(map[Algorithm][]generatedKey)
	for _, a := range f.options.Algorithms {
		keys, err := getKeys(ctx, a)
		if err == nil && len(keys) > 0 {
			read[a] = keys
		}
		failed = oneline.Join(failed, err)
	}

	m := f.options.Memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if secret != nil {
		m.secret = secret
	}
	maps.Copy(m.keys, read)
	return oneline.Join(failed, f.use(m))
}

// use passes on what is in memory, if nothing is missing there.
func (f *Follower) use(m *Memory) error {
	if m.secret == nil {
		return nil
	}
	set := Generated{Secret: m.secret, Keys: make(map[Algorithm][]*Key, len(f.options.Algorithms))}
	for _, a := range f.options.Algorithms {
		if len(m.keys[a]) == 0 {
			return nil
		}
		set.Keys[a] = inUse(m.keys[a], f.options.Lifetime())
	}
	if err := f.options.Use(set); err != nil {
		return err
	}
	f.complete.Store(true)
	return nil
}

// known is what was read so far.
func (m *Memory) known() (secret bool, keys map[Algorithm][]generatedKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.secret != nil, maps.Clone(m.keys)
}

const (
	readLimit    = 5 * time.Second
	attemptLimit = 15 * time.Second
)

// FollowEvery is how often Follow looks at the keys in storage. It is a variable for
// tests, which change it before they start anything.
var FollowEvery = 20 * time.Second
