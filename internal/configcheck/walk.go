package configcheck

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"

	"github.com/caddygrant/caddy-grant/internal/listenerguard"
)

// placement is one way in which a request gets to a handler: through which routes, and
// what it has passed by then. A named route has as many placements as invocations.
type placement struct {
	handler  caddyhttp.MiddlewareHandler
	check    *Check    // where the handler is a bearer_auth
	endpoint *Endpoint // where it is a token_endpoint
	server   string    // the name of the HTTP server
	place    string    // its path in the config
	hosts    []string  // that the routes match; nil for all
	errors   []int     // the refusalStatuses with which it gets to an error route
	inErrors bool
	dead     string // the path of a route on the way that matches nothing

	passed
}

// takes tells whether the handler is a bearer_auth that takes what a server issues.
func (p placement) takes(server *Server) bool {
	return p.check != nil && !p.check.Off && !p.check.IssuersOnly && p.check.Server == server.Name
}

// passed is what a request has passed before a handler.
type passed struct {
	checks    []*Check // of all requests, or of some
	always    []*Check // of all requests
	checked   bool     // each request has passed a check, or another handler that authenticates
	elsewhere bool     // another handler authenticates all requests, or some
	root      string   // of files, as the handler vars sets it
	fixed     bool     // its path was replaced by one that does not depend on the request
	caching   string   // the place of a header directive by which caches may keep each answer
}

// with adds what was passed in a route next to this one.
func (p passed) with(other passed) passed {
	for _, check := range other.checks {
		if !slices.Contains(p.checks, check) {
			p.checks = append(slices.Clip(p.checks), check)
		}
	}
	p.elsewhere = p.elsewhere || other.elsewhere
	p.checked = p.checked || other.checked
	p.root = other.root
	p.fixed = other.fixed
	p.caching = cmp.Or(p.caching, other.caching)
	return p
}

// ofSome is for what only some requests have passed: other requests have passed what
// was before.
func (p passed) ofSome(before passed) passed {
	p.fixed, p.root, p.always, p.checked = before.fixed, before.root, before.always, before.checked
	return p
}

// walk goes through all routes of an HTTP server as a request may, once they are
// provisioned.
type walk struct {
	ours       *handlers
	server     *caddyhttp.Server
	placements []placement
	invoked    []string // named routes that the walk is in
}

// placements finds every handler of the HTTP app, in the order of the config.
func placements(app *caddyhttp.App, ours *handlers) []placement {
	var all []placement
	for _, name := range slices.Sorted(maps.Keys(app.Servers)) {
		w := &walk{ours: ours, server: app.Servers[name]}
		at := placement{server: name, place: "http/servers/" + name}
		w.routes(w.server.Routes, at.below("routes"))
		if w.server.Errors != nil {
			w.routes(w.server.Errors.Routes, at.below("errors/routes").afterError())
		}
		all = append(all, w.placements...)
	}
	return all
}

func (p placement) below(path string) placement {
	p.place += "/" + path
	return p
}

// afterError is where a request goes that a handler refused.
func (p placement) afterError() placement {
	p.inErrors, p.errors = true, slices.Clone(refusalStatuses)
	return p
}

// routes goes through a list, and returns what a request may have passed after it. A
// request passes only one route of a group, and none after a terminal route.
func (w *walk) routes(routes caddyhttp.RouteList, at placement) passed {
	groups := make(map[string]passed)
	unchecked := make(map[string]bool) // groups of which a route has no check
	behind := at.passed
	inserted := 0 // routes that the config does not have
	for i := range routes {
		route := &routes[i]
		if isGuard(route) {
			inserted++
			continue
		}
		here := at.below(fmt.Sprint(i - inserted))
		here.passed = behind
		for group, other := range groups {
			if group != route.Group {
				here.passed = here.passed.with(other)
			}
		}
		here.match(route.MatcherSets)
		out := w.handlers(route.Handlers, here.below("handle"))
		unchecked[route.Group] = unchecked[route.Group] || !out.checked
		some := len(route.MatcherSets) > 0 && !alwaysMatches(route.MatcherSets)
		if some {
			out = out.ofSome(behind)
		}
		switch {
		case route.Terminal:
		case route.Group != "":
			out.checked = !some && !unchecked[route.Group]
			groups[route.Group] = groups[route.Group].with(out)
		default:
			behind = behind.with(out)
			behind.always = out.always
		}
	}
	for _, other := range groups {
		fixed, root := behind.fixed, behind.root
		behind = behind.with(other)
		behind.fixed, behind.root = fixed, root
	}
	return behind
}

// isGuard tells whether a route is that of a listener guard, which only looks on.
func isGuard(route *caddyhttp.Route) bool {
	if len(route.Handlers) > 0 || len(route.MatcherSets) != 1 || len(route.MatcherSets[0]) != 1 {
		return false
	}
	_, is := route.MatcherSets[0][0].(*listenerguard.Guard)
	return is
}

// match notes what the matchers of a route say about the requests that get further.
func (p *placement) match(sets caddyhttp.MatcherSets) {
	if p.dead == "" && neverMatch(sets) {
		p.dead = p.place
	}
	if hosts := hostsOf(sets); hosts != nil {
		p.hosts = hosts
	}
	if p.inErrors && len(sets) > 0 {
		p.errors = statusesThatMatch(sets, p.errors)
	}
}

