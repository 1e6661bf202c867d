package password

import (
	"container/list"
	"sync"
	"time"
)

// attemptDigest stands for a name, its hash and a password. It is keyed, so nothing can be read from it or tried on it
// outside this process.
type attemptDigest [32]byte

// cache remembers which attempts matched a moment ago, and of these their digests only. It forgets the one that was
// used least recently when it is full.
type cache struct {
	mu      sync.Mutex
	ttl     time.Duration // 0: off
	entries map[attemptDigest]*list.Element
	order   *list.List // of *cached, the last used in front
}

type cached struct {
	digest attemptDigest
	at     time.Time // of the comparison
}

func newCache() *cache {
	return &cache{entries: make(map[attemptDigest]*list.Element), order: list.New()}
}

// setTTL changes for how long a match is remembered, also of what is remembered already.
func (c *cache) setTTL(ttl time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ttl = ttl; ttl <= 0 {
		c.entries = make(map[attemptDigest]*list.Element)
		c.order.Init()
	}
}

// has tells whether the attempt matched within the TTL. Being asked does not make it last longer.
func (c *cache) has(d attemptDigest) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.entries[d]
	if element == nil {
		return false
	}
	if now().Sub(element.Value.(*cached).at) >= c.ttl {
		c.remove(element)
		return false
	}
	c.order.MoveToFront(element)
	return true
}

// add remembers an attempt that matched.
func (c *cache) add(d attemptDigest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ttl <= 0 {
		return
	}
	if element := c.entries[d]; element != nil {
		c.remove(element)
	}
	for len(c.entries) >= maxCached {
		c.remove(c.order.Back())
	}
	c.entries[d] = c.order.PushFront(&cached{d, now()})
}

func (c *cache) remove(element *list.Element) {
	delete(c.entries, element.Value.(*cached).digest)
	c.order.Remove(element)
}

// now is the clock.
var now = time.Now

// maxCached bounds the cache: about 200 bytes each, 2 MB in all.
const maxCached = 10_000
