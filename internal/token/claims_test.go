package token

import (
	"crypto/sha256"
	"testing"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/mac"
)

// A version from a source is in a domain of its own, and the version for a hash has not
// changed.
func TestACredentialVersionStandsForAHashOrForWhatASourceGives(t *testing.T) {
	key := mac.NewKey(sha256.New, []byte("0123456789abcdef0123456789abcdef"))
	seen := make(map[string]int)
	for i, user := range []directory.User{
		{Username: "alice", PasswordHash: "7"},
		{Username: "alice", CredentialVersion: "7"},
		{Username: "alice", CredentialVersion: "8"},
		{Username: "bob", CredentialVersion: "7"},
		{Username: "alice"},
	} {
		version := credentialVersion(key, "default", &user)
		if first, there := seen[version]; there {
			t.Errorf("users %d and %d have one version", first, i)
		}
		seen[version] = i
	}
	alice := directory.User{Username: "alice", PasswordHash: "$2a$04$u5PzEs8PW01VjYrq6dWKtuaxwfwYpNj2/gSe7y0qkmrlYXB0ySPXy"}
	if version := credentialVersion(key, "default", &alice); version != "xXMFCIW8sHbbR_5kKAOnjg" {
		t.Errorf("tokens of before would end: %s", version)
	}
}
