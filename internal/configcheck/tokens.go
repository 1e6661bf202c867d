package configcheck

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// What a bearer_auth requires of tokens, and no token has.

// ofScopes is about scopes that a bearer_auth wants and no client could ask for.
func (w *warnings) ofScopes(c *Check, p placement, server *Server) {
	if len(c.Scopes) == 0 || server.MoreClients || c.Keys && server.APIKeys { // a user's key needs no client
		return
	}
	clients := 0
	for client := range server.Clients {
		if !client.MayLogIn {
			continue
		}
		clients++
		if len(oauth.Intersect(c.Scopes, server.scopesOf(client))) == len(c.Scopes) {
			return
		}
	}
	if clients == 0 {
		return // no user can log in at all
	}
	w.warn("no client may ask for the scopes that bearer_auth wants", p.where(),
		"every token is refused at present: add them to the scopes of a client or of the server, or correct them here",
		zap.String("server", c.Server), zap.Strings("scopes", c.Scopes))
}

// ofClaims is about claims that no token has, so that the app never gets the header.
func (w *warnings) ofClaims(c *Check, p placement, server *Server) {
	wanted := make(map[string]Claim)
	for _, claim := range c.Claims {
		if !server.writesClaim(c, claim.Name) {
			wanted[claim.Name] = claim
		}
	}
	if len(wanted) == 0 {
		return
	}
	similar := make(map[string]string)
	for name := range server.UserClaims {
		if delete(wanted, name); len(wanted) == 0 {
			return
		}
		for claim := range wanted {
			if strings.EqualFold(claim, name) {
				similar[claim] = name
			}
		}
	}
	for _, claim := range slices.Sorted(maps.Keys(wanted)) {
		if server.MoreUsers && !directory.IsReservedClaim(claim) {
			continue // another user may have it
		}
		advice := "no user has it now: give it to users, or correct its name"
		if name := cmp.Or(meantClaims[strings.ToLower(claim)], similar[claim]); name != "" && name != claim {
			advice = "write " + name + " instead, if that is what you mean"
		} else if directory.IsReservedClaim(claim) {
			advice = "users cannot have it: remove it, or correct its name"
		}
		w.warn("copy_claims names a claim that no token has", p.where()+", "+claim,
			advice, zap.String("server", c.Server), zap.String("claim", claim), zap.String("header", wanted[claim].Header))
	}
}

// ofRequired is about a claim that each request lacks, so that all are refused. Names
// with dots may be those of members of an object.
func (w *warnings) ofRequired(c *Check, p placement, server *Server) {
	if server.MoreUsers {
		return
	}
	for _, claim := range c.Require {
		if server.writesClaim(c, claim) || server.anyUserHas(claim) {
			continue
		}
		w.warn("bearer_auth requires a claim that no token has", p.where()+", "+claim,
			"every token is refused at present: give the claim to users, or correct its name", zap.String("server", c.Server), zap.String("claim", claim))
	}
}

// anyUserHas tells whether a user has a claim, or one within which it may be.
func (s *Server) anyUserHas(claim string) bool {
	for name := range s.UserClaims {
		if name == claim || strings.HasPrefix(claim, name+".") {
			return true
		}
	}
	return false
}

// writesClaim tells whether what a check takes of the server has a claim that is not the
// user's own.
func (s *Server) writesClaim(c *Check, name string) bool {
	switch name {
	case "sub", "exp", "nbf", "iat", "jti", "cid", "client_id", "username", "sid", "cver", "srv", "sver":
		return true
	case "key_name":
		return c.Keys && s.APIKeys
	case "gty": // of tokens that clients get for themselves
		return c.Clients && s.anyClient(func(c Client) bool { return c.Acts })
	case "iss":
		return s.Issuer != ""
	case "aud":
		return len(s.Audience) > 0 || s.anyClient(func(c Client) bool { return len(c.Audience) > 0 })
	case "scope":
		return len(s.Scopes) > 0 || s.anyClient(func(c Client) bool { return len(c.Scopes) > 0 })
	}
	return false
}

// anyClient tells whether there is, or may be, such a client.
func (s *Server) anyClient(is func(Client) bool) bool {
	for client := range s.Clients {
		if is(client) {
			return true
		}
	}
	return s.MoreClients
}

// scopesOf are the scopes that a client may ask for.
func (s *Server) scopesOf(client Client) []string {
	if client.Scopes != nil {
		return client.Scopes
	}
	return s.Scopes
}

// audienceOf is the audience of the tokens of a client.
func (s *Server) audienceOf(client Client) []string {
	if client.Audience != nil {
		return client.Audience
	}
	return s.Audience
}

// ofAudiences is about tokens that no bearer_auth accepts. An app that verifies tokens
// itself, or asks about them, may want them.
func (w *warnings) ofAudiences(server *Server) {
	asked, checks := make(map[string]bool), 0
	for _, p := range w.placements {
		if !p.takes(server) {
			continue
		}
		checks++
		audience := p.check.Audience
		if audience == nil {
			audience = server.Audience
		}
		if len(audience) == 0 {
			return // it accepts them all
		}
		for _, a := range audience {
			asked[a] = true
		}
	}
	if checks == 0 {
		return
	}
	first := make(map[string]string) // client by audience
	for client := range server.Clients {
		for _, a := range client.Introspect {
			asked[a] = true
		}
		if !client.MayLogIn {
			continue
		}
		for _, a := range server.audienceOf(client) {
			if first[a] == "" {
				first[a] = client.ID
			}
		}
	}
	for _, audience := range slices.Sorted(maps.Keys(first)) {
		if asked[audience] {
			continue
		}
		w.warn("clients have an audience that no bearer_auth asks for", "server "+server.Name+", "+audience,
			"add it to audience in the bearer_auth of its app, or correct it; it is right for an app that verifies tokens itself",
			zap.String("server", server.Name), zap.String("audience", audience), zap.String("client_id", first[audience]))
	}
}

// meantClaims are other servers' names for claims that have another name here.
var meantClaims = map[string]string{
	"id": "sub", "user_id": "sub", "userid": "sub", "uid": "sub", "user": "sub", "subject": "sub",
	"preferred_username": "username", "user_name": "username", "login": "username",
	"issuer": "iss", "key": "key_name", "api_key": "key_name",
	"client": "client_id", "azp": "client_id", "session_id": "sid", "token_id": "jti", "scopes": "scope", "scp": "scope",
}
