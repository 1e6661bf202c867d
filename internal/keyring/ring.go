package keyring

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// Ring is an immutable set of keys: the first signs, all verify.
type Ring struct {
	keys []*Key
	byID map[string]*Key
	jwks []byte
}

// NewRing makes a ring of at least one key. Two keys with one ID are an error, also when their algorithms differ: who
// verifies could not tell them apart (RFC 7517 §4.5), and a key serves one algorithm.
func NewRing(keys ...*Key) (*Ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("a key ring needs at least one signing key")
	}
	// An empty list, not null, when every key is symmetric.
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	seen := make(map[string]*Key, len(keys))
	for _, k := range keys {
		if other := seen[k.id]; other != nil {
			return nil, fmt.Errorf("one signing key is listed twice, for %s and for %s (kid %s): list it once", other.algorithm, k.algorithm, k.id)
		}
		seen[k.id] = k
		if k.public != nil {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.public, KeyID: k.id, Algorithm: string(k.algorithm), Use: "sig"})
		}
	}
	jwks, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("writing the public keys as JSON: %w", err)
	}
	return &Ring{keys: slices.Clone(keys), byID: seen, jwks: jwks}, nil
}

// Signer is the key that signs.
func (r *Ring) Signer() *Key {
	return r.keys[0]
}

// Public reports whether the ring has a public key, so that others can verify its tokens.
func (r *Ring) Public() bool {
	return slices.ContainsFunc(r.keys, func(k *Key) bool { return k.public != nil })
}

// JWKS is the set of public keys as JSON (RFC 7517 §5), in the order of the ring, each with kty, use, alg and kid.
// HMAC keys are never in it: without another it is {"keys":[]}. The slice is shared and must not be changed.
func (r *Ring) JWKS() []byte {
	return r.jwks
}
