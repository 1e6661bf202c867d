package token

import (
	"reflect"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// Narrowed is what is left of a token with its user and its client as they are now: a scope
// or an audience that was taken away since is not in it, a claim of the user's own has
// today's value, and so has the username, which may belong to another user since. Nothing
// is added that the token lacks. Where nothing has changed it is the token itself.
func (p *Policy) Narrowed(token *AccessToken, user *directory.User, client *directory.Client) *AccessToken {
	scopes := user.Allowed(oauth.Intersect(token.Scopes, p.AllowedScopes(client)))
	audience := oauth.Intersect(token.Audience, p.audienceOf(client))
	others, same := token.othersOf(user)
	if same && len(scopes) == len(token.Scopes) && len(audience) == len(token.Audience) && token.Username == user.Username {
		return token
	}
	now := *token
	now.Scopes, now.Scope = scopes, strings.Join(scopes, " ")
	now.Audience = audience
	now.Username = user.Username
	now.Others = others
	return &now
}

// othersOf are the claims of the user's own that the token has, with their values of now.
// What it has beyond these is dropped: the user had it once, or never, and whoever shares
// an HMAC secret with us made it up. It tells whether they are just the token's.
func (t *AccessToken) othersOf(user *directory.User) (others map[string]any, same bool) {
	same = true
	for name, before := range t.Others {
		now, has := userClaim(user, name)
		same = same && has && reflect.DeepEqual(now, before)
		if has {
			if others == nil {
				others = make(map[string]any, len(t.Others))
			}
			others[name] = now
		}
	}
	if same {
		return t.Others, true
	}
	return others, false
}

// userClaim is a claim of the user's own, as it is when it was read from a token.
func userClaim(u *directory.User, name string) (value any, has bool) {
	encoded, has := u.Claims[name]
	if !has || decodeStrictly(encoded, &value) != nil {
		return nil, false
	}
	return value, true
}
