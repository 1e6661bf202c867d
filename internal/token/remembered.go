package token

import (
	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/remembered"
)

// checkedTokens remembers access tokens and session cookies that were found valid, so
// that the signature and claims of a token that is sent again and again are checked
// once. It belongs to one set of keys, and says nothing about what may change: whether
// a token is valid now is checked at every request, see [Checker.Check].
type checkedTokens = remembered.Cache[checkedToken]

// checkedToken is a token, the user and the client for whom it was found valid, and
// what is left of it with these.
type checkedToken struct {
	token    *AccessToken
	user     *directory.User
	client   *directory.Client
	narrowed *AccessToken    // the token itself if nothing has changed
	session  *BrowserSession // of a cookie; nil for a token
}

// tokenDigest is a digest of which one bit tells tokens from cookies.
type tokenDigest = remembered.Digest

// digestToken makes the digest of a credential that of a token, which no cookie has.
func digestToken(d remembered.Digest) tokenDigest {
	d[0] &^= ofCookie
	return d
}

func newCheckedTokens() *checkedTokens {
	return remembered.New[checkedToken](maxCheckedTokens, maxCheckedSize)
}

// ofCookie is the bit of the first byte of a digest that the digests of cookies have.
const ofCookie = 0x80

// The sizes are estimates. A usual token takes 650 bytes.
const (
	maxCheckedTokens = 1 << 15
	maxCheckedSize   = 24 << 20
)
