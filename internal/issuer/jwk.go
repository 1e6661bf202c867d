package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// key is a public key that an issuer signs tokens with.
type key struct {
	id        string // `kid`, empty if it has none
	algorithm string // `alg`: the only one to verify with; empty if any that fits
	public    crypto.PublicKey
	text      string // all of the above, to compare keys by
}

// material is what is read of the key itself (RFC 7518 §6, RFC 8037 §2). Certificates
// are ignored: a key is trusted since the issuer publishes it.
type material struct {
	Type  string `json:"kty"`
	Curve string `json:"crv,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
}

// jwk is what is read of a JWK (RFC 7517 §4).
type jwk struct {
	material
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	ID         string   `json:"kid"`

	private
}

// private are the members of keys that are not public (RFC 7518 §6).
type private struct {
	D   json.RawMessage `json:"d"`
	K   json.RawMessage `json:"k"`
	P   json.RawMessage `json:"p"`
	Q   json.RawMessage `json:"q"`
	DP  json.RawMessage `json:"dp"`
	DQ  json.RawMessage `json:"dq"`
	QI  json.RawMessage `json:"qi"`
	Oth json.RawMessage `json:"oth"`
}

// isPresent tells whether a key has any of them: one prime of RSA is enough to sign.
func (p *private) isPresent() bool {
	return slices.ContainsFunc([]json.RawMessage{p.D, p.K, p.P, p.Q, p.DP, p.DQ, p.QI, p.Oth},
		func(member json.RawMessage) bool { return member != nil })
}

// parseKey reads one key of a set. The error says why the key cannot verify tokens,
// without anything of the key but its short names; the key then has no more than its
// `kid`.
func parseKey(encoded []byte) (*key, error) {
	var read *jwk
	if !utf8.Valid(encoded) || token.DecodeStrictly(encoded, &read) != nil || read == nil {
		return new(key), errors.New("it is not a JSON Web Key, or has a duplicate member")
	}
	k := &key{id: read.ID}
	switch {
	case read.Type == "":
		return k, errors.New("it has no kty")
	case read.Type == "oct":
		return k, errors.New("it is a shared secret (kty oct)")
	case read.isPresent():
		return k, errPrivate
	case read.Use != "" && read.Use != "sig":
		return k, fmt.Errorf("it is not for signatures (use %s)", brief(read.Use))
	case read.Operations != nil && !slices.Contains(read.Operations, "verify"):
		return k, errors.New("it is not for verifying (key_ops)")
	case len(read.ID) > maxKeyID:
		return k, fmt.Errorf("its kid has more than %d bytes", maxKeyID)
	}
	public, err := read.public()
	if err != nil {
		return k, err
	}
	if read.Algorithm != "" {
		a := findAlgorithm(read.Algorithm)
		if a == nil || !a.fits(public) {
			return k, fmt.Errorf("its alg %s is not for signatures with a key of its kind", brief(read.Algorithm))
		}
		k.algorithm = a.name
	}
	text, err := json.Marshal([]any{k.id, k.algorithm, read.material})
	if err != nil {
		return k, fmt.Errorf("it cannot be encoded again: %w", err)
	}
	k.public, k.text = public, string(text)
	return k, nil
}

// errPrivate is also said of by itself in the log, since it is a danger to all who trust
// the issuer.
var errPrivate = errors.New("it is a private key, which must not be published: the issuer has to replace it")

// public reads the key itself.
func (m *material) public() (crypto.PublicKey, error) {
	encoded, err := json.Marshal(m)
	if err != nil {
		return nil, errors.New("it cannot be encoded again")
	}
	var parsed jose.JSONWebKey
	if err := parsed.UnmarshalJSON(encoded); err != nil { // an error may repeat members
		return nil, fmt.Errorf("it is not a key of a supported kind (kty %s, crv %s)", brief(m.Type), brief(m.Curve))
	}
	switch public := parsed.Key.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("it is an RSA key of %d bits, which is not between %d and %d", bits, minRSABits, maxRSABits)
		}
		if public.E < 3 || public.E&1 == 0 || public.E > 1<<31-1 || public.N.Bit(0) == 0 || len(m.E) > maxExponent {
			return nil, errors.New("its modulus or exponent is not that of an RSA key")
		}
		return public, nil
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return public, nil
	}
	return nil, fmt.Errorf("it is not a key of a supported kind (kty %s, crv %s)", brief(m.Type), brief(m.Curve))
}

// brief is a short name of another server's for a message, such as a thumbprint (RFC
// 7638).
func brief(name string) string {
	if name == "" {
		return "none"
	}
	if len(name) > 64 || !isPrintable(name) {
		return "of an unknown name"
	}
	return name
}

const (
	minRSABits  = 2048 // RFC 7518 §3.3
	maxRSABits  = 8192 // larger ones take long to verify with
	maxExponent = 8    // in base64url: 48 bits
	maxKeyID    = 1024
)
