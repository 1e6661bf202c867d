package caddygrant

import (
	"crypto/sha256"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// checkedTokens remembers access tokens that were found good, so that a client that comes
// again and again has its signature and its claims checked once. It knows them by digests,
// belongs to one set of keys, and says nothing of what may change: whether a token is good
// now is asked at every request, see checkAccessToken. What was not used for longest goes
// first when it is full.
type checkedTokens struct {
	mu     sync.Mutex
	tokens *simplelru.LRU[tokenDigest, checkedToken]
	size   int // of all tokens in bytes
}

// checkedToken is a token, and the user for whom it was found good.
type checkedToken struct {
	token *accessToken
	user  *User
	size  int // of the token in bytes
}

// tokenDigest stands for a token as it is sent, all of it. A token has one spelling only.
type tokenDigest [sha256.Size]byte

func digestToken(raw string) tokenDigest {
	var room [1024]byte // enough for most, without an allocation
	return sha256.Sum256(append(room[:0], raw...))
}

func newCheckedTokens() *checkedTokens {
	c := new(checkedTokens)
	c.tokens, _ = simplelru.NewLRU(maxCheckedTokens, func(_ tokenDigest, t checkedToken) { c.size -= t.size }) // it fails for sizes below 1 only
	return c
}

func (c *checkedTokens) get(d tokenDigest) (checkedToken, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens.Get(d)
}

func (c *checkedTokens) add(d tokenDigest, t checkedToken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens.Remove(d)
	c.tokens.Add(d, t)
	for c.size += t.size; c.size > maxCheckedSize; {
		c.tokens.RemoveOldest()
	}
}

// What is remembered takes about 2 KB beside the length of a token, so this is 32 MB at
// most.
const (
	maxCheckedTokens = 10_000
	maxCheckedSize   = 8 << 20
)
