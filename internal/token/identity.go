package token

import (
	"slices"
)

// What a bearer_auth asks of an access token: see bearer.Identity.

// HasScope tells whether a scope was granted.
func (t *AccessToken) HasScope(scope string) bool { return slices.Contains(t.Scopes, scope) }

// IsFor tells whether the token names one of these audiences.
func (t *AccessToken) IsFor(audience []string) bool {
	return slices.ContainsFunc(t.Audience, func(a string) bool { return slices.Contains(audience, a) })
}
