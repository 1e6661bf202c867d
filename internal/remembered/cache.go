// Package remembered keeps credentials that were found valid, so that what never
// changes about a credential that is sent again and again is checked once.
package remembered

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/caddygrant/caddy-grant/internal/clock"
)

// Cache is a bounded memory of what was found for credentials. It knows them by digests
// and says nothing about what may change. It is safe for concurrent use.
//
// When it is full, the least recently used value makes room, unless it was used a
// moment ago: if more are in use than there is room for, each would otherwise be
// evicted before its next request.
type Cache[V any] struct {
	mu       sync.Mutex
	entries  *simplelru.LRU[Digest, *entry[V]]
	size     int // of all entries in memory, in bytes
	maxCount int
	maxSize  int
}

type entry[V any] struct {
	value V
	size  int   // in memory, in bytes
	used  int64 // unix nanoseconds
}

// Digest stands for a whole credential as it is sent. It is half of a SHA-256: to find
// a credential with the digest of a remembered one takes about 2^110 attempts.
type Digest [sha256.Size / 2]byte

// DigestOf returns the digest of a credential, which must have one spelling only.
func DigestOf(raw string) Digest {
	var room [1024]byte // enough for most, without an allocation
	sum := sha256.Sum256(append(room[:0], raw...))
	return Digest(sum[:sha256.Size/2])
}

// New returns an empty cache for at most maxCount values of maxSize bytes in all.
func New[V any](maxCount, maxSize int) *Cache[V] {
	c := &Cache[V]{maxCount: maxCount, maxSize: maxSize}
	evicted := func(_ Digest, e *entry[V]) { c.size -= e.size }
	c.entries, _ = simplelru.NewLRU(maxCount, evicted) // it only fails for sizes below 1
	return c
}

// Get returns what is remembered, which counts as a use.
func (c *Cache[V]) Get(d Digest) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries.Get(d)
	if !ok {
		var none V
		return none, false
	}
	e.used = clock.Now().UnixNano()
	return e.value, true
}

// Add remembers a value of about size bytes in place of an earlier one, if there is
// room or room can be made.
func (c *Cache[V]) Add(d Digest, value V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(d)
	e := &entry[V]{value: value, size: size, used: clock.Now().UnixNano()}
	for c.entries.Len() >= c.maxCount || c.size+size > c.maxSize {
		if _, oldest, any := c.entries.GetOldest(); !any || time.Duration(e.used-oldest.used) < inUse {
			return
		}
		c.entries.RemoveOldest()
	}
	c.size += size
	c.entries.Add(d, e)
}

// Len is the number of values, and their size in bytes.
func (c *Cache[V]) Len() (values, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Len(), c.size
}

// inUse is how long a value cannot be displaced after a use.
const inUse = time.Minute
