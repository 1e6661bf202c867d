package configreview

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/browser"
)

// ofServers is about the settings of the authorization servers.
func (r *review) ofServers() {
	for _, e := range r.config.servers() {
		r.ofOwnHashes(e)
		r.ofLifetimes(e)
		r.ofAudience(e)
		r.ofIssuer(e)
		r.ofActingClients(e)
		r.ofCookieDomain(e)
		if e.Throttle.Off {
			r.at(r.setting(e, "throttle"), "throttle-off", "failed logins are not slowed down: passwords can be guessed as fast as they can be checked",
				"remove \"throttle off\"; if a proxy in front does it, make sure that it counts by account too")
		}
	}
	for _, e := range r.config.endpoints {
		if e.AllowHTTP {
			r.at(r.setting(e, "allow_http"), "allow-http", "allow_http: passwords, secrets and tokens cross the network in the clear", "")
		}
	}
}

// ofCookieDomain is about a login page on no site of the domain that its cookie is for.
func (r *review) ofCookieDomain(e *endpoint) {
	if e.LoginPage == nil || e.LoginPage.CookieDomain == "" {
		return
	}
	domain := e.LoginPage.CookieDomain
	sites := []*handler{e.handler}
	for _, c := range r.config.checks {
		if c.takes(e) {
			sites = append(sites, c.handler)
		}
	}
	for _, site := range sites {
		if len(site.hosts) == 0 || slices.ContainsFunc(site.hosts, func(host string) bool {
			return strings.Contains(host+domain, "{") || browser.DomainCovers(domain, strings.TrimPrefix(host, "*."))
		}) {
			return
		}
	}
	r.at(r.setting(e, "login_page", "cookie_domain"), "foreign-cookie-domain",
		fmt.Sprintf("no site with the login page of server %q is in the domain %s: every login is refused", e.Name, domain), "")
}

// ofAudience is about tokens that name no audience: that does little harm as long as one
// app takes them all.
func (r *review) ofAudience(e *endpoint) {
	if e.Issuer != "" || len(e.Audience) > 0 {
		return
	}
	clients := r.clients(e)
	if len(clients) > 0 && !slices.ContainsFunc(clients, func(c listedClient) bool { return len(c.Audience) == 0 }) ||
		len(e.ClientSources) == 0 { // people with browsers only, whose cookie stays here
		return
	}
	sites, unspecific := make(map[string]bool), false
	for _, c := range r.config.checks {
		if c.takes(e) {
			sites[c.site] = true
			unspecific = unspecific || len(c.Audience) == 0 && len(c.Scopes) == 0
		}
	}
	at := r.setting(e)
	const remedy = "write \"issuer https://<this site>\", or \"audience <the app's URL>\""
	switch {
	case len(sites) == 0:
		r.at(at, "no-audience", fmt.Sprintf("tokens of server %q name no audience, and no bearer_auth here checks them: apps that verify them cannot tell whom they are for", e.Name),
			remedy+", and make the app check aud")
	case len(sites) > 1 && unspecific:
		r.at(at, "no-audience", fmt.Sprintf("tokens of server %q name no audience, and %d sites take them: what one app is given opens the others", e.Name, len(sites)),
			"give each client its audience, and each bearer_auth the audience of its app; or name the scopes of each app in its bearer_auth")
	default:
		r.note(at, "no-audience", fmt.Sprintf("tokens of server %q name no audience: an app elsewhere that verifies them cannot tell whom they are for", e.Name), remedy)
	}
}

func (r *review) ofIssuer(e *endpoint) {
	issuer := resolved(e.Issuer)
	if !strings.HasPrefix(strings.ToLower(issuer), "http:") {
		return
	}
	at := r.setting(e, "issuer")
	for _, other := range r.config.endpoints {
		if other.Name != e.Name || len(other.hosts) > 0 && !slices.ContainsFunc(other.hosts, func(host string) bool { return !isLoopback(host) }) {
			continue
		}
		where := "on every host"
		if len(other.hosts) > 0 {
			where = "on " + strings.Join(other.hosts[:min(3, len(other.hosts))], ", ")
		}
		r.at(at, "http-issuer", fmt.Sprintf("the issuer is %s, which is for trying things out, but the server is %s", issuer, where), "")
		return
	}
	r.note(at, "http-issuer", fmt.Sprintf("the issuer is %s, which is for trying things out on this machine", issuer), "")
}

