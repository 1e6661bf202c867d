package bearer

import (
	"unicode"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// Identity is who sends a request, by the credential that it has: an access token of
// this server, an access token of an outside issuer, or an API key.
type Identity interface {
	// IsClient tells whether it is a client that acts for itself, and not a user.
	IsClient() bool

	// Claim returns a claim by its exact name, nil or empty if there is none.
	Claim(name string) any

	// OwnClaim returns a claim that neither RFC 7519 nor this module defines, and whether
	// there is one, which may be null.
	OwnClaim(name string) (claim any, there bool)

	// HasScope tells whether a scope was granted.
	HasScope(scope string) bool

	// IsFor tells whether it is meant for one of these audiences.
	IsFor(audience []string) bool
}

// Named is an identity under the names that an app knows it by. A client is not a user:
// it has no `sub` and `username`, unless a prefix makes a name of its client id that no
// user can have.
type Named struct {
	Identity
	ClientPrefix string // empty for none
}

// Claim is the claim as the app may get it.
func (n Named) Claim(name string) any {
	if (name == "sub" || name == "username") && n.IsClient() {
		return n.clientName()
	}
	return n.Identity.Claim(name)
}

// clientName is the name of a client, nil if it has none.
func (n Named) clientName() any {
	id, _ := n.Identity.Claim("client_id").(string)
	if n.ClientPrefix == "" || id == "" {
		return nil
	}
	return n.ClientPrefix + id
}

// Placeholder is the value of {http.auth.user.<name>}, empty if there is no such claim.
func (n Named) Placeholder(name string) string {
	claim := any(nil)
	switch of, ok := placeholderClaims[name]; {
	case name == "kind":
		claim = kindOf(n)
	case ok:
		claim = n.Claim(of)
	default:
		claim, _ = n.OwnClaim(name)
	}
	value, _ := token.Scalar(claim)
	return value
}

func kindOf(id Identity) string {
	if id.IsClient() {
		return "client"
	}
	return "user"
}

// placeholderClaims are the claims that have a placeholder of another name. A user's own
// claims keep their names.
var placeholderClaims = map[string]string{
	"id": "sub", "username": "username", "client_id": "client_id", "issuer": "iss",
	"scope": "scope", "token_id": "jti", "session_id": "sid", "key_name": "key_name",
}

// BeginsLike tells whether a name begins with a prefix for an app that ignores case, as
// many do with names of users.
func BeginsLike(name, prefix string) bool {
	for _, wanted := range prefix {
		r, size := utf8.DecodeRuneInString(name)
		if size == 0 || r != wanted && !isSameLetter(r, wanted) {
			return false
		}
		name = name[size:]
	}
	return true
}

// isSameLetter tells whether two letters differ in their case at most.
func isSameLetter(a, b rune) bool {
	for folded := unicode.SimpleFold(a); folded != a; folded = unicode.SimpleFold(folded) {
		if folded == b {
			return true
		}
	}
	return false
}
