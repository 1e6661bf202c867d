package token

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/clock"
)

// checkedTokens remembers access tokens and session cookies that were found valid, so
// that the signature and claims of a token that is sent again and again are checked
// once. It knows tokens by digests, belongs to one set of keys, and says nothing about
// what may change: whether a token is valid now is checked at every request, see
// [Checker.Check].
//
// When it is full, the least recently used token makes room, unless it was used a
// moment ago: if more tokens are in use than it has room for, each would otherwise be
// evicted before its next request.
type checkedTokens struct {
	mu     sync.Mutex
	tokens *simplelru.LRU[tokenDigest, *checkedToken]
	size   int // of all tokens in memory, in bytes
}

// checkedToken is a token, the user and the client for whom it was found valid, and
// what is left of it with these.
type checkedToken struct {
	token    *AccessToken
	user     *directory.User
	client   *directory.Client
	narrowed *AccessToken    // the token itself if nothing has changed
	session  *BrowserSession // of a cookie; nil for a token
	size     int             // in memory, in bytes
	used     int64           // unix nanoseconds
}

// tokenDigest stands for a whole token as it is sent, which has one spelling only. It
// is half of a SHA-256, of which one bit tells tokens from cookies: to find a token with
// the digest of a remembered one takes more than 2^110 attempts.
type tokenDigest [sha256.Size / 2]byte

func digestToken(raw string) tokenDigest {
	var room [1024]byte // enough for most, without an allocation
	sum := sha256.Sum256(append(room[:0], raw...))
	sum[0] &^= ofCookie
	return tokenDigest(sum[:sha256.Size/2])
}

func newCheckedTokens() *checkedTokens {
	c := new(checkedTokens)
	evicted := func(_ tokenDigest, t *checkedToken) { c.size -= t.size }
	c.tokens, _ = simplelru.NewLRU(maxCheckedTokens, evicted) // it only fails for sizes below 1
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

// len is the number of tokens, and their size in bytes.
func (c *checkedTokens) len() (tokens, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens.Len(), c.size
}

// ofCookie is the bit of the first byte of a digest that the digests of cookies have.
const ofCookie = 0x80

// The sizes are estimates. A usual token takes 650 bytes.
const (
	maxCheckedTokens = 1 << 15
	maxCheckedSize   = 24 << 20
	inUse            = time.Minute
)
