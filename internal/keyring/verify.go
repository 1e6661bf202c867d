package keyring

import (
	"errors"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/compact"
)

// Why a token is refused. The reasons are for logs: the client is told only that it is
// refused.
var (
	ErrMalformed    = errors.New("not a signed token in compact form")
	ErrTooLong      = errors.New("it is longer than 8 KiB, the maximum for a token of this server")
	ErrHeader       = errors.New("a member of its header is duplicated or has the wrong type")
	ErrCritical     = errors.New("the token has a critical header")
	ErrUnknownKey   = errors.New("this server has no key with the token's kid")
	ErrWrongKey     = errors.New("the token's algorithm is not that of its key")
	ErrBadSignature = errors.New("the signature does not verify")
)

// UnknownKeyError is an [ErrUnknownKey] with the type that the token claims, which is
// not verified.
type UnknownKeyError struct {
	Type string // `typ` of the header
}

func (*UnknownKeyError) Error() string { return ErrUnknownKey.Error() }

// Unwrap gives ErrUnknownKey.
func (*UnknownKeyError) Unwrap() error { return ErrUnknownKey }

// MaxTokenLength is the length in bytes of the longest token that is looked at.
const MaxTokenLength = 8 << 10

// Verify checks the signature of a token in compact form (RFC 7515 §7.1) and returns
// its `typ`, empty if there is none, and its payload, which is not looked at. The `kid`
// selects the key and the key its one algorithm (RFC 8725 §3.1). One token has one
// spelling: base64url is accepted only without padding, line breaks and stray bits, and
// ECDSA only with the lower s, so that no byte of it can be changed.
func (r *Ring) Verify(token string) (string, []byte, error) {
	if len(token) > MaxTokenLength {
		return "", nil, ErrTooLong
	}
	parts, ok := compact.Split(token, MaxTokenLength)
	if !ok {
		return "", nil, ErrMalformed
	}
	payload, err := compact.Decode(parts.Payload)
	if err != nil {
		return "", nil, ErrMalformed
	}
	signature, err := compact.Decode(parts.Signature)
	if err != nil {
		return "", nil, ErrMalformed
	}
	key, typ, err := r.keyOf(parts.Header)
	if err != nil {
		return "", nil, err
	}
	signed := token[:len(token)-len(parts.Signature)-1]
	if err := key.method.Verify(signed, signature, key.verifier()); err != nil {
		return "", nil, ErrBadSignature
	}
	return typ, payload, nil
}

// Shared tells whether the key of a token that Verify accepts is shared with apps that
// verify tokens with it: any of them may have signed the token.
func (r *Ring) Shared(token string) bool {
	encoded, _, _ := strings.Cut(token, ".")
	key, _, err := r.keyOf(encoded)
	return err == nil && key.algorithm.Symmetric()
}

// keyOf reads an encoded header. Headers of the ring's own tokens are known in encoded
// form.
func (r *Ring) keyOf(encoded string) (key *Key, typ string, err error) {
	if key := r.byHeader[encoded]; key != nil {
		return key, r.typ, nil
	}
	h, ok := compact.ReadHeader(encoded)
	switch {
	case !ok && compact.IsObject(encoded):
		return nil, "", ErrHeader
	case !ok:
		return nil, "", ErrMalformed
	}
	if h.Critical != nil {
		return nil, "", ErrCritical
	}
	if key = r.byID[h.KeyID]; key == nil {
		return nil, "", &UnknownKeyError{Type: h.Type}
	}
	if h.Algorithm != string(key.algorithm) {
		return nil, "", ErrWrongKey
	}
	return key, h.Type, nil
}

// verifier is what the key's method verifies with: the public key, or the secret of an
// HMAC key.
func (k *Key) verifier() any {
	if k.public != nil {
		return k.public
	}
	return k.private()
}
