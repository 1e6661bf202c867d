package caddygrant

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// setUserPlaceholders makes {http.auth.user.*} tell of the token's user. What another handler has set there is gone: it
// was of another user, or of none.
func (s *bearerState) setUserPlaceholders(r *http.Request, token *token.AccessToken) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.DeleteByPrefix(userPlaceholders)
	}
	s.user = token
}

// mapUserPlaceholders makes {http.auth.user.*} tell of the user of a check, or be empty: without it Caddy would leave
// the placeholder as it is written, and an app take that for the name of a user. What a handler sets comes first. Most
// requests ask for few of them, so they are made when they are asked for.
func mapUserPlaceholders(r *http.Request) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	repl.Map(func(key string) (any, bool) {
		name, ok := strings.CutPrefix(key, userPlaceholders)
		if !ok {
			return nil, false
		}
		state, _ := vars[bearerStateVar].(*bearerState)
		return state.userPlaceholder(name), true
	})
}

// userPlaceholder is empty where there is no user, or the user has no such claim.
func (s *bearerState) userPlaceholder(name string) any {
	if s == nil || s.user == nil {
		return ""
	}
	claim, ours := userClaims[name]
	switch {
	case ours:
	case directory.IsReservedClaim(name):
		return ""
	default:
		claim = name
	}
	value, _ := token.Scalar(s.user.Claim(claim))
	return value
}

// userClaims are the claims of tokens that have a placeholder, by its name. The user's own have theirs.
var userClaims = map[string]string{
	"id": "sub", "username": "username", "client_id": "cid", "scope": "scope", "token_id": "jti", "session_id": "sid",
}

const userPlaceholders = "http.auth.user."
