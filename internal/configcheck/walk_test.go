package configcheck

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// handler is a bearer_auth, a token_endpoint or an app, by its name.
type handler struct{ name string }

func (*handler) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return nil }

func route(of ...caddyhttp.MiddlewareHandler) caddyhttp.Route { return caddyhttp.Route{Handlers: of} }

func matched(matcher any, of ...caddyhttp.MiddlewareHandler) caddyhttp.Route {
	return caddyhttp.Route{MatcherSets: caddyhttp.MatcherSets{{matcher}}, Handlers: of}
}

func subroute(routes ...caddyhttp.Route) *caddyhttp.Subroute {
	return &caddyhttp.Subroute{Routes: routes}
}

// app is an HTTP app with one server.
func app(routes ...caddyhttp.Route) *caddyhttp.App {
	return &caddyhttp.App{Servers: map[string]*caddyhttp.Server{"srv0": {Routes: routes}}}
}

// What a request has passed when it comes to the app, which is the last handler of all.
func TestWhatARequestHasPassed(t *testing.T) {
	bearer, last := &handler{"bearer_auth"}, &handler{"app"}
	some, all := &caddyhttp.MatchPath{"/some/*"}, &caddyhttp.MatchPath{"*"}
	inGroup := func(r caddyhttp.Route) caddyhttp.Route { r.Group = "group"; return r }
	terminal := func(r caddyhttp.Route) caddyhttp.Route { r.Terminal = true; return r }
	for name, test := range map[string]struct {
		routes                  []caddyhttp.Route
		checks, always, checked bool
	}{
		"nothing":                 {[]caddyhttp.Route{route(last)}, false, false, false},
		"a check before it":       {[]caddyhttp.Route{route(bearer, last)}, true, true, true},
		"a route before":          {[]caddyhttp.Route{route(bearer), route(last)}, true, true, true},
		"a route for all":         {[]caddyhttp.Route{matched(all, bearer), route(last)}, true, true, true},
		"a route for some":        {[]caddyhttp.Route{matched(some, bearer), route(last)}, true, false, false},
		"a terminal route":        {[]caddyhttp.Route{terminal(matched(some, bearer)), route(last)}, false, false, false},
		"a subroute":              {[]caddyhttp.Route{route(subroute(route(bearer)), last)}, true, true, true},
		"a subroute for some":     {[]caddyhttp.Route{route(subroute(matched(some, bearer)), last)}, true, false, false},
		"another of its group":    {[]caddyhttp.Route{inGroup(matched(some, bearer)), inGroup(route(last))}, false, false, false},
		"a group before":          {[]caddyhttp.Route{inGroup(matched(some, bearer)), inGroup(route(bearer)), route(last)}, true, false, true},
		"half a group before":     {[]caddyhttp.Route{inGroup(matched(some)), inGroup(route(bearer)), route(last)}, true, false, false},
		"what answers all":        {[]caddyhttp.Route{route(caddyhttp.StaticResponse{Headers: http.Header{"Location": {"/"}}}), route(last)}, false, false, true},
		"a named route":           {[]caddyhttp.Route{route(&caddyhttp.Invoke{Name: "named"}, last)}, true, true, true},
		"one that is not there":   {[]caddyhttp.Route{route(&caddyhttp.Invoke{Name: "missing"}, last)}, false, false, false},
		"one that invokes itself": {[]caddyhttp.Route{route(&caddyhttp.Invoke{Name: "circle"}, last)}, false, false, false},
	} {
		http := app(test.routes...)
		named, circle := route(bearer), route(&caddyhttp.Invoke{Name: "circle"})
		http.Servers["srv0"].NamedRoutes = map[string]*caddyhttp.Route{"named": &named, "circle": &circle}
		found := placements(http, newHandlers(&Config{Checks: []Check{{Handler: bearer}}}))
		p := found[len(found)-1]
		if p.handler != last {
			t.Fatalf("%s: the last handler is %v", name, p.handler)
		}
		if len(p.checks) > 0 != test.checks || len(p.always) > 0 != test.always || p.checked != test.checked {
			t.Errorf("%s: checks %d, always %d, checked %v", name, len(p.checks), len(p.always), p.checked)
		}
	}
}

func TestAPlaceIsThePathInTheConfig(t *testing.T) {
	bearer, endpoint := &handler{"bearer_auth"}, &handler{"token_endpoint"}
	dead := &caddyhttp.MatchPath{"no/slash"}
	http := app(matched(&caddyhttp.MatchHost{"a.example"}, subroute(matched(dead, bearer, &handler{"app"})), endpoint))
	http.Servers["srv0"].Errors = &caddyhttp.HTTPErrorConfig{Routes: caddyhttp.RouteList{route(&rewrite.Rewrite{URI: "/{http.error.status_code}.html"}, &reverseproxy.Handler{})}}
	config := Config{
		Checks:    []Check{{Handler: bearer, DefinedAt: "Caddyfile:3"}},
		Endpoints: []Endpoint{{Handler: endpoint}},
	}
	var got []string
	for _, p := range placements(http, newHandlers(&config)) {
		got = append(got, fmt.Sprintf("%s of %s, dead %q, fixed %v", p.where(), p.site(), p.dead, p.fixed))
	}
	const routes = "http/servers/srv0/routes/0"
	want := []string{
		routes + `/handle/0 of a.example, dead "", fixed false`,
		`Caddyfile:3 of a.example, dead "` + routes + `/handle/0/routes/0", fixed false`,
		routes + `/handle/0/routes/0/handle/1 of a.example, dead "` + routes + `/handle/0/routes/0", fixed false`,
		routes + `/handle/1 of a.example, dead "", fixed false`,
		`http/servers/srv0/errors/routes/0/handle/0 of every host, dead "", fixed false`,
		`http/servers/srv0/errors/routes/0/handle/1 of every host, dead "", fixed true`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestHostsOfMatchersCoverOthers(t *testing.T) {
	for _, test := range []struct {
		pattern, host string
		want          bool
	}{
		{"a.example", "A.example", true},
		{"a.example", "b.example", false},
		{"*.example", "a.example", true},
		{"*.example", "a.b.example", false},
		{"a.example", "*.example", false},
		{"*.*", "a.example", true},
		{"{env.HOST}", "a.example", true},
	} {
		if got := hostCovers(test.pattern, test.host); got != test.want {
			t.Errorf("%s covers %s: %v", test.pattern, test.host, got)
		}
	}
}