func isLoopback(host string) bool {
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// ofChecks is about each bearer_auth.
func (r *review) ofChecks() {
	var names []string
	for _, e := range r.config.servers() {
		names = append(names, e.Name)
	}
	for _, c := range r.config.checks {
		at := r.source.at(c.DefinedAt, c.path)
		server := r.config.server(c.Server)
		switch {
		case c.Off:
			r.at(at, "check-off", "bearer_auth is off: what is behind it is open to everyone"+onHosts(c.hosts), "nothing, if that is intended: leave it out with --ignore check-off; else remove off")
		case c.IssuersOnly:
			if !r.asksForScopes(c) {
				r.note(at, "no-scopes", "bearer_auth asks for no scope and no claim: every user of its issuers who can get a token for this audience may do all that the app offers"+onHosts(c.hosts),
					"nothing, if that is intended; else name what the app needs with scopes or require")
			}
		case server == nil:
			remedy := "add a token_endpoint to a site"
			if c.Server != defaultServer {
				remedy += fmt.Sprintf(" whose block has \"name %s\"", c.Server)
			}
			if len(names) > 0 {
				remedy += fmt.Sprintf(", or name one that exists: %s", strings.Join(names, ", "))
			}
			r.at(at, "unknown-server", fmt.Sprintf("there is no token_endpoint named %q: \"caddy validate\" accepts this, but Caddy does not start", c.Server), remedy)
		case !r.asksForScopes(c) && r.hasScopes(server):
			r.at(at, "no-scopes", fmt.Sprintf("bearer_auth asks for no scope, so any %s of server %q is enough%s", tokenOf(c), c.Server, onHosts(c.hosts)),
				"name the scopes that the app needs, as in \"scopes "+r.exampleScope(server)+"\"")
		case !r.asksForScopes(c):
			r.note(at, "no-scopes", fmt.Sprintf("bearer_auth asks for no scope, and server %q has none: %s may do all that the app offers%s", c.Server, callersOf(c), onHosts(c.hosts)),
				"nothing, if that is intended; else give token_endpoint scopes, and name those that the app needs in bearer_auth")
		}
	}
}

// tokenOf and callersOf say whom a bearer_auth lets pass: clients that act for themselves
// only where it says so.
func tokenOf(c *check) string {
	if c.Clients == nil {
		return "user's token"
	}
	return "token"
}

func callersOf(c *check) string {
	if c.Clients == nil {
		return "every user"
	}
	return "every user, and every client that acts for itself,"
}

func onHosts(hosts []string) string {
	if len(hosts) == 0 {
		return ""
	}
	return ", on " + strings.Join(hosts[:min(3, len(hosts))], ", ")
}

// asksForScopes tells whether a check asks for scopes or claims, or another of its site
// does: then this one is for all users there, and the other for some paths.
func (r *review) asksForScopes(c *check) bool {
	return slices.ContainsFunc(r.config.checks, func(other *check) bool {
		return !other.Off && other.site == c.site && other.Server == c.Server && len(other.Scopes)+len(other.Require) > 0
	})
}

func (r *review) hasScopes(e *endpoint) bool { return r.exampleScope(e) != "" }

// exampleScope is a scope that tokens of a server may have, or "".
func (r *review) exampleScope(e *endpoint) string {
	lists := [][]string{e.Scopes}
	for _, c := range r.clients(e) {
		lists = append(lists, c.Scopes)
	}
	for _, scopes := range lists {
		if len(scopes) > 0 {
			first, _, _ := strings.Cut(scopes[0], ",") // with a comma it is a list in error
			return first
		}
	}
	return ""
}
