package caddygrant

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// serverKeys is what a server signs with: the keys of its config, those that are
// generated in Caddy's storage, and what is derived from the server secret there.
type serverKeys struct {
	logger     *zap.Logger
	store      *keyring.Store
	typ        string // of access tokens
	configured []configuredKey
	rotation   time.Duration        // 0: off
	lifetime   func() time.Duration // of the longest-lived access token
	pooled     *generatedKeys
	poolKey    string // empty until taken
	inForce    atomic.Pointer[token.KeySet]
	attempted  chan struct{} // closed after the first attempt to generate what is missing
}

// generatedKeys is what was read from storage. It outlives a reload, so that a storage
// that is down does not take the keys away from a server that had them.
type generatedKeys struct {
	mu     sync.Mutex
	secret *keyring.Secret
	keys   map[keyring.Algorithm][]keyring.GeneratedKey
}

// Destruct has nothing to end.
func (*generatedKeys) Destruct() error { return nil }

// newServerKeys loads the keys that the config names and joins the generated ones.
func newServerKeys(ctx caddy.Context, s *Server) (*serverKeys, error) {
	configured, err := loadSigningKeys(s.SigningKeys)
	if err != nil {
		return nil, err
	}
	storage := ctx.Storage()
	prefix := storagePrefix(s.Name, s.Issuer)
	k := &serverKeys{
		logger:     s.logger,
		store:      keyring.NewStore(storage, prefix).WithNotice(noticeOf(s.logger)),
		typ:        s.Typ,
		configured: configured,
		rotation:   time.Duration(s.RotateEvery),
		lifetime:   s.longestTokenLife,
		attempted:  make(chan struct{}),
	}
	if k.rotation != 0 && !k.generates() {
		return nil, errors.New("rotate_every: it is for generated keys, and every signing_key here is given; these rotate by listing the next one too, then first, then alone")
	}
	if k.rotation != 0 && k.lifetime() > maxKeysAtOnce*k.rotation {
		return nil, fmt.Errorf("rotate_every: an access token lives more than %d times as long, and a key is kept for as long as its tokens: rotate less often, or lower access_token_ttl", maxKeysAtOnce)
	}
	poolKey := "keys|" + prefix + "|" + storageIdentity(storage)
	pooled, _, err := processState.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		return &generatedKeys{keys: make(map[keyring.Algorithm][]keyring.GeneratedKey)}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("joining generated keys: %w", err)
	}
	k.pooled, k.poolKey = pooled.(*generatedKeys), poolKey
	return k, nil
}

// current returns the complete set of keys, or nil as long as one is missing. At a first
// start requests may come before the keys, so it waits a moment for them.
func (k *serverKeys) current(ctx context.Context) *token.KeySet {
	if keys := k.inForce.Load(); keys != nil {
		return keys
	}
	ctx, cancel := context.WithTimeout(ctx, keysPatience)
	defer cancel()
	select {
	case <-k.attempted:
	case <-ctx.Done():
	}
	return k.inForce.Load()
}

// read takes over what storage has, without leaving a trace there. Nothing there yet is
// no error, and a storage that is down is logged: start tries again. One that hangs, which
// not every storage lets a context end, does not hold up the config.
func (k *serverKeys) read(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	result := make(chan error, 1)
	go func() {
		defer cancel()
		result <- k.update(ctx, k.store.LoadSecret, k.store.LoadKeys)
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
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.logger.Error("reading the server's keys from storage; trying again at start", storageFailure(err)...)
	}
}

