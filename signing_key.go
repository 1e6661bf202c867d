package caddygrant

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/setting"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// SigningKey is a key that signs or once signed access tokens.
type SigningKey struct {
	// The algorithm (RFC 7518 §3.1, RFC 8037): `HS256`, `HS384`, `HS512`, `RS256`,
	// `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `ES512` or
	// `EdDSA`.
	Algorithm string `json:"algorithm"`

	// The secret of an HMAC key, at least as long as the hash: 32, 48 or 64 bytes,
	// taken literally. Placeholders are replaced at start; use `{env.*}` or `{file.*}`,
	// which keep the secret out of the config. Default: generated in Caddy's storage.
	Secret string `json:"secret,omitempty"`

	// The PEM file of a private key (PKCS#1, PKCS#8 or SEC 1). Placeholders are
	// replaced at start. Default: generated in Caddy's storage.
	File string `json:"file,omitempty"`
}

// configuredKey is one signing_key line; key is nil if it is to be generated.
type configuredKey struct {
	algorithm    keyring.Algorithm
	key          *keyring.Key
	aroundSecret []string // what to warn about
}

// loadSigningKeys loads the keys that the config gives. Without any line, one ES256 key
// is to be generated.
func loadSigningKeys(lines []SigningKey) ([]configuredKey, error) {
	if len(lines) == 0 {
		return []configuredKey{{algorithm: defaultAlgorithm}}, nil
	}
	repl := caddy.NewReplacer()
	var (
		out       []configuredKey
		static    []*keyring.Key
		generated = make(map[keyring.Algorithm]bool)
	)
	for i, line := range lines {
		key, err := line.load(repl)
		if err != nil {
			return nil, fmt.Errorf("signing_key %d: %w", i+1, err)
		}
		if key.key == nil && generated[key.algorithm] {
			return nil, fmt.Errorf("signing_key %d: a generated %s key is already listed", i+1, key.algorithm)
		}
		if key.key == nil {
			generated[key.algorithm] = true
		} else {
			static = append(static, key.key)
		}
		out = append(out, key)
	}
	if len(static) > 0 {
		if _, err := keyring.NewRing(token.TypeJWT, static...); err != nil {
			return nil, fmt.Errorf("signing_key: %w", err)
		}
	}
	return out, nil
}

// generatedAlgorithms are those of the keys that are to be generated.
func generatedAlgorithms(keys []configuredKey) []keyring.Algorithm {
	var out []keyring.Algorithm
	for _, c := range keys {
		if c.key == nil {
			out = append(out, c.algorithm)
		}
	}
	return out
}

func (line SigningKey) load(repl *caddy.Replacer) (configuredKey, error) {
	algorithm, err := keyring.ParseAlgorithm(line.Algorithm)
	if err != nil {
		return configuredKey{}, err
	}
	out := configuredKey{algorithm: algorithm}
	if err := line.fits(algorithm); err != nil {
		return out, err
	}
	switch {
	case line.Secret != "":
		secret, err := setting.ResolveSecret(repl, "secret", line.Secret)
		if err != nil {
			return out, err
		}
		out.aroundSecret = setting.AroundSecret(line.Secret, secret)
		out.key, err = keyring.NewHMACKey(algorithm, []byte(secret))
		return out, err
	case line.File != "":
		path, err := setting.Resolve(repl, "file", line.File)
		if err != nil {
			return out, err
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return out, fmt.Errorf("reading the private key: %w", err)
		}
		if out.key, err = keyring.NewPEMKey(algorithm, pem); err != nil {
			return out, fmt.Errorf("private key %s: %w", path, err)
		}
	}
	return out, nil
}

// check finds errors that can be found without the file and without the values of
// placeholders.
func (line SigningKey) check() error {
	algorithm, err := keyring.ParseAlgorithm(line.Algorithm)
	if err != nil {
		if len(line.Algorithm) > longestAlgorithm {
			return fmt.Errorf("the algorithm comes first: %w", err)
		}
		return err
	}
	if err := line.fits(algorithm); err != nil {
		return err
	}
	if err := setting.CheckLiteralSecret("secret", line.Secret); err != nil {
		return err
	}
	if line.Secret != "" && !strings.Contains(line.Secret, "{") {
		_, err = keyring.NewHMACKey(algorithm, []byte(line.Secret))
	}
	return err
}

