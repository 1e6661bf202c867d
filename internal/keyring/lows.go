package keyring

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// lowS is ECDSA with one signature per message and nonce. Both s and n−s verify, and the library emits either; with
// the lower one always, a checker can refuse the other and no altered byte of a token verifies.
type lowS struct {
	*jwt.SigningMethodECDSA
}

// Sign returns r and s, each padded to the size of the curve (RFC 7518 §3.4), with s ≤ n/2. The key is an
// *ecdsa.PrivateKey on the curve of the method.
func (m lowS) Sign(signingString string, key any) ([]byte, error) {
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signing %s: %w", m.Name, jwt.ErrInvalidKeyType)
	}
	signature, err := m.SigningMethodECDSA.Sign(signingString, private)
	if err != nil {
		return nil, err
	}
	order := private.Params().N
	half := signature[len(signature)/2:]
	s := new(big.Int).SetBytes(half)
	if s.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		s.Sub(order, s).FillBytes(half)
	}
	return signature, nil
}

// Verify refuses signatures with the higher s, which another could have made of ours. The key is an *ecdsa.PublicKey on
// the curve of the method.
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
