package caddygrant

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// configWarnings says what a config leaves open, or closes, though its operator hardly
// means it. That takes the whole config, so it is done once all is provisioned: at a
// start, a reload and `caddy validate`.
type configWarnings struct {
	app        *App
	logger     *zap.Logger
	servers    map[string]*caddyhttp.Server
	placements []placement
	said       map[string]bool
	counts     map[string]int // of warnings, by message
}

// warn warns once of each thing: the adapter copies a site to several HTTP servers.
func (a *App) warn() {
	app, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return
	}
	http, ok := app.(*caddyhttp.App)
	if !ok || len(a.guarded)+len(a.endpoints) == 0 {
		return
	}
	w := &configWarnings{app: a, logger: a.logger, servers: http.Servers, placements: placements(http), said: make(map[string]bool), counts: make(map[string]int)}
	for _, p := range w.placements {
		if b, ok := p.handler.(*BearerAuth); ok && !b.Off {
			w.ofSettings(b, p)
			w.ofMatchers(b, p)
			if server := a.servers[b.Server]; server != nil {
				w.ofScopes(b, p, server)
				w.ofClaims(b, p, server)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.servers)) {
		w.ofAudiences(name, a.servers[name])
	}
	w.ofListeners()
	w.ofEndpoints()
	w.ofUpstreams()
	w.ofErrorRoutes()
}

// warn says what is wrong, where, and what to do.
func (w *configWarnings) warn(message, place, advice string, fields ...zap.Field) {
	key := message + "\x00" + place
	if w.said[key] || w.enough(message) {
		return
	}
	w.said[key] = true
	if w.counts[message]++; w.enough(message) {
		place, fields, advice = "further places", nil, "there are more of these, which are listed when those before are gone"
	}
	w.logger.Warn(message, slices.Concat([]zap.Field{zap.String("place", place)}, fields, []zap.Field{zap.String("advice", advice)})...)
}

// enough tells whether there were so many warnings of one kind that further ones would hide the others.
func (w *configWarnings) enough(message string) bool { return w.counts[message] > manyWarnings }

// where is a place that an operator finds: the line of the Caddyfile, or the path in the config.
func (p placement) where() string {
	switch handler := p.handler.(type) {
	case *BearerAuth:
		return cmp.Or(handler.DefinedAt, p.place)
	case *Handler:
		return cmp.Or(handler.DefinedAt, p.place)
	}
	return p.place
}

func (w *configWarnings) ofSettings(b *BearerAuth, p placement) {
	switch {
	case b.Shadow:
		w.warn("bearer_auth refuses nothing", p.where(),
			`shadow is set: take it out when the log has no more "request would be refused"`)
	case b.Optional:
		w.warn("bearer_auth lets requests without a token pass", p.where(),
			"optional is set: take it out, unless the app is meant for visitors who are not logged in and decides by the identity header itself")
	}
}

func (w *configWarnings) ofMatchers(b *BearerAuth, p placement) {
	const nothing = "bearer_auth checks nothing"
	if p.dead != "" {
		w.warn(nothing, p.where(), "the matchers of a route around it match no request: correct them, or take them out", zap.String("route", p.dead))
		return
	}
	for i, set := range b.matchers {
		switch {
		case !neverMatches(set):
		case neverMatch(b.matchers):
			w.warn(nothing, p.where(), "its matcher matches no request: correct it, or take it out to check all requests")
			return
		default:
			w.warn("a matcher of bearer_auth matches no request", p.where(), "correct it, or take it out", zap.Int("match", i))
		}
	}
}

// ofScopes is about scopes that a bearer_auth wants and no client could ask for.
func (w *configWarnings) ofScopes(b *BearerAuth, p placement, server *Server) {
	if len(b.Scopes) == 0 || !server.clients.AllKnown() {
		return
	}
	clients := 0
	for client := range server.clients.Known() {
		if !server.mayLogIn(client) {
			continue
		}
		clients++
		if len(oauth.Intersect(b.Scopes, server.allowedScopes(client))) == len(b.Scopes) {
			return
		}
	}
	if clients == 0 {
		return // nobody can log in at all
	}
	w.warn("no client may ask for the scopes that bearer_auth wants", p.where(),
		"every token is refused as things are now: add them to the scopes of a client or of the server, or correct them here",
		zap.String("server", b.Server), zap.Strings("scopes", b.Scopes))
}

// mayLogIn tells whether the client can get a first token.
func (s *Server) mayLogIn(client *directory.Client) bool {
	return s.grants[oauth.GrantTypePassword] != nil && client.MayUse(oauth.GrantTypePassword)
}

