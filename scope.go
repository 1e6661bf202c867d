package caddygrant

import (
	"fmt"
	"slices"
	"strings"
)

// checkScope reads the scope parameter (RFC 6749 §3.3) and holds it against what the
// client may ask for. Omitted, req.scopes stays nil: the grant knows the default.
func (s *Server) checkScope(req *tokenRequest) error {
	value := req.params.Get("scope")
	if value == "" {
		return nil
	}
	scopes, ok := parseScope(value)
	if !ok {
		return errInvalidScope("scope_malformed", "the scope must be a list of names with spaces between them")
	}
	if len(scopes) == 0 {
		return nil
	}
	allowed := s.allowedScopes(req.client)
	for _, scope := range scopes {
		if !slices.Contains(allowed, scope) {
			return errInvalidScope("scope_not_allowed", "a scope is unknown or not allowed for this client").of(allowed)
		}
	}
	req.scopes = scopes
	return nil
}

// allowedScopes are the client's own, or the server's where the client has no list.
func (s *Server) allowedScopes(c *Client) []string {
	if c.Scopes != nil {
		return c.Scopes
	}
	return s.Scopes
}

// defaultScopes are granted when a request names none: default_scopes as far as they are
// allowed, or all that are allowed.
func (s *Server) defaultScopes(c *Client) []string {
	allowed := s.allowedScopes(c)
	if c.DefaultScopes == nil {
		return allowed
	}
	return intersect(c.DefaultScopes, allowed)
}

// narrow leaves the scopes that the user may have. Where none is left of what was asked
// for, that is an error, never a wider grant.
func (u *User) narrow(scopes []string) ([]string, error) {
	granted := u.allowed(scopes)
	if len(granted) == 0 && len(scopes) > 0 {
		return nil, errInvalidScope("scope_not_users", "this user may not have any of these scopes").of(u.Scopes)
	}
	return granted, nil
}

// allowed are those of the scopes that the user may have: all of them for a user without a
// list, none for one with an empty list.
func (u *User) allowed(scopes []string) []string {
	if u.Scopes == nil {
		return scopes
	}
	return intersect(scopes, u.Scopes)
}

// intersect keeps what is in both, in the order of the first. It is the first one itself
// where all of it is kept.
func intersect(list, allowed []string) []string {
	missing := slices.IndexFunc(list, func(s string) bool { return !slices.Contains(allowed, s) })
	if missing < 0 {
		return list
	}
	out := slices.Clone(list[:missing])
	for _, s := range list[missing+1:] {
		if slices.Contains(allowed, s) {
			out = append(out, s)
		}
	}
	return out
}

// parseScope splits a scope at runs of spaces and drops repetitions, in order. Other
// whitespace is in no name.
func parseScope(value string) ([]string, bool) {
	var scopes []string
	for scope := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ' ' }) {
		if !validScope(scope) || len(scopes) > maxScopes {
			return nil, false
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, len(scopes) <= maxScopes
}

// validScope holds scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) of RFC 6749 §3.3.
func validScope(scope string) bool {
	if scope == "" || len(scope) > maxScopeLength {
		return false
	}
	for _, c := range []byte(scope) {
		if c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// validateScopes checks a list of the config or of a file.
func validateScopes(setting string, scopes []string) error {
	if len(scopes) > maxScopes {
		return fmt.Errorf("%s: there are %d, at most %d are possible", setting, len(scopes), maxScopes)
	}
	for i, scope := range scopes {
		if strings.Contains(scope, " ") {
			return fmt.Errorf("%s: %q holds a space: write each scope as one of its own, without quotes around several", setting, scope)
		}
		if !validScope(scope) {
			return fmt.Errorf("%s: %q is not a scope: it must be 1 to %d printable ASCII characters other than space, \" and \\", setting, scope, maxScopeLength)
		}
		if slices.Contains(scopes[:i], scope) {
			return fmt.Errorf("%s: %q is there twice", setting, scope)
		}
	}
	return nil
}

const (
	maxScopes      = 64
	maxScopeLength = 128
)
