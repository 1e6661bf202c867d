package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/golang-jwt/jwt/v5"
)

// newKey makes a key for ES256, and writes it as PEM too.
func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// parsedKey makes access tokens with the claims of the library's own generator.
type parsedKey struct{ key *ecdsa.PrivateKey }

func (p parsedKey) Token(_ context.Context, data *oauth2.GenerateBasic, withRefresh bool) (access, refresh string, err error) {
	info := data.TokenInfo
	access, err = jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{
		Audience:  jwt.ClaimStrings{data.Client.GetID()},
		Subject:   data.UserID,
		ExpiresAt: jwt.NewNumericDate(info.GetAccessCreateAt().Add(info.GetAccessExpiresIn())),
	}).SignedString(p.key)
	if err == nil && withRefresh {
		refresh = rand.Text()
	}
	return access, refresh, err
}
