package keyring

import (
	"crypto/ed25519"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// plainEd25519 signs a token where it is: the library's own method copies it at each
// step.
type plainEd25519 struct {
	*jwt.SigningMethodEd25519
}

func (m plainEd25519) appendSignature(b, input []byte, key any) ([]byte, error) {
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signing %s: %w", m.Alg(), jwt.ErrInvalidKeyType)
	}
	return append(b, ed25519.Sign(private, input)...), nil
}
