package caddygrant

import (
	"slices"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// checkScope reads the scope parameter (RFC 6749 §3.3) and holds it against what the
// client may ask for. Omitted, req.scopes stays nil: the grant knows the default.
func (s *Server) checkScope(req *tokenRequest) error {
	value := req.params.Get("scope")
	if value == "" {
		return nil
	}
	scopes, ok := oauth.ParseScope(value)
	if !ok {
		return oauth.InvalidScope("scope_malformed", "the scope must be a list of names with spaces between them")
	}
	if len(scopes) == 0 {
		return nil
	}
	allowed := s.policy.AllowedScopes(req.client)
	for _, scope := range scopes {
		if !slices.Contains(allowed, scope) {
			return oauth.InvalidScope("scope_not_allowed", "a scope is unknown or not allowed for this client").Of(allowed)
		}
	}
	req.scopes = scopes
	return nil
}
