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
	switch name {
	case "id":
		return s.user.Subject, true
	case "username":
		return s.user.Username, true
	case "client_id":
		return s.user.CID, true
	case "scope":
		return s.user.Scope, true
	case "token_id":
		return s.user.ID, true
	case "session_id":
		return s.user.SessionID, true
	}
	if slices.Contains(reservedClaims, name) {
		return nil, false
	}
	return scalar(s.user.others[name])
}

const userPlaceholders = "http.auth.user."
