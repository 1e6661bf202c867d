package listenerguard

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

type handler struct{}

func (*handler) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return nil }

func routes(handlers ...caddyhttp.MiddlewareHandler) caddyhttp.RouteList {
	return caddyhttp.RouteList{{Handlers: handlers}}
}

// place puts a guard before a server, and returns how often it saw a request.
func place(t *testing.T, all Guards, server *caddyhttp.Server) *int {
	t.Helper()
	seen := new(int)
	ctx := caddy.Context{Context: context.WithValue(t.Context(), caddyhttp.ServerCtxKey, server)}
	all.Place(ctx, func(*http.Request) { *seen++ })
	return seen
}

func request(t *testing.T, server *caddyhttp.Server) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, server)
}

func TestARequestIsSeenOnce(t *testing.T) {
	all := make(Guards)
	unfinished := []json.RawMessage{nil}
	server := &caddyhttp.Server{
		Routes: caddyhttp.RouteList{{HandlersRaw: unfinished, MatcherSets: caddyhttp.MatcherSets{{&caddyhttp.MatchPath{"/other"}}}}},
		Errors: &caddyhttp.HTTPErrorConfig{Routes: routes(new(handler))},
	}
	seen := place(t, all, server)
	if again := place(t, all, server); *again != 0 || len(server.Routes[0].MatcherSets[0]) != 2 {
		t.Error("a server has two guards")
	}
	r := request(t, server)
	if HasSeen(r) {
		t.Error("a request was seen before it came")
	}
	for _, list := range []caddyhttp.RouteList{server.Routes, server.Errors.Routes} {
		_, _ = list[0].MatcherSets.AnyMatchWithError(r)
	}
	if !HasSeen(r) || *seen != 1 {
		t.Errorf("seen %v, %d times", HasSeen(r), *seen)
	}
	if all.HasGap(server) || all.HasGap(new(caddyhttp.Server)) {
		t.Error("a gap where there is none")
	}
	all.Place(caddy.Context{Context: t.Context()}, nil) // outside of a server
}

// A bearer_auth of a named route is provisioned when the other routes are compiled.
func TestAServerWhoseRoutesAreCompiledMayHaveAGap(t *testing.T) {
	named := &caddyhttp.Route{}
	for name, test := range map[string]struct {
		routes caddyhttp.RouteList
		gap    bool
	}{
		"no routes":                     {nil, false},
		"a matcher":                     {caddyhttp.RouteList{{MatcherSets: caddyhttp.MatcherSets{{&caddyhttp.MatchPath{"/x"}}}}}, false},
		"a subroute":                    {routes(&caddyhttp.Subroute{}), false},
		"a subroute behind vars":        {routes(&caddyhttp.VarsMiddleware{}, &caddyhttp.Subroute{}), false},
		"a named route":                 {routes(&caddyhttp.Invoke{Name: "named"}), false},
		"a named route that is missing": {routes(&caddyhttp.Invoke{Name: "missing"}), true},
		"a handler before":              {routes(new(handler), &caddyhttp.Subroute{}), true},
	} {
		all := make(Guards)
		server := &caddyhttp.Server{Routes: test.routes, NamedRoutes: map[string]*caddyhttp.Route{"named": named}}
		place(t, all, server)
		if all.HasGap(server) != test.gap {
			t.Errorf("%s: a gap is %v", name, !test.gap)
		}
	}
	if len(named.MatcherSets) != 1 {
		t.Error("the named route has no guard")
	}
}
