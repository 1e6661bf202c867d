package token

import (
	"reflect"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// Narrowed is what is left of a token with its user and its client as they are now: a
// scope or an audience that was taken away since is not in it, a claim of the user's
// own has its current value, and so has the username, which may belong to another user
// now. Nothing is added that the token lacks. If nothing has changed, it is the token
// itself. user is nil for a token that the client got for itself, which has no claims
// of a user's.
func (p *Policy) Narrowed(token *AccessToken, user *directory.User, client *directory.Client) *AccessToken {
	scopes := oauth.Intersect(token.Scopes, p.AllowedScopes(client))
	audience := oauth.Intersect(token.Audience, p.audienceOf(client))
	if user == nil {
		if len(token.Others) == 0 && len(scopes) == len(token.Scopes) && len(audience) == len(token.Audience) {
			return token
		}
		now := *token
		now.Scopes, now.Scope, now.Audience, now.Others = scopes, strings.Join(scopes, " "), audience, nil
		return &now
	}
	scopes = user.Allowed(scopes)
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

// othersOf are the claims of the user's own that the token has, with their current
// values. Other claims are dropped: the user had them once, or never, and an app that
// shares an HMAC secret with us made them up. same tells whether they are exactly the
// token's.
func (t *AccessToken) othersOf(user *directory.User) (others map[string]any, same bool) {
	same = true
	for name, before := range t.Others {
		now, has := UserClaim(user, name)
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

// UserClaim is a claim of the user's own, in the form in which it is read from a token.
func UserClaim(u *directory.User, name string) (value any, has bool) {
	encoded, has := u.Claims[name]
	if !has || DecodeStrictly(encoded, &value) != nil {
		return nil, false
	}
	return value, true
}
