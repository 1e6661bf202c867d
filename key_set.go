package caddygrant

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/mac"
)

// keySet is a complete set of keys; requests hold one from beginning to end.
type keySet struct {
	ring              *keyring.Ring
	refresh           *keyring.Ring // for refresh tokens alone
	credentialVersion mac.Key       // of `cver`
	decoy             mac.Key       // of the choice of decoys
	server            string        // `srv`: stands for the server and its storage

	checked *checkedTokens // by these keys
}

// same tells whether it has the same keys.
func (k *keySet) same(other *keySet) bool {
	return k.ring.Equal(other.ring) && k.refresh.Equal(other.refresh) // which comes from the secret, as the rest does
}

// remembered is how many access tokens were checked by these keys and are remembered, and
// about how many bytes they take.
func (k *keySet) remembered() (tokens, bytes int) { return k.checked.len() }

// newKeySet derives from the server secret what is not in the ring.
func newKeySet(ring *keyring.Ring, secret *keyring.Secret) (*keySet, error) {
	refresh, err := refreshRing(secret)
	if err != nil {
		return nil, err
	}
	derived := func(label string) mac.Key { return mac.NewKey(sha256.New, secret.Derive(label, sha256.Size)) }
	return &keySet{
		ring:              ring,
		refresh:           refresh,
		credentialVersion: derived("credential version"),
		decoy:             derived("decoy"),
		server:            base64.RawURLEncoding.EncodeToString(secret.Derive("server", serverIDBytes)),
		checked:           newCheckedTokens(),
	}, nil
}

// refreshRing is the key of refresh tokens. It comes from the server secret and from
// nothing else, so that nobody who has a signing key can make one.
func refreshRing(secret *keyring.Secret) (*keyring.Ring, error) {
	key, err := keyring.NewHMACKey("HS256", secret.Derive("refresh token", sha256.Size))
	if err != nil {
		return nil, fmt.Errorf("deriving the key of refresh tokens: %w", err)
	}
	return keyring.NewRing(typRefreshToken, key)
}

// serverIDBytes are enough to tell servers apart that have a signing key in common. It is in
// every token, so whoever forges one may have it too.
const serverIDBytes = 6
