package caddygrant

import (
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// tokenPolicy is what a server's tokens are made of, and checked by.
type tokenPolicy struct {
	server     string // its name
	issuer     string // empty if none is configured
	audience   []string
	scopes     []string // that clients without a list may ask for
	accessTTL  time.Duration
	refreshTTL time.Duration
	sessionTTL time.Duration
	leeway     time.Duration // for clocks that differ
	refreshes  bool          // whether the refresh grant is offered
}

// allowedScopes are the client's own, or the server's where the client has no list.
func (p *tokenPolicy) allowedScopes(c *directory.Client) []string {
	if c.Scopes != nil {
		return c.Scopes
	}
	return p.scopes
}

// defaultScopes are granted when a request names none: default_scopes as far as they are
// allowed, or all that are allowed.
func (p *tokenPolicy) defaultScopes(c *directory.Client) []string {
	allowed := p.allowedScopes(c)
	if c.DefaultScopes == nil {
		return allowed
	}
	return oauth.Intersect(c.DefaultScopes, allowed)
}

// audienceOf is what the client's access tokens name.
func (p *tokenPolicy) audienceOf(client *directory.Client) []string {
	if client.Audience != nil {
		return client.Audience
	}
	return p.audience
}

// mayRefresh tells whether the client's sessions have refresh tokens.
func (p *tokenPolicy) mayRefresh(client *directory.Client) bool {
	return p.refreshes && client.MayUse(oauth.GrantTypeRefreshToken)
}

// accessTokenTTL is how long the client's access tokens are valid.
func (p *tokenPolicy) accessTokenTTL(client *directory.Client) time.Duration {
	if own := time.Duration(client.AccessTokenTTL); own != 0 {
		return own
	}
	return p.accessTTL
}

// refreshTokenTTL is how long the client's refresh tokens are valid.
func (p *tokenPolicy) refreshTokenTTL(client *directory.Client) time.Duration {
	if own := time.Duration(client.RefreshTokenTTL); own != 0 {
		return own
	}
	return p.refreshTTL
}
