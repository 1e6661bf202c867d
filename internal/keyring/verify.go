package keyring

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	// Unlike encoding/json it refuses a duplicate member and tells "alg" from "ALG".
	"github.com/go-jose/go-jose/v4/json"
)

// Why a token is refused. The reasons are for logs: the client is told only that it is
// refused.
var (
	ErrMalformed    = errors.New("not a signed token in compact form")
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

// base64url accepts one spelling of every value: no padding, and no bits set beyond its
// end.
var base64url = base64.RawURLEncoding.Strict()

// header is what is read of a token's header. Other members, such as jku, jwk and x5u,
// are ignored: keys come only from the ring (RFC 8725 §3.10).
type header struct {
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Type      string          `json:"typ"`
	Critical  json.RawMessage `json:"crit"` // not nil for null either
}

// Verify checks the signature of a token in compact form (RFC 7515 §7.1) and returns
// its `typ`, empty if there is none, and its payload, which is not looked at. The `kid`
// selects the key and the key its one algorithm (RFC 8725 §3.1). One token has one
// spelling: base64url is accepted only without padding, line breaks and stray bits, and
// ECDSA only with the lower s, so that no byte of it can be changed.
func (r *Ring) Verify(token string) (string, []byte, error) {
	encoded, ok := split(token)
	if !ok {
		return "", nil, ErrMalformed
	}
	payload, err := base64url.DecodeString(encoded[1])
	if err != nil {
		return "", nil, ErrMalformed
	}
	signature, err := base64url.DecodeString(encoded[2])
	if err != nil {
		return "", nil, ErrMalformed
	}
	key, typ, err := r.keyOf(encoded[0])
	if err != nil {
		return "", nil, err
	}
	signed := token[:len(token)-len(encoded[2])-1]
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
	decoded, err := base64url.DecodeString(encoded)
	if err != nil {
		return nil, "", ErrMalformed
	}
	// The decoder reads invalid UTF-8 as U+FFFD, and null as an object without members.
	var h *header
	if err := json.Unmarshal(decoded, &h); err != nil || h == nil || !utf8.Valid(decoded) {
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

// split cuts a token at its two dots. Before anything looks into it, its length is
// checked, and that it has no line breaks, which the decoder skips; the decoder refuses
// all other bytes that are not base64url.
func split(token string) (parts [3]string, ok bool) {
	if len(token) > MaxTokenLength || strings.IndexByte(token, '\n') >= 0 || strings.IndexByte(token, '\r') >= 0 {
		return parts, false
	}
	parts[0], token, _ = strings.Cut(token, ".")
	parts[1], parts[2], _ = strings.Cut(token, ".")
	return parts, parts[0] != "" && parts[1] != "" && parts[2] != "" && !strings.Contains(parts[2], ".")
}

// verifier is what the key's method verifies with: the public key, or the secret of an
// HMAC key.
func (k *Key) verifier() any {
	if k.public != nil {
		return k.public
	}
	return k.private()
}
