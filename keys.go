package caddygrant

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// serverKeys is what a server signs with: the keys of its config, those that are
// generated in Caddy's storage, and what is derived from the server secret there.
type serverKeys struct {
	logger     *zap.Logger
	typ        string // of access tokens
	configured []configuredKey
	store      *keyring.Store
	generated  *keyring.Follower
	pooled     share[pooledKeys]
	inForce    atomic.Pointer[token.KeySet]
}

// keysOptions are what a server's keys depend on.
type keysOptions struct {
	signingKeys []SigningKey
	typ         string               // of access tokens
	rotateEvery time.Duration        // 0: off
	lifetime    func() time.Duration // of the longest-lived access token
	storage     certmagic.Storage
	place       storagePlace
}

// pooledKeys is a memory of generated keys as a value of the pool.
type pooledKeys struct{ *keyring.Memory }

// Destruct has nothing to end.
func (pooledKeys) Destruct() error { return nil }

// newServerKeys loads the keys that the config names and joins the generated ones.
func newServerKeys(logger *zap.Logger, o keysOptions) (*serverKeys, error) {
	configured, err := loadSigningKeys(o.signingKeys)
	if err != nil {
		return nil, err
	}
	algorithms := generatedAlgorithms(configured)
	if o.rotateEvery != 0 && len(algorithms) == 0 {
		return nil, errors.New("rotate_every: it is for generated keys, and every signing_key here is given; these rotate by listing the next one too, then first, then alone")
	}
	if o.rotateEvery != 0 && o.lifetime() > maxKeysAtOnce*o.rotateEvery {
		return nil, fmt.Errorf("rotate_every: an access token lives more than %d times as long, and a key is kept for as long as its tokens: rotate less often, or lower access_token_ttl", maxKeysAtOnce)
	}
	k := &serverKeys{logger: logger, typ: o.typ, configured: configured}
	k.pooled = join(keysKey{o.place}, func() pooledKeys { return pooledKeys{keyring.NewMemory()} })
	k.store = keyring.NewStore(o.storage, o.place.prefix).WithNotice(k.logGenerated)
	k.generated = keyring.NewFollower(keyring.FollowerOptions{
		Store:       k.store,
		Memory:      k.pooled.value.Memory,
		Algorithms:  algorithms,
		RotateEvery: o.rotateEvery,
		Lifetime:    o.lifetime,
		Use:         k.use,
		Failed: func(err error) {
			k.logger.Error("getting the server's keys from storage; without keys, requests are answered 503", storageFailure(err)...)
		},
	})
	return k, nil
}

// current returns the complete set of keys, or nil as long as one is missing. At a
// first start requests may come before the keys, so it waits a moment for them.
func (k *serverKeys) current(ctx context.Context) *token.KeySet {
	if keys := k.inForce.Load(); keys != nil {
		return keys
	}
	ctx, cancel := context.WithTimeout(ctx, keysPatience)
	defer cancel()
	select {
	case <-k.generated.Attempted():
	case <-ctx.Done():
	}
	return k.inForce.Load()
}

// read takes over the generated keys that are in storage. A storage that is down is
// logged: follow tries again.
func (k *serverKeys) read(ctx context.Context) {
	if err := k.generated.Read(ctx); err != nil {
		k.logger.Error("reading the server's keys from storage; trying again at start", storageFailure(err)...)
	}
}

// follow generates what is missing, and keeps up with keys that are rotated, until ctx
// ends.
func (k *serverKeys) follow(ctx context.Context) { k.generated.Follow(ctx) }

// use makes a set of the keys of the config and those that are generated, and has it
// take effect.
func (k *serverKeys) use(generated keyring.Generated) error {
	var keys []*keyring.Key
	for _, c := range k.configured {
		if c.key != nil {
			keys = append(keys, c.key)
		} else {
			keys = append(keys, generated.Keys[c.algorithm]...)
		}
	}
	ring, err := keyring.NewRing(k.typ, keys...)
	if err != nil {
		return err
	}
	set, err := token.NewKeySet(ring, generated.Secret)
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

// logGenerated logs what was generated. That is so at a first start and at a rotation;
// else something is lost, and nothing else tells why all users have to log in again.
func (k *serverKeys) logGenerated(key *keyring.Key, first bool) {
	message, fields := "made a new server secret", []zap.Field(nil)
	if key != nil {
		message, fields = "made a new signing key", []zap.Field{zap.String("algorithm", string(key.Algorithm())), zap.String("kid", key.ID())}
	}
	if first {
		fields = append(fields, zap.String("remedy",
			"if this is not a first start, Caddy has another storage than before; its earlier tokens and sessions are void"))
	}
	k.logger.Info(message, fields...)
}

// release gives back the reference to the generated keys.
func (k *serverKeys) release() {
	_, _ = k.pooled.leave() // Destruct does not fail
}

const (
	maxKeysAtOnce = 50
	keysPatience  = 3 * time.Second
)
