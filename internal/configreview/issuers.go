package configreview

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// ofOutsideIssuers is about what a check takes of other authorization servers. An issuer
// without a block is judged where it has one.
func (r *review) ofOutsideIssuers(c *check) {
	if c.Off {
		return
	}
	for i, issuer := range c.Issuers {
		name := directory.Shown(resolved(issuer.Issuer))
		at := func(setting string) position { return r.ofIssuerSetting(c, i, issuer.Issuer, setting) }
		if issuer.IDTokens {
			r.at(at("id_tokens"), "id-tokens", fmt.Sprintf("ID tokens of %s are taken: they say who logged in to a client, not what may be called with them. Only their audience, which is the id of that client, keeps those of its other apps out", name), "")
		}
		if ttl := time.Duration(issuer.MaxLifetime); ttl > usualLifetime {
			r.at(at("max_lifetime"), "long-outside-tokens", fmt.Sprintf("tokens of %s may be valid for %s: nothing revokes them here, so a user who leaves goes on for as long", name, duration(ttl)), "")
		}
		if issuer.UsernamePrefix == nil || !isNone(*issuer.UsernamePrefix) {
			continue
		}
		if len(c.Issuers) > 1 || !c.IssuersOnly {
			r.at(at("username_prefix"), "unprefixed-issuer", fmt.Sprintf("users of %s have no prefix, and this bearer_auth takes the tokens of others too: what is made of {http.auth.user.id} and {http.auth.user.username} can be the name of a user of either", name), "")
		} else {
			r.note(at("username_prefix"), "unprefixed-issuer", fmt.Sprintf("users of %s have no prefix: an app that other users reach too, by another issuer or another way to log in, takes users of the same name for one another", name), "")
		}
	}
}

// ofIssuerSetting is the place of a setting of an issuer.
func (r *review) ofIssuerSetting(c *check, i int, issuer, setting string) position {
	return r.ofCheckSetting(c, "issuers/"+strconv.Itoa(i)+"/"+setting, func(n *node) *node {
		n = n.child("issuer", issuer)
		if child := n.child(setting); child != nil {
			return child
		}
		return n
	})
}

// ofCheckSetting is the place of a setting of a check: its path in JSON, or the line that
// is found in the Caddyfile.
func (r *review) ofCheckSetting(c *check, path string, line func(*node) *node) position {
	if r.lines != nil {
		return r.position(c.path + "/" + path)
	}
	n := line(find(r.tree, func(n *node) bool { return n.is("bearer_auth") && n.String() == c.DefinedAt }))
	if n != nil {
		return n.position
	}
	return r.source.at(c.DefinedAt, c.path)
}

// ofActingClients is about clients that may get tokens for themselves, where every check
// of the server is for users only. Whether apps elsewhere take the tokens is not known.
func (r *review) ofActingClients(e *endpoint) {
	checks := 0
	for _, c := range r.config.checks {
		if c.takes(e) {
			if c.Clients != nil {
				return
			}
			checks++
		}
	}
	if checks == 0 || e.Grants != nil && !slices.Contains(e.Grants, oauth.GrantTypeClientCredentials) {
		return
	}
	for _, c := range r.clients(e) {
		if slices.Contains(c.Grants, oauth.GrantTypeClientCredentials) {
			r.at(c.position, "refused-clients", fmt.Sprintf("client %s may get tokens for itself, and no bearer_auth of server %q lets clients pass: here they are always refused", directory.Shown(c.ID), e.Name),
				"add clients to the bearer_auth of the app that it calls; it is right if only apps elsewhere take its tokens")
			return
		}
	}
}

// usualLifetime is the default of max_lifetime.
const usualLifetime = 24 * time.Hour
