// Package mac makes HMACs (RFC 2104) under keys that are used again and again.
package mac

import (
	"crypto/hmac"
	"hash"
	"sync"
)

// Key is a key that is ready to use. [hmac.New] hashes the key anew for every message,
// which takes as long as a short message does. It is safe for concurrent use, and never
// prints the key.
type Key struct {
	hashes *sync.Pool // of hash.Hash
}

// NewKey returns a key for HMACs with that hash, such as [crypto/sha256.New]. It keeps
// no reference to the secret.
func NewKey(of func() hash.Hash, secret []byte) Key {
	secret = append([]byte(nil), secret...)
	return Key{&sync.Pool{New: func() any { return hmac.New(of, secret) }}}
}

// Append appends the HMAC of all parts, one after the other, to b.
func (k Key) Append(b []byte, parts ...[]byte) []byte {
	h := k.hashes.Get().(hash.Hash)
	for _, part := range parts {
		h.Write(part)
	}
	b = h.Sum(b)
	h.Reset() // otherwise it keeps the end of the message, which may be a password
	k.hashes.Put(h)
	return b
}