// hostsOf are the hosts of matchers, nil where one of the sets matches all hosts.
func hostsOf(sets caddyhttp.MatcherSets) []string {
	var hosts []string
	for _, set := range sets {
		i := slices.IndexFunc(set, func(m any) bool { _, ok := m.(*caddyhttp.MatchHost); return ok })
		if i < 0 {
			return nil
		}
		hosts = append(hosts, *set[i].(*caddyhttp.MatchHost)...)
	}
	return hosts
}

// handlers goes through the handlers of one route.
func (w *walk) handlers(handlers []caddyhttp.MiddlewareHandler, at placement) passed {
	for i, handler := range handlers {
		here := at.below(fmt.Sprint(i))
		here.handler = handler
		here.check, here.endpoint = w.ours.find(handler)
		w.placements = append(w.placements, here)
		if here.check != nil {
			at.checks = append(slices.Clip(at.checks), here.check)
			at.always = append(slices.Clip(at.always), here.check)
			at.checked = true
			continue
		}
		switch handler := handler.(type) {
		case *caddyauth.Authentication:
			at.elsewhere, at.checked = true, true
		case *caddyhttp.VarsMiddleware:
			if root, ok := (*handler)["root"].(string); ok {
				at.root = root
			}
		case *headers.Handler:
			if letsCachesKeep(handler) {
				at.caching = here.place
			}
		case *rewrite.Rewrite:
			at.fixed = at.fixed || isFixedPage(handler.URI)
		case *caddyhttp.Subroute:
			at.passed = w.routes(handler.Routes, here.below("routes"))
			if handler.Errors != nil {
				w.routes(handler.Errors.Routes, here.below("errors/routes").afterError())
			}
		case *caddyhttp.Invoke:
			at.passed = w.invoke(handler.Name, here)
		case *reverseproxy.Handler:
			if asksElsewhere(handler) {
				at.elsewhere, at.checked = true, true
			}
			w.responses(handler.HandleResponse, here)
		case *intercept.Intercept:
			w.responses(handler.HandleResponse, here)
		}
		at.checked = at.checked || answersAll(handler)
	}
	return at.passed
}

func (w *walk) invoke(name string, at placement) passed {
	route := w.server.NamedRoutes[name]
	if route == nil || slices.Contains(w.invoked, name) || len(w.placements) > manyPlacements {
		return at.passed
	}
	w.invoked = append(w.invoked, name)
	defer func() { w.invoked = w.invoked[:len(w.invoked)-1] }()
	at.place = "http/servers/" + at.server + "/named_routes/" + name
	at.match(route.MatcherSets)
	out := w.handlers(route.Handlers, at.below("handle"))
	if len(route.MatcherSets) > 0 && !alwaysMatches(route.MatcherSets) {
		out = out.ofSome(at.passed)
	}
	return out
}

func (w *walk) responses(responses []caddyhttp.ResponseHandler, at placement) {
	for i, response := range responses {
		w.routes(response.Routes, at.below(fmt.Sprintf("handle_response/%d/routes", i)))
	}
}

// asksElsewhere tells a forward_auth from a proxy: a forward_auth asks a service about
// the request, in another request, and continues according to the answer.
func asksElsewhere(h *reverseproxy.Handler) bool {
	return h.Rewrite != nil && h.Rewrite.Method != "" && h.Rewrite.URI != "" &&
		len(h.HandleResponse) > 0
}

// answersAll tells whether no request gets past a handler, so that none gets past it
// unchecked.
func answersAll(handler caddyhttp.MiddlewareHandler) bool {
	switch handler := handler.(type) {
	case *caddyhttp.StaticResponse, caddyhttp.StaticResponse, *caddyhttp.StaticError, caddyhttp.StaticError:
		return true
	case *fileserver.FileServer:
		return !handler.PassThru
	case *reverseproxy.Handler:
		return !asksElsewhere(handler)
	}
	return false
}

// isFixedPage tells whether a rewrite leads to a page that does not depend on the
// requested path, such as one named after a status.
func isFixedPage(uri string) bool {
	path, _, _ := strings.Cut(uri, "?")
	return strings.HasPrefix(path, "/") && strings.Count(path, "{") == strings.Count(path, "{http.error.status")
}

// where is a place that an operator can find: the line of the Caddyfile, or the path in
// the config.
func (p placement) where() string {
	switch {
	case p.check != nil:
		return cmp.Or(p.check.DefinedAt, p.place)
	case p.endpoint != nil:
		return cmp.Or(p.endpoint.DefinedAt, p.place)
	}
	return p.place
}

// site tells where the handler is, for a message.
func (p placement) site() string {
	if p.hosts == nil {
		return "every host"
	}
	shown := p.hosts[:min(3, len(p.hosts))]
	return strings.Join(shown, " ")
}

// sharesHosts tells whether a request may get to both.
func (p placement) sharesHosts(other placement) bool {
	if p.server != other.server {
		return false
	}
	if p.hosts == nil || other.hosts == nil {
		return true
	}
	return slices.ContainsFunc(p.hosts, func(a string) bool {
		return slices.ContainsFunc(other.hosts, func(b string) bool { return hostCovers(a, b) || hostCovers(b, a) })
	})
}

// hostCovers tells whether a host of a matcher, in which * stands for one label, also
// covers another host.
func hostCovers(pattern, host string) bool {
	if strings.EqualFold(pattern, host) || strings.Contains(pattern, "{") {
		return true
	}
	if !strings.Contains(pattern, "*") {
		return false
	}
	want, have := strings.Split(pattern, "."), strings.Split(host, ".")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if want[i] != "*" && !strings.EqualFold(want[i], have[i]) {
			return false
		}
	}
	return true
}

// manyPlacements is more than a config has, unless named routes invoke each other over
// and over.
const manyPlacements = 1_000_000
