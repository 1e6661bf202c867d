package keyring

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// lowS is ECDSA with one signature per message. Both s and n−s verify, and the library
// emits either; if it is always the lower one, a checker can refuse the other and no
// altered byte of a token verifies. The nonce comes from the key and the message (RFC
// 6979): a random nonce takes a fifth longer, and every token has its own random bits
// anyway.
type lowS struct {
	*jwt.SigningMethodECDSA
}

// Sign returns r and s, each padded to the size of the curve (RFC 7518 §3.4), with s ≤
// n/2. The key is an *ecdsa.PrivateKey on the curve of the method.
func (m lowS) Sign(signingString string, key any) ([]byte, error) {
	return m.appendSignature(nil, []byte(signingString), key)
}

func (m lowS) appendSignature(b, input []byte, key any) ([]byte, error) {
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signing %s: %w", m.Name, jwt.ErrInvalidKeyType)
	}
	digest := m.Hash.New()
	digest.Write(input)
	encoded, err := private.Sign(nil, digest.Sum(nil), m.Hash)
	if err != nil {
		return nil, err
	}
	var r, s big.Int
	sequence, rest := cryptobyte.String(nil), cryptobyte.String(encoded)
	if !rest.ReadASN1(&sequence, asn1.SEQUENCE) || !sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&s) {
		return nil, fmt.Errorf("signing %s: the signature is not an ECDSA signature", m.Name)
	}
	order := private.Params().N
	if s.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		s.Sub(order, &s)
	}
	half := (m.CurveBits + 7) / 8
	b = append(b, make([]byte, 2*half)...)
	signature := b[len(b)-2*half:]
	r.FillBytes(signature[:half])
	s.FillBytes(signature[half:])
	return b, nil
}

// Verify refuses signatures with the higher s, which an attacker could have made from
// ours. The key is an *ecdsa.PublicKey on the curve of the method.
func (m lowS) Verify(signingString string, signature []byte, key any) error {
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("verifying %s: %w", m.Name, jwt.ErrInvalidKeyType)
	}
	order := public.Params().N
	s := new(big.Int).SetBytes(signature[len(signature)/2:])
	if s.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		return jwt.ErrECDSAVerification
	}
	return m.SigningMethodECDSA.Verify(signingString, signature, public)
}
