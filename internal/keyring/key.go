package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caddygrant/caddy-grant/internal/mac"
)

const (
	minRSABits       = 2048 // RFC 7518 §3.3
	maxRSABits       = 8192 // a signature of 16384 bits takes half a second
	generatedRSABits = 2048
)

// kidLabel is what the `kid` of an HMAC key is a digest of. It has no dot, so the
// digest is not the signature of any token.
const kidLabel = "caddy-grant kid"

// Key signs and verifies tokens with one algorithm. It is immutable and safe for
// concurrent use, and always prints as its algorithm and ID only.
type Key struct {
	id        string
	algorithm Algorithm
	method    jwt.SigningMethod
	private   sealed[any]      // []byte, *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey
	public    crypto.PublicKey // nil for HMAC
}

// NewHMACKey makes a key from the literal bytes of a shared secret. The algorithm is
// HS256, HS384 or HS512, and the secret at least as long as its hash: 32, 48 or 64
// bytes (RFC 7518 §3.2). PEM data is refused: it is meant for another algorithm, and a
// public key is not a secret.
func NewHMACKey(a Algorithm, secret []byte) (*Key, error) {
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	if p.family != familyHMAC {
		return nil, fmt.Errorf("%s signs with a private key: give it as a PEM file, or choose %s for a shared secret",
			a, listAlgorithms(", ", sameFamily(familyHMAC)))
	}
	if bytes.Contains(secret, []byte(pemBegin)) {
		return nil, fmt.Errorf("the secret for %s is a PEM file: give the file with the algorithm of its key, or generate a secret with: openssl rand -hex 32", a)
	}
	return newKey(p, bytes.Clone(secret))
}

// GenerateKey makes a new random key: RSA of 2048 bits, ECDSA on the curve of the
// algorithm, Ed25519, or an HMAC secret as long as the hash.
func GenerateKey(a Algorithm) (*Key, error) {
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	var private any
	switch p.family {
	case familyHMAC:
		secret := make([]byte, p.secretSize)
		rand.Read(secret) // never fails: it crashes the program instead
		private = secret
	case familyRSA:
		private, err = rsa.GenerateKey(rand.Reader, generatedRSABits)
	case familyECDSA:
		private, err = ecdsa.GenerateKey(p.curve, rand.Reader)
	case familyEd25519:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("generating a key for %s: %w", a, err)
	}
	return newKey(p, private)
}

// newKey checks that the private key fits the algorithm and names it.
func newKey(p profile, private any) (*Key, error) {
	k := &Key{algorithm: p.algorithm, method: p.method, private: seal(private)}
	what, fits := describe(private)
	if !fits(p) {
		if able := listAlgorithms(", ", fits); able != "" {
			return nil, fmt.Errorf("this is %s, which signs %s, not %s", what, able, p.algorithm)
		}
		return nil, fmt.Errorf("this is %s, which signs none of %s", what, listAlgorithms(", ", nil))
	}

	var digest []byte
	switch private := private.(type) {
	case []byte:
		if len(private) < p.secretSize {
			return nil, fmt.Errorf("%s needs a secret of at least %d bytes, this one has %d: generate one with: openssl rand -hex 32",
				p.algorithm, p.secretSize, len(private))
		}
		// Keyed: a plain thumbprint would publish a hash of the secret in every token.
		digest = mac.NewKey(sha256.New, private).Append(nil, []byte(kidLabel))
		k.method = newReadyHMAC(p.method.(*jwt.SigningMethodHMAC), private)
	case crypto.Signer:
		if pair, ok := private.(*rsa.PrivateKey); ok {
			if bits := pair.N.BitLen(); bits < minRSABits || bits > maxRSABits {
				return nil, fmt.Errorf("this is %s: it must have %d to %d bits", what, minRSABits, maxRSABits)
			}
		}
		k.public = private.Public()
		var err error
		if digest, err = thumbprint(k.public); err != nil {
			return nil, err
		}
	}
	k.id = base64.RawURLEncoding.EncodeToString(digest)
	return k, nil
}

// describe says in words what a private key is, and which algorithms it fits.
func describe(private any) (what string, fits func(profile) bool) {
	switch private := private.(type) {
	case []byte:
		return "a shared secret", sameFamily(familyHMAC)
	case *rsa.PrivateKey:
		return fmt.Sprintf("an RSA key of %d bits", private.N.BitLen()), sameFamily(familyRSA)
	case *ecdsa.PrivateKey:
		return "an EC " + private.Params().Name + " key", func(p profile) bool {
			return p.family == familyECDSA && p.curve == private.Curve
		}
	case ed25519.PrivateKey:
		return "an Ed25519 key", sameFamily(familyEd25519)
	case *ecdh.PrivateKey: // what PKCS#8 of X25519 parses to
		return "an X25519 key", func(profile) bool { return false }
	}
	return fmt.Sprintf("a key of type %T", private), func(profile) bool { return false }
}

func sameFamily(f family) func(profile) bool {
	return func(p profile) bool { return p.family == f }
}

// thumbprint is the SHA-256 JWK thumbprint of a public key (RFC 7638 §3), 32 bytes.
func thumbprint(public crypto.PublicKey) ([]byte, error) {
	jwk := jose.JSONWebKey{Key: public}
	digest, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("making the thumbprint of a key: %w", err)
	}
	return digest, nil
}

// appendSignature appends the signature of a token, which is given up to its last dot.
func (k *Key) appendSignature(b, input []byte) ([]byte, error) {
	if method, ok := k.method.(interface {
		appendSignature(b, input []byte, key any) ([]byte, error) // without a copy of the token
	}); ok {
		return method.appendSignature(b, input, k.private())
	}
	signature, err := k.method.Sign(string(input), k.private())
	return append(b, signature...), err
}

// ID is the `kid`, 43 characters of base64url: the thumbprint of the public key (RFC
// 7638), or for an HMAC key a digest keyed with the secret, from which the secret can
// neither be read nor guessed more cheaply than from a token.
func (k *Key) ID() string {
	return k.id
}

// Algorithm is the one algorithm that the key signs and verifies with.
func (k *Key) Algorithm() Algorithm {
	return k.algorithm
}
