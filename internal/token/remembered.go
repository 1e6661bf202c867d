package token

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/clock"
)

// checkedTokens remembers access tokens that were found good, so that a client that comes
// again and again has its signature and its claims checked once. It knows them by digests,
// belongs to one set of keys, and says nothing of what may change: whether a token is good
// now is asked at every request, see checkAccessToken.
//
// When it is full, what was not used for longest makes room, unless that was a moment ago:
// of more tokens than it holds, all in use, each would be gone before its next request.
type checkedTokens struct {
	mu     sync.Mutex
	tokens *simplelru.LRU[tokenDigest, *checkedToken]
	size   int // of all tokens in memory, in bytes
}

// checkedToken is a token, the user and the client for whom it was found good, and what is
// left of it with these.
type checkedToken struct {
	token    *AccessToken
	user     *directory.User
	client   *directory.Client
	narrowed *AccessToken // the token itself where nothing has changed
	size     int          // in memory, in bytes
	used     int64        // unix nanoseconds
}

// tokenDigest stands for a token as it is sent, all of it, which has one spelling only. It is
// half of a SHA-256: to find a token for one that is remembered takes more than 2^110 tries.
type tokenDigest [sha256.Size / 2]byte

func digestToken(raw string) tokenDigest {
	var room [1024]byte // enough for most, without an allocation
	sum := sha256.Sum256(append(room[:0], raw...))
	return tokenDigest(sum[:sha256.Size/2])
}

func newCheckedTokens() *checkedTokens {
	c := new(checkedTokens)
	evicted := func(_ tokenDigest, t *checkedToken) { c.size -= t.size }
	c.tokens, _ = simplelru.NewLRU(maxCheckedTokens, evicted) // it fails for sizes below 1 only
	return c
}

func (c *checkedTokens) get(d tokenDigest) (checkedToken, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tokens.Get(d)
	if !ok {
		return checkedToken{}, false
	}
	t.used = clock.Now().UnixNano()
	return *t, true
}

func (c *checkedTokens) add(d tokenDigest, t checkedToken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens.Remove(d)
	t.used = clock.Now().UnixNano()
	for c.tokens.Len() >= maxCheckedTokens || c.size+t.size > maxCheckedSize {
		if _, oldest, any := c.tokens.GetOldest(); !any || time.Duration(t.used-oldest.used) < inUse {
			return
		}
		c.tokens.RemoveOldest()
	}
	c.size += t.size
	c.tokens.Add(d, &t)
}

// len is how many there are, and their size in bytes.
func (c *checkedTokens) len() (tokens, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens.Len(), c.size
}

// The sizes are estimates. A usual token takes 650 bytes.
const (
	maxCheckedTokens = 1 << 15
	maxCheckedSize   = 24 << 20
	inUse            = time.Minute
)
