package apikey

import (
	"strings"
	"testing"
)

// valid is a key of alice.
func valid() Key { return Key{Name: "deploy", Hash: "sha256:" + testHex, User: "alice"} }

// hashOf is a hash of its own for each number.
func hashOf(n byte) string { return DigestOf(string(n)).Hash() }

// checkLeak fails if an error has eight bytes in a row of the test's key or of its hash.
func checkLeak(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range []string{testHex, strings.ToUpper(testHex), testKey} {
		for i := range len(secret) - 7 {
			if strings.Contains(err.Error(), secret[i:i+8]) {
				t.Fatalf("the error has a piece of a secret in it: %v", err)
			}
		}
	}
}
