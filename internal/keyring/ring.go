package keyring

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// Ring is an immutable set of keys for tokens of one type: the first key signs, all
// verify.
type Ring struct {
	keys     []*Key
	byID     map[string]*Key
	typ      string
	header   string          // of the tokens that it signs, as it is in them
	byHeader map[string]*Key // the same for each key
	jwks     []byte
}

// NewRing makes a ring of at least one key, which signs tokens of that `typ` (not
// empty). Two keys with one ID are an error, even when their algorithms differ: a
// verifier could not tell them apart (RFC 7517 §4.5), and a key is for one algorithm.
func NewRing(typ string, keys ...*Key) (*Ring, error) {
	if typ == "" {
		return nil, errors.New("a key ring needs the typ of its tokens")
	}
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
	r := &Ring{keys: slices.Clone(keys), byID: seen, typ: typ, byHeader: make(map[string]*Key, len(keys)), jwks: jwks}
	for i, k := range keys {
		header, err := json.Marshal(map[string]string{"alg": string(k.algorithm), "kid": k.id, "typ": typ})
		if err != nil {
			return nil, fmt.Errorf("writing the header of the tokens of %s: %w", k, err)
		}
		encoded := base64.RawURLEncoding.EncodeToString(header)
		if i == 0 {
			r.header = encoded
		}
		r.byHeader[encoded] = k
	}
	return r, nil
}

// Sign writes a payload, the claims as JSON, into a buffer as a signed token in compact
// form (RFC 7515 §7.1), with `alg`, `kid` and the `typ` of the ring in its header. ECDSA
// signatures have the lower of the two possible s. After an error a part of the token is
// in the buffer.
func (r *Ring) Sign(into *bytes.Buffer, payload []byte) error {
	k := r.keys[0]
	begin := into.Len()
	into.Grow(len(r.header) + base64.RawURLEncoding.EncodedLen(len(payload)) + signatureRoom)
	into.WriteString(r.header)
	into.WriteByte('.')
	into.Write(base64.RawURLEncoding.AppendEncode(into.AvailableBuffer(), payload))
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	signature, err := k.appendSignature((*room)[:0], into.Bytes()[begin:])
	if err != nil {
		return fmt.Errorf("signing a token with %s: %w", k, err)
	}
	*room = signature
	into.WriteByte('.')
	into.Write(base64.RawURLEncoding.AppendEncode(into.AvailableBuffer(), signature))
	return nil
}

// Signer is the key that signs.
func (r *Ring) Signer() *Key {
	return r.keys[0]
}

// signatureRoom is how much a signature takes of a token, with the dots; RSA's may take
// more.
const signatureRoom = 400

// rooms are buffers for tokens while they are verified, and for their signatures.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// Equal reports whether the other ring has the same keys in the same order, for tokens
// of the same type.
func (r *Ring) Equal(other *Ring) bool {
	return r.typ == other.typ && slices.EqualFunc(r.keys, other.keys, func(a, b *Key) bool {
		return a.id == b.id && a.algorithm == b.algorithm // the id is a digest of the key
	})
}

// Public reports whether the ring has a public key, so that others can verify its
// tokens.
func (r *Ring) Public() bool {
	return slices.ContainsFunc(r.keys, func(k *Key) bool { return k.public != nil })
}

// JWKS is the set of public keys as JSON (RFC 7517 §5), in the order of the ring, each
// with kty, use, alg and kid. HMAC keys are never in it: without other keys it is
// {"keys":[]}. The slice is shared and must not be changed.
func (r *Ring) JWKS() []byte {
	return r.jwks
}
