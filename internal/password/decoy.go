package password

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"

	"github.com/caddygrant/caddy-grant/internal/mac"
)

// Mix counts how many entries of a source have which Params. The zero Mix is empty. Add
// to it while the source is read; then it is only read, by any number of goroutines. A
// nil *Mix reads as an empty one.
type Mix struct {
	counts []count // in the order of Params.compare, without duplicates
	total  int
}

type count struct {
	params Params
	n      int
}

// Add counts one entry.
func (m *Mix) Add(p Params) {
	i, found := slices.BinarySearchFunc(m.counts, p, func(c count, p Params) int { return c.params.compare(p) })
	if !found {
		m.counts = slices.Insert(m.counts, i, count{params: p})
	}
	m.counts[i].n++
	m.total++
}

// Len returns the number of entries.
func (m *Mix) Len() int {
	if m == nil {
		return 0
	}
	return m.total
}

// All returns every Params that occurs with the number of its entries, at least 1, in
// an order that depends on nothing but the Params.
func (m *Mix) All() iter.Seq2[Params, int] {
	return func(yield func(Params, int) bool) {
		if m == nil {
			return
		}
		for _, c := range m.counts {
			if !yield(c.params, c.n) {
				return
			}
		}
	}
}

// Decoy returns a hash that no password matches, to compare the password of an unknown
// name with. Its Params are drawn from all mixes together in their proportions by
// HMAC-SHA-256 of the name, so that unknown names are as quick and as slow as known
// ones and each is always the same: without the key an attacker cannot tell that a
// name's cost was drawn. Without any entries it is Caddy's argon2id, m=47104,t=1,p=1.
//
// The HMAC-SHA-256 key is random, at least 32 bytes, and the same while the process
// runs. The work is one HMAC and a walk over the different Params.
func Decoy(key mac.Key, name string, mixes ...*Mix) Hash {
	drawn := labeled(key, decoyLabel, []byte(name))
	params := draw(binary.BigEndian.Uint64(drawn), mixes)
	seed := drawn[8:] // 24 bytes; salts need 22 at most
	switch params.Scheme {
	case Bcrypt:
		return decoyBcrypt(params, seed)
	case Argon2id:
		return decoyArgon2id(params, seed)
	case Yescrypt:
		return decoyYescrypt(params, seed)
	case APR1, MD5Crypt, SHA256Crypt, SHA512Crypt:
		return decoyCrypt(params, seed)
	}
	return decoyDigest(params, key, seed)
}

// draw returns the Params at the given fraction, point/2^64, of all entries. A fraction
// rather than a remainder: when one user is added, hardly any name changes its place,
// and an attacker does not learn of the user by looking for names that did.
func draw(point uint64, mixes []*Mix) Params {
	total := 0
	for _, m := range mixes {
		total += m.Len()
	}
	at, _ := bits.Mul64(point, uint64(total))
	for _, m := range mixes {
		for params, n := range m.All() {
			if at < uint64(n) {
				return params
			}
			at -= uint64(n)
		}
	}
	return caddyDefault
}
