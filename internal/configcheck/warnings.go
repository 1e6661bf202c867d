package configcheck

import (
	"maps"
	"reflect"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// warnings are those of one config.
type warnings struct {
	config     *Config
	logger     *zap.Logger
	servers    map[string]*caddyhttp.Server
	placements []placement
	said       map[string]bool
	counts     map[string]int // of warnings, by message
}

// Warn warns of each thing once: the adapter copies a site to several HTTP servers.
func Warn(logger *zap.Logger, http *caddyhttp.App, config Config) {
	w := &warnings{
		config: &config, logger: logger, servers: http.Servers,
		placements: placements(http, newHandlers(&config)),
		said:       make(map[string]bool), counts: make(map[string]int),
	}
	servers := make(map[string]*Server, len(config.Servers))
	for i := range config.Servers {
		servers[config.Servers[i].Name] = &config.Servers[i]
	}
	for _, p := range w.placements {
		if p.check == nil || p.check.Off {
			continue
		}
		w.ofSettings(p.check, p)
		w.ofMatchers(p.check, p)
		w.ofIssuers(p.check, p)
		w.ofOutsideAudience(p.check, p)
		if server := servers[p.check.Server]; server != nil {
			w.ofKeys(p.check, p, server)
			if p.check.Issuers == 0 { // whose tokens may have any scope and claim
				w.ofScopes(p.check, p, server)
				w.ofClaims(p.check, p, server)
				w.ofRequired(p.check, p, server)
			}
		}
	}
	for i := range config.Servers {
		w.ofAudiences(&config.Servers[i])
		w.ofUntakenKeys(&config.Servers[i])
	}
	w.ofListeners()
	w.ofCaching(servers)
	w.ofEndpoints()
	w.ofUpstreams()
	w.ofErrorRoutes()
	w.ofOpenRoutes()
	w.ofOverwritten()
}

// warn says what is wrong, where, and what to do.
func (w *warnings) warn(message, place, advice string, fields ...zap.Field) {
	key := message + "\x00" + place
	if w.said[key] || w.enough(message) {
		return
	}
	w.said[key] = true
	if w.counts[message]++; w.enough(message) {
		place, fields, advice = "further places", nil, "there are more; they are listed once the places above are corrected"
	}
	w.logger.Warn(message, slices.Concat([]zap.Field{zap.String("place", place)}, fields, []zap.Field{zap.String("advice", advice)})...)
}

// enough tells whether there were so many warnings of one kind that further ones would
// hide the others.
func (w *warnings) enough(message string) bool { return w.counts[message] > manyWarnings }

func (w *warnings) ofSettings(c *Check, p placement) {
	switch {
	case c.Shadow:
		w.warn("bearer_auth refuses nothing", p.where(),
			`shadow is set: remove it once the log no longer has "request would be refused"`)
	case c.Optional:
		w.warn("bearer_auth lets requests without a token pass", p.where(),
			"optional is set: remove it, unless the app is meant for visitors who are not logged in and decides by the identity header itself")
	}
}

func (w *warnings) ofMatchers(c *Check, p placement) {
	const nothing = "bearer_auth checks nothing"
	if p.dead != "" {
		w.warn(nothing, p.where(), "the matchers of a route around it match no request: correct or remove them", zap.String("route", p.dead))
		return
	}
	for i, set := range c.Matchers {
		switch {
		case !neverMatches(set):
		case neverMatch(c.Matchers):
			w.warn(nothing, p.where(), "its matcher matches no request: correct it, or remove it to check all requests")
			return
		default:
			w.warn("a matcher of bearer_auth matches no request", p.where(), "correct it, or remove it", zap.Int("match", i))
		}
	}
}

// ofListeners is about settings of HTTP servers that have one of our handlers.
func (w *warnings) ofListeners() {
	for _, name := range slices.Sorted(maps.Keys(w.servers)) {
		server := w.servers[name]
		if w.config.ListenerHasGap(server) {
			w.warn("identity headers are removed only from requests that reach a bearer_auth", "http/servers/"+name,
				"the bearer_auth of this listener is in a named route, and another handler may answer before it: put a bearer_auth into each site that proxies", zap.Strings("listen", server.Listen))
		}
		if server.TrustedProxiesStrict == 0 && hasTrustedProxies(server) && w.hasOurs(name) {
			w.warn("trusted_proxies is set without trusted_proxies_strict", "http/servers/"+name,
				"a client can choose its own address, at the left of X-Forwarded-For, and gets new attempts at each password with each address: add trusted_proxies_strict",
				zap.Strings("listen", server.Listen))
		}
	}
}

// hasOurs tells whether an HTTP server has a handler of this module.
func (w *warnings) hasOurs(server string) bool {
	return slices.ContainsFunc(w.placements, func(p placement) bool {
		return p.server == server && (p.check != nil || p.endpoint != nil)
	})
}

// hasTrustedProxies tells whether a server has the option trusted_proxies. Once it is
// provisioned, only an unexported field has it; if Caddy has no field of that name,
// there is no warning.
func hasTrustedProxies(server *caddyhttp.Server) bool {
	if server.TrustedProxiesUnix {
		return true
	}
	field := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return field.IsValid() && field.Kind() == reflect.Interface && !field.IsNil()
}

// manyWarnings is how many of one kind are listed.
const manyWarnings = 10
