package caddygrant

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/configcheck"
	"github.com/caddygrant/caddy-grant/internal/pathreading"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler is an OAuth 2.0 authorization server: it answers `POST <path>` with the
// resource owner password grant (RFC 6749 §4.3) and the refresh grant (§6), for clients
// and users from files, the config itself or sources of other modules, such as a
// database, `POST <path>/revoke` (RFC 7009) and `POST <path>/introspect` (RFC 7662),
// and `GET <path>/jwks` with the public keys (RFC 7517) that verify the access tokens
// it issues. Where an issuer is set, it also answers `GET
// /.well-known/oauth-authorization-server` with its metadata (RFC 8414). Every other
// path below `<path>` is 404. OPTIONS and all other requests go to the next handler.
//
// Answers are JSON: 200 with the token response of RFC 6749 §5.1; 400, 401, 403, 405,
// 413 or 415 with an error of §5.2 for a mistake of the client; 425 for a request in
// TLS early data (RFC 8470); 429 with `Retry-After` after too many failures or writes;
// 503 with `Retry-After` while too many passwords are being checked, a source of users
// or clients cannot tell, the storage does not answer or the signing key is not
// available; 500 for a fault of the server. Requests over plain HTTP are refused unless
// they come over loopback, from a trusted proxy that received them over HTTPS, or
// `allow_http` is set.
//
// With a login page it also answers GET, HEAD and POST at the page's path and at
// `<page>/logout`, with HTML: 200 with a form, who is logged in, or a button to log out;
// 303 after a login; 401 for a wrong username or password; 403 for a page of another
// origin, a host outside the cookie's domain, or a user who has none of the scopes; and
// the other statuses as above.
//
// A login begins a session, and writes nothing. The first refresh or revocation of the
// session writes to Caddy's storage, which all nodes of a server share.
//
// When a token is issued, the placeholder `{http.auth.user.id}` is set to the subject,
// so the access log names the user. The access log also gets the fields `grant_type`,
// `oauth_error` and `revoked`.
//
// The password grant is deprecated (RFC 9700 §2.4): it is for first-party clients that
// hold a secret, and for apps that are migrating to something better.
type Handler struct {
	// The path of the token endpoint, matched without regard to case as the `path`
	// matcher does. Default: `/token`.
	Path string `json:"path,omitempty"`

	// Serve requests that arrive over plain HTTP from another machine. Passwords,
	// secrets and tokens then cross the network in the clear. Default: `false`.
	AllowHTTP bool `json:"allow_http,omitempty"`

	// Where in the config this handler is, such as `Caddyfile:12`, for error messages.
	// Default: none.
	DefinedAt string `json:"defined_at,omitempty"`

	Config

	server      *Server
	routes      *routes
	mount       *mount
	page        *loginPage      // nil if the server has none
	cookieNames map[string]bool // of the sessions of all servers
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.token_endpoint",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision joins the authorization server of that name, or sets it up.
func (h *Handler) Provision(ctx caddy.Context) error {
	if h.Path == "" {
		h.Path = defaultPath
	}
	if err := pathreading.ValidateLiteral(h.Path); err != nil {
		return err
	}
	if h.LoginPage != nil && h.LoginPage.Path == "" {
		h.LoginPage.Path = h.Path + loginPath
	}
	if err := h.checkPagePath(); err != nil {
		return err
	}
	app, err := ctx.App(appID)
	if err != nil {
		return fmt.Errorf("loading the grant app: %w", err)
	}
	grant := app.(*App)
	h.cookieNames = grant.cookieNames
	if h.server, err = grant.joinServer(ctx, h.Config, h.DefinedAt); err != nil {
		return err
	}
	if h.page = grant.pages[h.server.Name]; h.page != nil && h.AllowHTTP {
		h.page.allowHTTP = true
	}
	h.routes = newRoutes(h.Path, h.server.Issuer)
	h.mount = &mount{server: h.server, path: h.Path, logger: ctx.Logger()}
	grant.addEndpoint(configcheck.Endpoint{
		Handler: h, DefinedAt: h.DefinedAt, Path: h.Path, LoginPage: h.page != nil, Matches: h.routes.all.Match,
	})
	return nil
}

// checkPagePath keeps the login page from taking the place of an endpoint.
func (h *Handler) checkPagePath() error {
	if h.LoginPage == nil || h.LoginPage.Path == "" {
		return nil
	}
	path := cmp.Or(h.Path, defaultPath)
	taken := []string{path, path + revokePath, path + introspectPath, path + jwksPath}
	if h.Issuer != "" {
		taken = append(taken, metadataPath(h.Issuer))
	}
	for _, page := range []string{h.LoginPage.Path, h.LoginPage.Path + logoutPath} {
		if slices.ContainsFunc(taken, func(path string) bool { return strings.EqualFold(path, page) }) {
			return fmt.Errorf("login_page %s: there is an endpoint at %s: choose another path, such as %s", h.LoginPage.Path, page, path+loginPath)
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
