package caddygrant

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"

	"github.com/caddygrant/caddy-grant/internal/bearer"
)

// listenerGuard stands before everything that an HTTP server of Caddy routes, where the
// server has a bearer_auth: it removes the identity headers that a client sent and makes
// {http.auth.user.*} empty, on sites and routes without a bearer_auth too. It is a matcher
// that always matches, the first of the server's first route: a route's matchers are
// exported, and routes are compiled after their handlers were provisioned, which is when
// it gets there.
type listenerGuard struct{ app *App }

// Match is MatchWithError.
func (g *listenerGuard) Match(r *http.Request) bool {
	// An error is handled by the same server, in a chain of routes of its own. What a
	// handler has set until then stays.
	if caddyhttp.GetVar(r.Context(), listenerGuardVar) != nil {
		return true
	}
	caddyhttp.SetVar(r.Context(), listenerGuardVar, true)
	if len(g.app.identityHeaders) > 0 {
		bearer.RemoveIdentityHeaders(r, g.app.identityHeaders)
		bearer.RemoveH2C(r)
	}
	mapUserPlaceholders(r)
	return true
}

// MatchWithError always matches.
func (g *listenerGuard) MatchWithError(r *http.Request) (bool, error) { return g.Match(r), nil }

// guard puts a listenerGuard before the routes of the server that is being provisioned. A
// handler without one, in a test, has none to guard.
func (a *App) guard(ctx caddy.Context) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server == nil {
		return
	}
	if _, done := a.guarded[server]; done {
		return
	}
	g := &listenerGuard{a}
	// Caddy provisions and compiles the routes, then those for errors, then the named ones.
	// The handler that calls is in one of these, and its raw form is there until it is done.
	if unfinished(server.Routes) {
		g.standBefore(server.Routes)
		if server.Errors != nil {
			server.Errors.Routes = slices.Insert(slices.Clone(server.Errors.Routes), 0, g.route())
		}
		a.guarded[server] = true
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
	a.guarded[server] = guarded
}

// unfinished tells whether a handler of the routes is not provisioned yet.
func unfinished(routes caddyhttp.RouteList) bool {
	return slices.ContainsFunc(routes, func(route caddyhttp.Route) bool { return len(route.HandlersRaw) > 0 })
}

// route is one that every request passes through.
func (g *listenerGuard) route() caddyhttp.Route {
	return caddyhttp.Route{MatcherSets: caddyhttp.MatcherSets{{g}}}
}

// standBefore is for routes that are not compiled yet, and whose matchers are provisioned.
// The first route must be changed in place: its list is being gone through.
func (g *listenerGuard) standBefore(routes caddyhttp.RouteList) {
	routes[0].MatcherSets = g.first(routes[0].MatcherSets)
}

// first is the same sets, of which the first one to be asked asks the guard first.
func (g *listenerGuard) first(sets caddyhttp.MatcherSets) caddyhttp.MatcherSets {
	if len(sets) == 0 {
		return caddyhttp.MatcherSets{{g}}
	}
	sets = slices.Clone(sets)
	sets[0] = slices.Insert(slices.Clone(sets[0]), 0, any(g))
	return sets
}

// standIn is for routes that are compiled: a bearer_auth that only named routes have is
// provisioned after them. What is compiled shares the array of its matcher sets with the
// route, and looks at subroutes and named routes when a request comes. It returns false
// where a handler comes before all of these.
func (g *listenerGuard) standIn(server *caddyhttp.Server, routes caddyhttp.RouteList) bool {
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
			case caddyhttp.VarsMiddleware, *caddyhttp.VarsMiddleware, *rewrite.Rewrite: // these pass every request on
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

const listenerGuardVar = "caddy_grant.listener"

// Interface guard
var _ caddyhttp.RequestMatcherWithError = (*listenerGuard)(nil)
