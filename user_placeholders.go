package caddygrant

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// setUserPlaceholders makes {http.auth.user.*} tell of the token's user. What another handler has set there is gone: it
// was of another user, or of none. Most requests ask for few of them, so they are made when they are asked for.
func (s *bearerState) setUserPlaceholders(r *http.Request, token *accessToken) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	repl.DeleteByPrefix(userPlaceholders)
	if s.user == nil { // else they are there already, of a check around this one
		repl.Map(s.userPlaceholder)
	}
	s.user = token
}

func (s *bearerState) userPlaceholder(key string) (any, bool) {
	name, ok := strings.CutPrefix(key, userPlaceholders)
	if !ok {
		return nil, false
	}
	claim, ours := userClaims[name]
	switch {
	case ours:
	case slices.Contains(reservedClaims, name):
		return nil, false
	default:
		claim = name
	}
	return scalar(s.user.claim(claim))
}

// userClaims are the claims of tokens that have a placeholder, by its name. The user's own have theirs.
var userClaims = map[string]string{
	"id": "sub", "username": "username", "client_id": "cid", "scope": "scope", "token_id": "jti", "session_id": "sid",
}

const userPlaceholders = "http.auth.user."
