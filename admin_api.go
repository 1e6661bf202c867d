package caddygrant

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func init() {
	caddy.RegisterModule(new(adminAPI))
}

// adminAPI is the admin API below /grant/ on Caddy's admin endpoint, by which operators
// look at the authorization servers of the running config, revoke sessions, unlock
// accounts, rotate keys and reload files. Its access rules are those of the endpoint.
// Every change is logged by the logger grant.admin.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (*adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.grant",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Routes returns the one route of the API.
func (*adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminapi.Root, Handler: caddy.AdminHandlerFunc(serveAdminAPI)}}
}

// serveAdminAPI looks at the config that runs when the request comes. The endpoint is
// there before the apps of its own config are, and a while after they were replaced.
func serveAdminAPI(w http.ResponseWriter, r *http.Request) error {
	if caddy.ActiveContext().Context == nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: errors.New("no config runs: Caddy is still starting, or stopping; try again")}
	}
	handler := adminapi.Handler{Logger: caddy.Log().Named(appID)}
	if app := runningApp(); app != nil {
		handler.Logger = app.logger // else logs that include grant.admin alone have nothing
		handler.Servers = make(map[string]adminapi.Server)
		for name, server := range app.servers {
			handler.Servers[name] = server
		}
		handler.Issuers = app.issuers
	}
	handler.Logger = handler.Logger.Named("admin")
	return handler.ServeHTTP(w, r)
}

// Interface guards
var _ caddy.AdminRouter = (*adminAPI)(nil)
