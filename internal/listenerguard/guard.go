// Package listenerguard lets a function see each request of a Caddy HTTP server once,
// before all routes of the server.
package listenerguard

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// Guards are the guards of the HTTP servers of one config. The value is false where
// something may answer before the guard.
type Guards map[*caddyhttp.Server]bool

// Place puts a guard before the routes of the server that is being provisioned, unless
// it has one: see is then called with each request. A handler without a server, as in a
// test, has nothing to guard.
func (all Guards) Place(ctx caddy.Context, see func(*http.Request)) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server == nil {
		return
	}
	if _, done := all[server]; done {
		return
	}
	g := &Guard{see}
	// Caddy provisions and compiles the routes, then those for errors, then the named
	// ones. The calling handler is in one of these, and its raw form is there until it
	// is done.
	if unfinished(server.Routes) {
		g.standBefore(server.Routes)
		if server.Errors != nil {
			server.Errors.Routes = slices.Insert(slices.Clone(server.Errors.Routes), 0, g.route())
		}
		all[server] = true
		return
	}
	guarded := g.standIn(server, server.Routes)
	if server.Errors != nil {
		if unfinished(server.Errors.Routes) {
			g.standBefore(server.Errors.Routes)
		} else {
			guarded = g.standIn(server, server.Errors.Routes) && guarded
		}
	}
	all[server] = guarded
}

// HasGap tells whether a server has a guard that some requests do not reach.
func (all Guards) HasGap(server *caddyhttp.Server) bool {
	guarded, ok := all[server]
	return ok && !guarded
}

// Guard is a matcher that always matches, the first of a server's first route: a
// route's matchers are exported, and routes are compiled after their handlers were
// provisioned, which is when it gets there.
type Guard struct{ see func(*http.Request) }

// MatchWithError always matches.
func (g *Guard) MatchWithError(r *http.Request) (bool, error) {
	// An error is handled by the same server, in its own chain of routes. What a
	// handler has set until then stays.
	if !HasSeen(r) {
		caddyhttp.SetVar(r.Context(), seenVar, true)
		g.see(r)
	}
	return true, nil
}

// HasSeen tells whether a request has reached the guard of its server.
func HasSeen(r *http.Request) bool { return caddyhttp.GetVar(r.Context(), seenVar) != nil }

// unfinished tells whether a handler of the routes is not provisioned yet.
func unfinished(routes caddyhttp.RouteList) bool {
	return slices.ContainsFunc(routes, func(route caddyhttp.Route) bool { return len(route.HandlersRaw) > 0 })
}

// route is a route that every request passes through.
func (g *Guard) route() caddyhttp.Route {
	return caddyhttp.Route{MatcherSets: caddyhttp.MatcherSets{{g}}}
}

// standBefore is for routes that are not compiled yet, and whose matchers are
// provisioned. The first route must be changed in place: its list is being iterated
// over.
func (g *Guard) standBefore(routes caddyhttp.RouteList) {
	routes[0].MatcherSets = g.first(routes[0].MatcherSets)
}

// first returns the same sets, with the guard before the first matcher to be asked.
func (g *Guard) first(sets caddyhttp.MatcherSets) caddyhttp.MatcherSets {
	if len(sets) == 0 {
		return caddyhttp.MatcherSets{{g}}
	}
	sets = slices.Clone(sets)
	sets[0] = slices.Insert(slices.Clone(sets[0]), 0, any(g))
	return sets
}

// standIn is for routes that are compiled: a bearer_auth that is only in named routes
// is provisioned after them. Compiled routes share the array of matcher sets with the
// route, and look at subroutes and named routes when a request comes. It returns false
// where a handler comes before all of these.
func (g *Guard) standIn(server *caddyhttp.Server, routes caddyhttp.RouteList) bool {
	for _, route := range routes {
		if len(route.MatcherSets) > 0 {
			route.MatcherSets[0] = slices.Insert(slices.Clone(route.MatcherSets[0]), 0, any(g))
			return true
		}
		for _, handler := range route.Handlers {
			switch handler := handler.(type) {
			case *caddyhttp.Subroute:
				handler.Routes = slices.Insert(slices.Clone(handler.Routes), 0, g.route())
				return true
			case *caddyhttp.Invoke:
				named := server.NamedRoutes[handler.Name]
				if named == nil || named.MatcherSetsRaw != nil {
					return false
				}
				named.MatcherSets = g.first(named.MatcherSets)
				return true
			case caddyhttp.VarsMiddleware, *caddyhttp.VarsMiddleware, *rewrite.Rewrite:
				// these pass every request on
			case *headers.Handler:
				if handler.Request != nil {
					return false
				}
			default:
				return false
			}
		}
		if route.Terminal {
			return true
		}
	}
	return true
}

const seenVar = "caddy_grant.listener"

// Interface guard
var _ caddyhttp.RequestMatcherWithError = (*Guard)(nil)
