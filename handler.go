package caddygrant

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/caddyrequest"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// ServeHTTP answers requests to the server's endpoints and passes on all others. OPTIONS
// goes on too, so that what the site does about CORS answers it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !h.routes.match(r) || r.Method == http.MethodOptions {
		return next.ServeHTTP(w, r)
	}
	x := newExchange(w, r, h.server, h.Path, h.logger)
	err := h.answer(x)
	requests.WithLabelValues(h.server.Name, x.endpoint, x.knownGrantType(), x.outcome).Inc()
	return err
}

// answer finds the endpoint of a request and has it answered.
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
	case x.page == wire.CrossSiteBlind && route.takesCredentials() && route.endpoint != oauth.EndpointRevoke: // which looks itself
		return x.refuse(oauth.CrossSite())
	}
	if route.takesCredentials() {
		if err := x.parse(); err != nil {
			return x.refuse(err)
		}
	}
	return route.serve(x)
}