// follow generates what storage does not have, trying again until it succeeds, and then
// keeps up with keys that are rotated, here or by another node. It ends with ctx, or when
// there is nothing more to follow.
func (k *serverKeys) follow(ctx context.Context) {
	attempted := sync.OnceFunc(func() { close(k.attempted) })
	defer attempted()
	wait, failing := time.Duration(0), false
	for {
		err := k.attempt(ctx)
		attempted()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && !k.generates():
			return // keys of the config do not change
		case err == nil:
			wait, failing = keysPoll, false
		default:
			if !failing || k.inForce.Load() == nil {
				k.logger.Error("getting the server's keys from storage; without keys, requests are answered 503", storageFailure(err)...)
			}
			wait, failing = min(max(2*wait, time.Second), keysPoll), true
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// attempt generates what was never there, and reads what changed. What this process knows
// and storage has lost is an error: storage that is away for a moment must not end every
// session and make nodes sign with different keys. A restart generates anew.
func (k *serverKeys) attempt(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("[PANIC] following the server's keys: %v", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()

	k.pooled.mu.Lock()
	getSecret := k.store.EnsureSecret
	if k.pooled.secret != nil {
		getSecret = k.store.LoadSecret
	}
	known := maps.Clone(k.pooled.keys)
	k.pooled.mu.Unlock()

	err = k.update(ctx, getSecret, func(ctx context.Context, a keyring.Algorithm) ([]keyring.GeneratedKey, error) {
		found, err := k.store.LoadKeysBesides(ctx, a, known[a])
		switch {
		case err != nil:
			return nil, err
		case len(found) == 0 && len(known[a]) > 0:
			return nil, fmt.Errorf("the signing keys for %s that were in storage are gone; restore them, or restart to make new ones", a)
		case len(found) > 0 && k.rotation == 0:
			return found, nil
		}
		return k.store.EnsureKey(ctx, a, k.rotation)
	})
	if err != nil {
		return err
	}
	return k.deleteRetired(ctx)
}

func (k *serverKeys) deleteRetired(ctx context.Context) error {
	if k.rotation == 0 {
		return nil
	}
	k.pooled.mu.Lock()
	generated := maps.Clone(k.pooled.keys)
	k.pooled.mu.Unlock()
	for algorithm, keys := range generated {
		if err := k.store.DeleteRetired(ctx, algorithm, keys, k.lifetime()); err != nil {
			return err
		}
	}
	return nil
}

// noticeOf logs what was generated. That is so at a first start and at a rotation; else
// something is lost, and nobody would know why everybody has to log in again.
func noticeOf(logger *zap.Logger) func(*keyring.Key, bool) {
	return func(key *keyring.Key, first bool) {
		message, fields := "made a new server secret", []zap.Field(nil)
		if key != nil {
			message, fields = "made a new signing key", []zap.Field{zap.String("algorithm", string(key.Algorithm())), zap.String("kid", key.ID())}
		}
		if first {
			fields = append(fields, zap.String("remedy",
				"if this is not a first start, Caddy has another storage than before; its earlier tokens and sessions are void"))
		}
		logger.Info(message, fields...)
	}
}

// generates tells whether a key of this server comes from storage.
func (k *serverKeys) generates() bool {
	return slices.ContainsFunc(k.configured, func(c configuredKey) bool { return c.key == nil })
}

// update gets the secret and the generated keys by the given calls and puts a complete
// set into force. What the process knows from before stands in for what fails.
func (k *serverKeys) update(ctx context.Context,
	getSecret func(context.Context) (*keyring.Secret, error),
	getKeys func(context.Context, keyring.Algorithm) ([]keyring.GeneratedKey, error),
) error {
	secret, failed := getSecret(ctx)
	generated := make(map[keyring.Algorithm][]keyring.GeneratedKey)
	for _, c := range k.configured {
		if c.key != nil {
			continue
		}
		keys, err := getKeys(ctx, c.algorithm)
		if err == nil && len(keys) > 0 {
			generated[c.algorithm] = keys
		}
		failed = errors.Join(failed, err)
	}

	k.pooled.mu.Lock()
	defer k.pooled.mu.Unlock()
	if secret != nil {
		k.pooled.secret = secret
	}
	maps.Copy(k.pooled.keys, generated)
	if err := k.assemble(); err != nil {
		return errors.Join(failed, err)
	}
	return failed
}

// assemble puts the set into force if nothing is missing.
func (k *serverKeys) assemble() error {
	if k.pooled.secret == nil {
		return nil
	}
	var keys []*keyring.Key
	for _, c := range k.configured {
		if c.key != nil {
			keys = append(keys, c.key)
			continue
		}
		generated := k.pooled.keys[c.algorithm]
		if len(generated) == 0 {
			return nil
		}
		keys = append(keys, keyring.InUse(generated, k.lifetime())...)
	}
	ring, err := keyring.NewRing(k.typ, keys...)
	if err != nil {
		return err
	}
	set, err := token.NewKeySet(ring, k.pooled.secret)
	if err != nil {
		return err
	}
	before := k.inForce.Load()
	if before != nil && before.Same(set) {
		return nil // and keeps what it has checked
	}
	if before != nil && before.Ring.Signer().ID() != ring.Signer().ID() {
		k.logger.Info("another key signs access tokens now", zap.String("kid", ring.Signer().ID()))
	}
	k.inForce.Store(set)
	return nil
}

// release gives back the reference to the generated keys.
func (k *serverKeys) release() {
	if k.poolKey == "" {
		return
	}
	if _, err := processState.Delete(k.poolKey); err != nil {
		k.logger.Error("releasing generated keys", zap.Error(err))
	}
	k.poolKey = ""
}

// storagePrefix is where a server keeps what it generates. The issuer is hashed since
// storage keys may be used as file names.
func storagePrefix(name, issuer string) string {
	sum := sha256.Sum256([]byte(issuer))
	return "grant/" + name + "-" + hex.EncodeToString(sum[:8])
}

// storageIdentity tells whether two configs use the same storage: by type and settings,
// hashed since they may hold a password.
func storageIdentity(storage certmagic.Storage) string {
	settings, err := json.Marshal(storage)
	if err != nil {
		settings = nil // not a storage that can be told apart by its settings
	}
	sum := sha256.Sum256(settings)
	return fmt.Sprintf("%T-%x", storage, sum[:8])
}

const (
	maxKeysAtOnce  = 50
	keysPatience   = 3 * time.Second
	readTimeout    = 5 * time.Second
	storageTimeout = 15 * time.Second
	keysPoll       = 20 * time.Second
)
