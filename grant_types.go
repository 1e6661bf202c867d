package caddygrant

import (
	"slices"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// grantType is a grant by its name.
type grantType struct {
	name string // the value of the grant_type parameter
	new  func(grantParts) grant
}

// grantTypes are all grants that a server can offer. A new grant is a line here, and a
// file.
var grantTypes = []grantType{
	{oauth.GrantTypePassword, newPasswordGrant},
	{oauth.GrantTypeRefreshToken, newRefreshGrant},
	{oauth.GrantTypeClientCredentials, newClientCredentialsGrant},
}

// grantTypeNames are the names of all grant types.
func grantTypeNames() []string {
	names := make([]string, len(grantTypes))
	for i, t := range grantTypes {
		names[i] = t.name
	}
	return names
}

// newGrants makes the grants that a server offers.
func newGrants(offered []string, parts grantParts) map[string]grant {
	grants := make(map[string]grant, len(offered))
	for _, t := range grantTypes {
		if slices.Contains(offered, t.name) {
			grants[t.name] = t.new(parts)
		}
	}
	return grants
}