// fits tells whether the key is of the kind that the algorithm signs with.
func (line SigningKey) fits(algorithm keyring.Algorithm) error {
	switch {
	case line.Secret != "" && line.File != "":
		return errors.New("it has a secret and a file: keep one of them")
	case line.Secret != "" && !algorithm.Symmetric():
		return fmt.Errorf("%s signs with a private key: write \"signing_key %s file <path>\", or no key at all to have one generated", algorithm, algorithm)
	case line.File != "" && algorithm.Symmetric():
		return fmt.Errorf("%s signs with a secret: write \"signing_key %s {file.<path>}\" to read it from a file", algorithm, algorithm)
	}
	return nil
}

const (
	defaultAlgorithm = keyring.Algorithm("ES256")

	longestAlgorithm = 10 // what is longer is the secret
)

// serverKeys is what a server signs with: the keys of its config, those that are
// generated in Caddy's storage, and what is derived from the server secret there.
type serverKeys struct {
	logger     *zap.Logger
	server     string // its name
	typ        string // of access tokens
	configured []configuredKey
	store      *keyring.Store
	generated  *keyring.Follower
	pooled     share[pooledKeys]
	active     atomic.Pointer[token.KeySet]
}

// keysOptions are what a server's keys depend on.
type keysOptions struct {
	server      string // its name
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
		return nil, errors.New("rotate_every: it is for generated keys, but every signing_key here is given; to rotate a given key, list the next one too, then first, then alone")
	}
	if o.rotateEvery != 0 && o.lifetime() > maxKeysAtOnce*o.rotateEvery {
		return nil, fmt.Errorf("rotate_every: an access token lives more than %d times as long, and a key is kept for as long as its tokens: rotate less often, or lower access_token_ttl", maxKeysAtOnce)
	}
	k := &serverKeys{logger: logger, server: o.server, typ: o.typ, configured: configured}
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
			k.logger.Error("getting the server's keys from storage; without keys, requests are answered 503", storagecheck.Failure(err)...)
		},
	})
	return k, nil
}

// current returns the complete set of keys, or nil while one is missing. At a first
// start requests may come before the keys exist, so it waits a moment for them.
func (k *serverKeys) current(ctx context.Context) *token.KeySet {
	if keys := k.active.Load(); keys != nil {
		return keys
	}
	ctx, cancel := context.WithTimeout(ctx, keysPatience)
	defer cancel()
	select {
	case <-k.generated.Attempted():
	case <-ctx.Done():
	}
	return k.active.Load()
}

// read reads the generated keys that are in storage. An error is only logged: follow
// tries again.
func (k *serverKeys) read(ctx context.Context) {
	if err := k.generated.Read(ctx); err != nil {
		k.logger.Error("reading the server's keys from storage; trying again at start", storagecheck.Failure(err)...)
	}
}

// follow generates what is missing, and keeps up with keys that are rotated, until ctx
// ends.
func (k *serverKeys) follow(ctx context.Context) { k.generated.Follow(ctx) }

// use makes a set of the keys of the config and the generated ones, and activates it.
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
	before := k.active.Load()
	if before != nil && before.Same(set) {
		return nil // and keeps what it has checked
	}
	k.active.Store(set) // before others hear of it
	if before != nil && before.Ring.Signer().ID() != ring.Signer().ID() {
		k.logger.Info("signing key changed", zap.String("kid", ring.Signer().ID()))
		event.EmitKeyRotated(k.server, ring.Signer().ID(), string(ring.Signer().Algorithm()))
	}
	return nil
}

// logGenerated logs what was generated. That happens at a first start and at a
// rotation; otherwise something was lost, and nothing else tells why all users have to
// log in again.
func (k *serverKeys) logGenerated(key *keyring.Key, first bool) {
	message, fields := "made a new server secret", []zap.Field(nil)
	if key != nil {
		message, fields = "made a new signing key", []zap.Field{zap.String("algorithm", string(key.Algorithm())), zap.String("kid", key.ID())}
	}
	if first {
		fields = append(fields, zap.String("remedy",
			"if this is not a first start, Caddy uses a different storage than before; all earlier tokens and sessions are void"))
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
