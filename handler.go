package caddygrant

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/caddyrequest"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// ServeHTTP answers requests to the server's endpoints and passes on all others.
// The login page is at its path as the browser asked for it. OPTIONS is passed on too,
// so that the CORS handling of the site answers it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.page != nil {
		takeCookies(r, h.cookieNames)
		endpoint := cmp.Or(h.page.askedFor(r), h.page.endpoint(r.URL.Path))
		if endpoint != "" && r.Method != http.MethodOptions {
			return serveLoginPage(h.page, endpoint, w, r, h.mount.logger)
		}
	}
	if !h.routes.match(r) || r.Method == http.MethodOptions {
		return next.ServeHTTP(w, r)
	}
	x := newExchange(w, r, h.mount)
	err := h.answer(x)
	countRequest(h.server.Name, x.endpoint, x.knownGrantType(), x.outcome)
	if grantType := x.knownGrantType(); x.authenticated && grantType != "" {
		countClientRequest(h.server.Name, x.client.ID, grantType, x.outcome)
	}
	return err
}

// answer finds the endpoint of a request, which answers it.
func (h *Handler) answer(x *exchange) error {
	route := h.routes.of(x.r)
	if route != nil {
		x.endpoint = route.endpoint
	}
	if !h.AllowHTTP && !wire.IsSecure(x.r, caddyrequest.FromTrustedProxy(x.r)) {
		return x.refuse(oauth.NotSecure())
	}
	if route == nil {
		return x.refuse(oauth.NoEndpoint())
	}
	query := x.r.URL.RawQuery
	flooded := route.takesCredentials() && wire.TooManyParameters(query)
	leaked := route.takesCredentials() && !flooded && wire.QueryHas(query, wire.CredentialParameters...)
	switch {
	case !slices.Contains(route.methods, x.r.Method):
		return x.refuse(oauth.MethodNotAllowed(route.methods, leaked))
	case route.takesCredentials() && wire.IsEarly(x.r):
		return x.refuse(oauth.TooEarly())
	case leaked:
		return x.refuse(oauth.CredentialsInQuery())
	case flooded:
		return x.refuse(oauth.TooManyParameters())
	case x.page == wire.CrossSiteBlind && route.takesCredentials() && route.endpoint != oauth.EndpointRevoke: // which checks this itself
		return x.refuse(oauth.CrossSite())
	}
	if route.takesCredentials() {
		if err := x.parse(); err != nil {
			return x.refuse(err)
		}
	}
	return route.serve(x)
}

// routes tells the endpoints of a server by their paths, the way the path matcher does.
type routes struct {
	all     caddyhttp.MatchPath // the token endpoint and everything below it, and the metadata
	slashed caddyhttp.MatchPath // the metadata with a slash at its end, which few requests have
	each    []route
}

type route struct {
	endpoint string // its name, for metrics
	path     caddyhttp.MatchPath
	methods  []string
	serve    func(*exchange) error
}

// takesCredentials tells whether clients send secrets to the endpoint. A secret in the
// query is reported whatever the method, since it is in logs now.
func (r *route) takesCredentials() bool { return slices.Contains(r.methods, http.MethodPost) }

// newRoutes lays out the endpoints below path and, for a server with an issuer, its
// metadata.
func newRoutes(path, issuer string) *routes {
	posting, reading := []string{http.MethodPost}, []string{http.MethodGet, http.MethodHead}
	r := &routes{
		all: caddyhttp.MatchPath{path, path + "/*"},
		each: []route{
			{oauth.EndpointToken, withSlash(path), posting, serveToken},
			{oauth.EndpointRevoke, withSlash(path + revokePath), posting, serveRevoke},
			{oauth.EndpointIntrospect, withSlash(path + introspectPath), posting, serveIntrospect},
			{oauth.EndpointJWKS, withSlash(path + jwksPath), reading, serveJWKS},
		},
	}
	if issuer != "" {
		at := withSlash(metadataPath(issuer))
		r.all, r.slashed = append(r.all, at[0]), at[1:]
		r.each = append(r.each, route{oauth.EndpointMetadata, at, reading, serveMetadata})
	}
	_ = r.all.Provision(caddy.Context{}) // lowers the case, cannot fail
	_ = r.slashed.Provision(caddy.Context{})
	for _, route := range r.each {
		_ = route.path.Provision(caddy.Context{})
	}
	return r
}

// withSlash matches a path with and without a slash at its end.
func withSlash(path string) caddyhttp.MatchPath { return caddyhttp.MatchPath{path, path + "/"} }

// match tells whether a request is for the server. It is called for every request of
// the site.
func (r *routes) match(request *http.Request) bool {
	return r.all.Match(request) || strings.HasSuffix(request.URL.Path, "/") && r.slashed.Match(request)
}

// of returns the endpoint of a request, or nil if there is none at its path.
func (r *routes) of(request *http.Request) *route {
	for i := range r.each {
		if r.each[i].path.Match(request) {
			return &r.each[i]
		}
	}
	return nil
}
