package outside

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Algorithms are all that an issuer may sign with.
var Algorithms = []string{"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"}

// Key is one key of an issuer.
type Key struct {
	ID        string
	Algorithm string
	Members   map[string]any // of the JWK, in place of what it has; nil: left out

	private crypto.Signer
}

// NewKey makes a key for an algorithm, with an id of its own.
func NewKey(t *testing.T, algorithm string) *Key {
	t.Helper()
	private, err := generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return &Key{ID: rand.Text()[:12], Algorithm: algorithm, private: private}
}

// WeakRSA is a key of RS256 with 1,024 bits, which RFC 8725 §3.5 and RFC 7518 §3.3 rule
// out.
func WeakRSA(t *testing.T) *Key {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return &Key{ID: "weak", Algorithm: "RS256", private: private}
}

// As is the same key under another id or algorithm, which may not fit it. What is empty
// stays.
func (k *Key) As(id, algorithm string) *Key {
	other := *k
	if id != "" {
		other.ID = id
	}
	if algorithm != "" {
		other.Algorithm = algorithm
	}
	return &other
}

// With is the same key with other members in its JWK.
func (k *Key) With(members map[string]any) *Key {
	other := *k
	other.Members = maps.Clone(members)
	return &other
}

// MarshalJSON is the public JWK.
func (k *Key) MarshalJSON() ([]byte, error) {
	encoded, err := json.Marshal(jose.JSONWebKey{Key: k.private.Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"})
	if err != nil || k.Members == nil {
		return encoded, err
	}
	var members map[string]any
	if err := json.Unmarshal(encoded, &members); err != nil {
		return nil, err
	}
	maps.Copy(members, k.Members)
	maps.DeleteFunc(members, func(_ string, value any) bool { return value == nil })
	return json.Marshal(members)
}

// PublicForms are all bytes that a careless library might take for a secret of HS256
// (RFC 8725 §2.1).
func (k *Key) PublicForms(t *testing.T) map[string][]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := k.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return map[string][]byte{
		"PEM": block, "PEM without its last line end": []byte(strings.TrimSpace(string(block))), "DER": der, "the JWK": jwk, "the key's id": []byte(k.ID), "nothing": {},
	}
}

// rsaKeys are shared, since they take long to make.
var rsaKeys struct {
	sync.Mutex
	keys []*rsa.PrivateKey
	next int
}

func generate(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	if !strings.HasPrefix(algorithm, "RS") && !strings.HasPrefix(algorithm, "PS") {
		return nil, fmt.Errorf("no key for %s", algorithm)
	}
	rsaKeys.Lock()
	defer rsaKeys.Unlock()
	const kept = 4
	if len(rsaKeys.keys) < kept {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		rsaKeys.keys = append(rsaKeys.keys, key)
		return key, nil
	}
	rsaKeys.next++
	return rsaKeys.keys[rsaKeys.next%kept], nil
}

// sign makes the signature that JWS has (RFC 7518 §3), by the key's own kind and the
// given algorithm, whether they fit or not.
func (k *Key) sign(algorithm string, input []byte) ([]byte, error) {
	if _, ok := k.private.(ed25519.PrivateKey); ok {
		return k.private.Sign(rand.Reader, input, crypto.Hash(0))
	}
	hash := hashOf(algorithm)
	digest := hash.New()
	digest.Write(input)
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest.Sum(nil))
		if err != nil {
			return nil, err
		}
		size := (private.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...), nil
	case *rsa.PrivateKey:
		if strings.HasPrefix(algorithm, "PS") {
			return rsa.SignPSS(rand.Reader, private, hash, digest.Sum(nil), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(rand.Reader, private, hash, digest.Sum(nil))
	}
	return nil, fmt.Errorf("a key of type %T", k.private)
}

// hashOf is that of an algorithm's name, and SHA-256 where the name has none.
func hashOf(algorithm string) crypto.Hash {
	switch {
	case strings.HasSuffix(algorithm, "384"):
		return crypto.SHA384
	case strings.HasSuffix(algorithm, "512"):
		return crypto.SHA512
	}
	return crypto.SHA256
}

func authenticated(algorithm string, secret, input []byte) []byte {
	mac := hmac.New(hashOf(algorithm).New, secret)
	mac.Write(input)
	return mac.Sum(nil)
}

// PrivateSet is a JWKS with the private keys, as an issuer that runs elsewhere needs it.
func PrivateSet(t *testing.T, keys ...*Key) []byte {
	t.Helper()
	set := jose.JSONWebKeySet{}
	for _, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.private, KeyID: key.ID, Algorithm: key.Algorithm, Use: "sig"})
	}
	encoded, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}
