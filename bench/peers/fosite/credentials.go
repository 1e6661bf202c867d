package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/ory/fosite"
)

// The client and the users of all peers. Their secrets are kept as SHA-256, as if a
// slow hash of them had been checked before: bench compares endpoints, not hashes.
const (
	clientID, clientSecret = "bench", "bench-secret"
	password, userCount    = "correct-horse", 1000
)

func digest(secret []byte) []byte {
	sum := sha256.Sum256(secret)
	return sum[:]
}

// hasher is for client secrets.
type hasher struct{}

func (hasher) Hash(_ context.Context, secret []byte) ([]byte, error) { return digest(secret), nil }

func (hasher) Compare(_ context.Context, hash, secret []byte) error {
	if subtle.ConstantTimeCompare(hash, digest(secret)) != 1 {
		return errors.New("wrong secret")
	}
	return nil
}

// users are user0, user1 ….
type users map[string][]byte

func newUsers() users {
	u := make(users, userCount)
	for i := range userCount {
		u[fmt.Sprintf("user%d", i)] = digest([]byte(password))
	}
	return u
}

func (u users) know(name, password string) bool {
	return subtle.ConstantTimeCompare(u[name], digest([]byte(password))) == 1
}

func newClient() fosite.Client {
	return &fosite.DefaultClient{
		ID:         clientID,
		Secret:     digest([]byte(clientSecret)),
		GrantTypes: []string{"password", "refresh_token"},
		Scopes:     []string{"read"},
	}
}
