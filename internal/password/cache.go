package password

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// attemptDigest stands for a name, its hash and a password. It is keyed, so nothing can
// be read from it or tried on it outside this process.
type attemptDigest [32]byte

// cache remembers which attempts matched a moment ago, by their digests only. When it
// is full, it forgets the least recently used.
type cache struct {
	mu      sync.Mutex
	ttl     time.Duration                            // 0: off
	matched *simplelru.LRU[attemptDigest, time.Time] // when
}

func newCache() *cache {
	matched, _ := simplelru.NewLRU[attemptDigest, time.Time](maxCached, nil) // fails only for sizes below 1
	return &cache{matched: matched}
}

// setTTL changes for how long a match is remembered, including those already
// remembered.
func (c *cache) setTTL(ttl time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ttl = ttl; ttl <= 0 {
		c.matched.Purge()
	}
}

// has tells whether the attempt matched within the TTL. Asking does not prolong it.
func (c *cache) has(d attemptDigest) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.matched.Get(d)
	if ok && now().Sub(at) >= c.ttl {
		c.matched.Remove(d)
		return false
	}
	return ok
}

// add remembers an attempt that matched.
func (c *cache) add(d attemptDigest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ttl > 0 {
		c.matched.Add(d, now())
	}
}

// now is the clock.
var now = time.Now

// maxCached bounds the cache: about 200 bytes each, 2 MB in all.
const maxCached = 10_000