// ofClaims is about claims that no token has, so that the app never gets the header.
func (w *configWarnings) ofClaims(b *BearerAuth, p placement, server *Server) {
	if !server.users.AllKnown() {
		return
	}
	wanted := make(map[string]CopyClaim)
	for _, c := range b.CopyClaims {
		if !server.writesClaim(c.Claim) {
			wanted[c.Claim] = c
		}
	}
	similar := make(map[string]string)
	for user := range server.users.Known() {
		if len(wanted) == 0 {
			return
		}
		for name := range user.Claims {
			delete(wanted, name)
			for claim := range wanted {
				if strings.EqualFold(claim, name) {
					similar[claim] = name
				}
			}
		}
	}
	for _, claim := range slices.Sorted(maps.Keys(wanted)) {
		advice := "no user has it now: give it to users, or correct its name"
		if name := cmp.Or(meantClaims[strings.ToLower(claim)], similar[claim]); name != "" && name != claim {
			advice = "write " + name + " in its place, if that is meant"
		} else if directory.IsReservedClaim(claim) {
			advice = "users cannot have it: take it out, or correct its name"
		}
		w.warn("copy_claims names a claim that no token has", p.where()+", "+claim,
			advice, zap.String("server", b.Server), zap.String("claim", claim), zap.String("header", wanted[claim].Header))
	}
}

// writesClaim tells whether tokens of the server have a claim that is not the user's own.
func (s *Server) writesClaim(name string) bool {
	switch name {
	case "sub", "exp", "nbf", "iat", "jti", "cid", "client_id", "username", "sid", "cver":
		return true
	case "iss":
		return s.Issuer != ""
	case "aud":
		return len(s.Audience) > 0 || s.anyClient(func(c *directory.Client) bool { return len(c.Audience) > 0 })
	case "scope":
		return len(s.Scopes) > 0 || s.anyClient(func(c *directory.Client) bool { return len(c.Scopes) > 0 })
	}
	return false
}

// anyClient tells whether there is such a client, or may be.
func (s *Server) anyClient(is func(*directory.Client) bool) bool {
	for client := range s.clients.Known() {
		if is(client) {
			return true
		}
	}
	return !s.clients.AllKnown()
}

// ofAudiences is about tokens for which no bearer_auth is. An app that verifies tokens
// itself, or asks about them, may want them.
func (w *configWarnings) ofAudiences(name string, server *Server) {
	asked, checks := make(map[string]bool), 0
	for _, p := range w.placements {
		b, ok := p.handler.(*BearerAuth)
		if !ok || b.Off || b.Server != name {
			continue
		}
		checks++
		audience := b.Audience
		if audience == nil {
			audience = server.Audience
		}
		if len(audience) == 0 {
			return // it takes them all
		}
		for _, a := range audience {
			asked[a] = true
		}
	}
	if checks == 0 {
		return
	}
	first := make(map[string]string) // client by audience
	for client := range server.clients.Known() {
		for _, a := range client.Introspect {
			asked[a] = true
		}
		audience := client.Audience
		if audience == nil {
			audience = server.Audience
		}
		for _, a := range audience {
			if first[a] == "" && server.mayLogIn(client) {
				first[a] = client.ID
			}
		}
	}
	for _, audience := range slices.DeleteFunc(slices.Sorted(maps.Keys(first)), func(a string) bool { return asked[a] }) {
		w.warn("clients have an audience that no bearer_auth asks for", "server "+name+", "+audience,
			"write it in audience of the bearer_auth of its app, or correct it; it is right for an app that verifies tokens itself",
			zap.String("server", name), zap.String("audience", audience), zap.String("client_id", first[audience]))
	}
}

// ofListeners is about settings of HTTP servers that have one of our handlers.
func (w *configWarnings) ofListeners() {
	for _, name := range slices.Sorted(maps.Keys(w.servers)) {
		server := w.servers[name]
		if guarded, ok := w.app.guarded[server]; ok && !guarded && len(w.app.identityHeaders) > 0 {
			w.warn("identity headers are removed only where a bearer_auth stands", "http/servers/"+name,
				"the bearer_auth of this listener is in a named route, and something answers before: put a bearer_auth into each site that proxies", zap.Strings("listen", server.Listen))
		}
		if server.TrustedProxiesStrict == 0 && hasTrustedProxies(server) && slices.ContainsFunc(w.placements, func(p placement) bool {
			return p.server == name && isOurs(p.handler)
		}) {
			w.warn("trusted_proxies is set without trusted_proxies_strict", "http/servers/"+name,
				"a client chooses its address itself, in the left of X-Forwarded-For, and has new attempts at each password with each one: add trusted_proxies_strict",
				zap.Strings("listen", server.Listen))
		}
	}
}

func isOurs(handler caddyhttp.MiddlewareHandler) bool {
	switch handler.(type) {
	case *BearerAuth, *Handler:
		return true
	}
	return false
}

// hasTrustedProxies tells whether a server has what its option trusted_proxies says. Once
// it is provisioned, only an unexported field has it; where Caddy has none of that name,
// nothing is warned of.
func hasTrustedProxies(server *caddyhttp.Server) bool {
	if server.TrustedProxiesUnix {
		return true
	}
	field := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return field.IsValid() && field.Kind() == reflect.Interface && !field.IsNil()
}

// meantClaims are names that other servers have for what is here under another one.
var meantClaims = map[string]string{
	"id": "sub", "user_id": "sub", "userid": "sub", "uid": "sub", "user": "sub", "subject": "sub",
	"preferred_username": "username", "user_name": "username", "login": "username",
	"client": "client_id", "azp": "client_id", "session_id": "sid", "token_id": "jti", "scopes": "scope", "scp": "scope",
}

// manyWarnings is how many of one kind are listed.
const manyWarnings = 10
