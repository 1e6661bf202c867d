package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"github.com/go-oauth2/oauth2/v4/models"
)

// The client and the users of all peers. Their secrets are kept as SHA-256, as if a
// slow hash of them had been checked before: bench compares endpoints, not hashes.
const (
	clientID, clientSecret = "bench", "bench-secret"
	password, userCount    = "correct-horse", 1000
)

type digest [sha256.Size]byte

// is reports whether it is the digest of the secret.
func (d digest) is(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(d[:], sum[:]) == 1
}

// users are user0, user1 ….
type users map[string]digest

func newUsers() users {
	u := make(users, userCount)
	for i := range userCount {
		u[fmt.Sprintf("user%d", i)] = sha256.Sum256([]byte(password))
	}
	return u
}

func (u users) know(name, password string) bool {
	d, found := u[name]
	return d.is(password) && found
}

// client checks its secret itself, which the library lets a client do.
type client struct {
	models.Client
	secret digest
}

func newClient() *client {
	return &client{models.Client{ID: clientID}, sha256.Sum256([]byte(clientSecret))}
}

func (c *client) VerifyPassword(secret string) bool { return c.secret.is(secret) }
