package password

import (
	"crypto/sha256"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/mac"
)

// What was wrong may be right against another hash, and for a user who may log in again.
func TestAFingerprintIsOfAllThatDecides(t *testing.T) {
	v, other := NewVerifier(nil), NewVerifier(nil)
	key := mac.NewKey(sha256.New, make([]byte, 32))
	a := Attempt{Kind: "user", Name: "alice", Hash: Digest(key, "secret"), Password: "secret", Keep: true, Key: "192.0.2.1"}
	same := a
	same.Key, same.First = "192.0.2.2", true // whose turn it is decides nothing
	if v.Fingerprint(a) != v.Fingerprint(same) {
		t.Error("it is not the same a second time")
	}
	changed := map[string]func(*Attempt){
		"kind":     func(a *Attempt) { a.Kind = "client" },
		"name":     func(a *Attempt) { a.Name = "bob" },
		"hash":     func(a *Attempt) { a.Hash = Digest(key, "another") },
		"decoy":    func(a *Attempt) { a.Hash = Decoy(key, "user:alice") },
		"password": func(a *Attempt) { a.Password = "secret " },
		"keep":     func(a *Attempt) { a.Keep = false },
	}
	for what, change := range changed {
		b := a
		change(&b)
		if v.Fingerprint(a) == v.Fingerprint(b) {
			t.Errorf("another %s has the same", what)
		}
	}
	if v.Fingerprint(a) == other.Fingerprint(a) {
		t.Error("another verifier has the same")
	}
}
