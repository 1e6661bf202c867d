package token

import (
	"iter"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// Policy is the settings by which a server makes and checks tokens.
type Policy struct {
	Server            string // its name
	Issuer            string // empty if none is configured
	Audience          []string
	Scopes            []string // that clients without a list may request
	AccessTTL         time.Duration
	RefreshTTL        time.Duration
	SessionTTL        time.Duration
	Leeway            time.Duration // for clocks that differ
	Passwords         bool          // whether the password grant is offered
	Refreshes         bool          // whether the refresh grant is
	ClientCredentials bool          // whether the grant client_credentials is

	Browser *BrowserPolicy // nil if the server has no login page
}

// AllowedScopes are the client's own, or the server's if the client has no list.
func (p *Policy) AllowedScopes(c *directory.Client) []string {
	if c.Scopes != nil {
		return c.Scopes
	}
	return p.Scopes
}

// DefaultScopes are granted when a request names none: default_scopes as far as they
// are allowed, or all that are allowed.
func (p *Policy) DefaultScopes(c *directory.Client) []string {
	allowed := p.AllowedScopes(c)
	if c.DefaultScopes == nil {
		return allowed
	}
	return oauth.Intersect(c.DefaultScopes, allowed)
}

// audienceOf is what the client's access tokens name.
func (p *Policy) audienceOf(client *directory.Client) []string {
	if client.Audience != nil {
		return client.Audience
	}
	return p.Audience
}

// MayLogIn tells whether a user can get tokens through the client.
func (p *Policy) MayLogIn(client *directory.Client) bool {
	if client.ID == LoginPage {
		return p.Browser != nil
	}
	return p.Passwords && client.MayUse(oauth.GrantTypePassword)
}

// ScopesOfUsers are those that a user without a list of their own can get through one of
// the clients: those of the server if no user can log in through any.
func (p *Policy) ScopesOfUsers(clients iter.Seq[*directory.Client]) []string {
	var all []string
	none := true
	for client := range clients {
		if p.MayLogIn(client) {
			all, none = append(all, p.AllowedScopes(client)...), false
		}
	}
	if none {
		return p.Scopes
	}
	return all
}

// MayRefresh tells whether the client's sessions have refresh tokens.
func (p *Policy) MayRefresh(client *directory.Client) bool {
	return p.Refreshes && client.MayUse(oauth.GrantTypeRefreshToken)
}

// MayAct tells whether the client may get tokens for itself, without a user. Any program
// can pose as a public client.
func (p *Policy) MayAct(client *directory.Client) bool {
	return p.ClientCredentials && !client.Public && client.MayUse(oauth.GrantTypeClientCredentials)
}

// accessTokenTTL is how long the client's access tokens are valid.
func (p *Policy) accessTokenTTL(client *directory.Client) time.Duration {
	if own := time.Duration(client.AccessTokenTTL); own != 0 {
		return own
	}
	return p.AccessTTL
}

// refreshTokenTTL is how long the client's refresh tokens are valid.
func (p *Policy) refreshTokenTTL(client *directory.Client) time.Duration {
	if own := time.Duration(client.RefreshTokenTTL); own != 0 {
		return own
	}
	return p.RefreshTTL
}
