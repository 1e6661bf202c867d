package apikey

import (
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Identity is who sends an API key: its owner as they are now, with the scopes that
// both have. It is shared by requests, and never changed.
type Identity struct {
	key      *Key
	user     *directory.User   // nil if a client owns the key
	client   *directory.Client // nil if a user does
	issuer   string
	scopes   []string
	scope    string // all of scopes
	audience []string
	claims   map[string]any // of the user's own, in the form in which they are read from a token
}

// NewIdentity returns who sends a key: the user, if there is one, or else the client.
// Without either it only names a key that is not good now.
//
// allowed are the scopes that the server gives the owner; nil is none. audience is what
// the owner's tokens name: a client's key is for nothing else, and it is the default of
// a user's.
func NewIdentity(key *Key, user *directory.User, client *directory.Client, allowed, audience []string, issuer string) *Identity {
	i := &Identity{key: key, user: user, client: client, issuer: issuer, audience: audience}
	i.scopes = oauth.Intersect(key.Scopes, allowed)
	if user != nil {
		i.client = nil
		i.scopes = user.Allowed(i.scopes)
		i.readClaims()
	}
	i.scope = strings.Join(i.scopes, " ")
	switch {
	case key.Audience == nil: // the owner's
	case user != nil:
		i.audience = key.Audience
	default:
		i.audience = oauth.Intersect(key.Audience, audience)
	}
	return i
}

// Key is the key.
func (i *Identity) Key() *Key { return i.key }

// User is the owner, nil if that is a client.
func (i *Identity) User() *directory.User { return i.user }

// Client is the owner, nil if that is a user.
func (i *Identity) Client() *directory.Client { return i.client }

// IsClient tells whether a client owns the key, and not a user.
func (i *Identity) IsClient() bool { return i.key.IsClients() }

// Scopes are those that the key and its owner both have.
func (i *Identity) Scopes() []string { return i.scopes }

// HasScope tells whether the key and its owner have a scope.
func (i *Identity) HasScope(scope string) bool { return slices.Contains(i.scopes, scope) }

// IsFor tells whether the key is for one of these audiences.
func (i *Identity) IsFor(audience []string) bool {
	return slices.ContainsFunc(audience, func(one string) bool { return slices.Contains(i.audience, one) })
}

// Claim returns what an access token of the owner would have under that name, nil or
// empty if there is none. A client is the subject of its own key (RFC 9068 §2.2), and
// has no username.
func (i *Identity) Claim(name string) any {
	switch name {
	case "iss":
		return i.issuer
	case "sub":
		if i.user != nil {
			return i.user.Subject()
		}
		return i.clientID()
	case "username":
		if i.user != nil {
			return i.user.Username
		}
		return ""
	case "client_id", "cid":
		return i.clientID()
	case "gty":
		if i.IsClient() {
			return token.ActingClient
		}
		return nil
	case "scope":
		return i.scope
	case "aud":
		return i.audience
	case "exp":
		if i.key.ends.IsZero() {
			return nil
		}
		return i.key.ends.Unix()
	case "key_name":
		return i.key.Name
	}
	return i.claims[name]
}

func (i *Identity) clientID() string {
	if i.client == nil {
		return ""
	}
	return i.client.ID
}

// readClaims reads the claims of the user's own, which are asked for at every request.
func (i *Identity) readClaims() {
	for name := range i.user.Claims {
		if directory.IsReservedClaim(name) {
			continue
		}
		if value, ok := token.UserClaim(i.user, name); ok {
			if i.claims == nil {
				i.claims = make(map[string]any, len(i.user.Claims))
			}
			i.claims[name] = value
		}
	}
}

// OwnClaim returns a claim of the user's own, in the form in which it is read from a
// token, and whether there is one.
func (i *Identity) OwnClaim(name string) (claim any, there bool) {
	claim, there = i.claims[name]
	return claim, there
}
