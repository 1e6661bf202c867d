package token

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/mac"
	"github.com/caddygrant/caddy-grant/internal/remembered"
)

// KeySet is a complete set of keys; requests hold one from beginning to end.
type KeySet struct {
	Ring              *keyring.Ring
	refresh           *keyring.Ring      // for refresh tokens alone
	credentialVersion mac.Key            // of `cver`
	Decoy             mac.Key            // of the choice of decoys
	server            string             // `srv`: stands for the server and its storage
	cookies           func() cipher.AEAD // of session cookies
	Failures          func() [32]byte    // the key of what is told between nodes of failed attempts

	checked *checkedTokens // with these keys
}

// Same tells whether both have the same keys.
func (k *KeySet) Same(other *KeySet) bool {
	return k.Ring.Equal(other.Ring) && k.refresh.Equal(other.refresh) // which is derived from the secret, as the rest is
}

// Remembered is how many access tokens were checked with these keys and are remembered,
// and about how many bytes they take.
func (k *KeySet) Remembered() (tokens, bytes int) { return k.checked.Len() }

// Recall returns an access token that was found valid before with these keys, by the
// digest of it, nil if there is none. Whether it is valid now is for [Checker.Check].
func (k *KeySet) Recall(digest remembered.Digest) *AccessToken {
	before, _ := k.checked.Get(digestToken(digest))
	return before.token
}

// NewKeySet derives from the server secret what is not in the ring.
func NewKeySet(ring *keyring.Ring, secret *keyring.Secret) (*KeySet, error) {
	refresh, err := refreshRing(secret)
	if err != nil {
		return nil, err
	}
	cookies, err := newCookieKey(secret)
	if err != nil {
		return nil, err
	}
	failures := [32]byte(secret.Derive("failed attempts", sha256.Size))
	derived := func(label string) mac.Key { return mac.NewKey(sha256.New, secret.Derive(label, sha256.Size)) }
	return &KeySet{
		Ring:              ring,
		refresh:           refresh,
		credentialVersion: derived("credential version"),
		Decoy:             derived("decoy"),
		server:            base64.RawURLEncoding.EncodeToString(secret.Derive("server", serverIDBytes)),
		cookies:           cookies,
		Failures:          func() [32]byte { return failures },
		checked:           newCheckedTokens(),
	}, nil
}

// refreshRing is the key of refresh tokens. It is derived from the server secret alone,
// so that a holder of a signing key cannot make refresh tokens.
func refreshRing(secret *keyring.Secret) (*keyring.Ring, error) {
	key, err := keyring.NewHMACKey("HS256", secret.Derive("refresh token", sha256.Size))
	if err != nil {
		return nil, fmt.Errorf("deriving the key of refresh tokens: %w", err)
	}
	return keyring.NewRing(typRefreshToken, key)
}

// serverIDBytes are enough to tell servers apart that share a signing key. The id is in
// every token, so a forger may have it too.
const serverIDBytes = 6
