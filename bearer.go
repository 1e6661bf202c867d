package caddygrant

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/configcheck"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/pathreading"
	"github.com/caddygrant/caddy-grant/internal/setting"
)

func init() {
	caddy.RegisterModule(BearerAuth{})
}

// BearerAuth lets a request pass if it has a valid access token of an authorization
// server in its Authorization header (RFC 6750 §2.1), and refuses it otherwise: 401
// without credentials or with a bad token, 403 if the token lacks a scope, 400 if the
// request has credentials in two places, 503 while tokens cannot be checked. Errors go
// to `handle_errors`; the `WWW-Authenticate` header is set by then.
//
// A token is checked against the users, clients and sessions as they are now: it is
// refused as soon as its user is gone, disabled or has another password, its client is
// gone, or its session was revoked. Scopes, audiences and claims that the user or
// client has lost no longer count as the token's either, and a claim of the user's own
// has its current value.
//
// Where the server has a login page, the session cookie of a browser counts like a
// token, unless a token of the server is there too, and is taken out of every request.
// The handler also answers at the path of that page. A browser without a session is sent
// there, 303, with what its tab is to show; 403 if the session lacks a scope, is for
// another audience, or a page of another origin sends what may change something. The
// answer to a request that a cookie let through is made private to the browser.
//
// Tokens of other servers, API keys, and clients that act for themselves pass where the
// settings say so. A token is judged by the one issuer that its `iss` names. A request
// with a token and a key is answered 400.
//
// It sets the placeholders `{http.auth.user.kind}` (`user` or `client`),
// `{http.auth.user.id}` (the subject), `{http.auth.user.username}`,
// `{http.auth.user.client_id}`, `{http.auth.user.issuer}`, `{http.auth.user.scope}`,
// `{http.auth.user.token_id}`, `{http.auth.user.session_id}`,
// `{http.auth.user.key_name}`, and `{http.auth.user.<claim>}` for claims of the user's
// own that are a string, a number or a boolean. What other handlers set under
// `http.auth.user` before is removed: it belongs to another user. Where there is no
// user, and for claims that the user lacks, these placeholders are empty, on all sites
// and routes of the HTTP server that has this handler.
type BearerAuth struct {
	// The name of the authorization server to trust. Default: `default`.
	Server string `json:"server,omitempty"`

	// Which requests to check. A path is matched in each way in which an app may read
	// it: a request is left unchecked only if none of these matches, and a path with a
	// dot segment is then answered 400. The identity headers of `copy_claims` are
	// removed from all requests that reach this handler. Default: all requests.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// The paths that need no token: exact ones, and ones that end in `/*`, which cover
	// the path itself and all below it. They are compared byte for byte with the
	// escaped path, and a path that apps can read in more than one way is not open.
	// Default: none.
	Open []string `json:"open,omitempty"`

	// The protocols, apart from `websocket`, to which a request may upgrade its
	// connection, such as `tcp`. Any other Upgrade header is removed from all requests
	// that reach this handler. Default: none.
	Upgrade []string `json:"upgrade,omitempty"`

	// Other authorization servers whose access tokens to take as well. Default: none.
	Issuers []OutsideIssuer `json:"issuers,omitempty"`

	// Take the tokens of these issuers alone, and none of the server, which need not
	// exist then. Default: `false`, unless the config has no `token_endpoint` at all.
	IssuersOnly bool `json:"issuers_only,omitempty"`

	// Take API keys of the server as well. Default: none.
	Keys *AcceptedKeys `json:"keys,omitempty"`

	// The scopes that a token needs, all of them. Placeholders are replaced at start.
	// Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// The audiences of which a token or key of the server must name one. For the tokens
	// of an outside issuer its own setting says so, and where only such tokens are taken,
	// this one is an error. Placeholders are replaced at start. Default: those of the
	// server.
	Audience []string `json:"audience,omitzero"`

	// The claims that a token needs, each with one of its values. Default: none.
	Require []RequiredClaim `json:"require,omitempty"`

	// Let clients that act for themselves pass, as well as users. Default: users only.
	Clients *AcceptedClients `json:"clients,omitempty"`

	// The identity headers for the app: name of a claim to name of a header. What the
	// client sent under these names is removed, and so is what it sent under the names
	// that other handlers of this config have here, on all sites and routes of the HTTP
	// server that has this handler. Default: none.
	CopyClaims []CopyClaim `json:"copy_claims,omitempty"`

	// Leave the Authorization header for the app. Default: `false`.
	ForwardToken bool `json:"forward_token,omitempty"`

	// Let requests without a Bearer token pass as anonymous. A bad token never passes.
	// Default: `false`.
	Optional bool `json:"optional,omitempty"`

	// Check and log, but let every request pass unchanged except for the identity
	// headers that the client sent: to try out a config before it takes effect.
	// Default: `false`.
	Shadow bool `json:"shadow,omitempty"`

	// Check nothing, set nothing and refuse nothing: this part of the config is meant
	// to be open, and no warning is logged for it. The identity headers that clients
	// send are removed. It excludes all other settings but `upgrade`. Default: `false`.
	Off bool `json:"off,omitempty"`

	// Where in the config this handler is, such as `Caddyfile:12`, for error messages.
	// Default: none.
	DefinedAt string `json:"defined_at,omitempty"`

	// set by Provision, for ServeHTTP in bearer_check.go
	app      *App
	matchers caddyhttp.MatcherSets
	open     pathreading.OpenPaths
	accepted *accepted
	outside  []*definedIssuer // of Issuers
	logger   *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (BearerAuth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.bearer_auth",
		New: func() caddy.Module { return new(BearerAuth) },
	}
}

// Provision notes the name of the server; the server itself may be provisioned later.
func (b *BearerAuth) Provision(ctx caddy.Context) error {
	b.logger = ctx.Logger()
	if b.Server == "" {
		b.Server = defaultName
	}
	var err error
	if b.Audience, err = setting.ResolveList(caddy.NewReplacer(), "audience", b.Audience); err != nil {
		return err
	}
	if b.Scopes, err = setting.ResolveList(caddy.NewReplacer(), "scopes", b.Scopes); err != nil {
		return err
	}
	if err := resolveRules(caddy.NewReplacer(), b.Require, b.Clients); err != nil {
		return err
	}
	if b.open, err = pathreading.ParseOpen(b.Open); err != nil {
		return err
	}
	configcheck.WarnOfHalves(b.logger, b.MatcherSetsRaw, b.DefinedAt) // before they are gone
	if b.MatcherSetsRaw != nil {
		loaded, err := ctx.LoadModule(b, "MatcherSetsRaw")
		if err != nil {
			return fmt.Errorf("loading matchers: %w", err)
		}
		if err := b.matchers.FromInterface(loaded); err != nil {
			return err
		}
	}
	app, err := ctx.App(appID)
	if err != nil {
		return fmt.Errorf("loading the grant app: %w", err)
	}
	warnOfCommas(b.logger, b.Scopes, zap.String("of", b.place()))
	b.app = app.(*App)
	b.accepted = b.newAccepted()
	if err := b.defineIssuers(ctx); err != nil {
		return err
	}
	b.register(ctx)
	return nil
}

// newAccepted is what the settings say about credentials.
func (b *BearerAuth) newAccepted() *accepted {
	a := &accepted{
		started: make(chan struct{}), app: b.app, server: b.Server, issuersOnly: b.IssuersOnly,
		audience: b.Audience, demands: bearer.Demands{Scopes: b.Scopes},
	}
	for _, r := range b.Require {
		a.demands.Require = append(a.demands.Require, bearer.Requirement(r))
	}
	if b.Clients != nil {
		a.clients, a.clientPrefix = true, b.Clients.UsernamePrefix
	}
	if b.Keys != nil {
		a.keys, a.keyHeader = true, http.CanonicalHeaderKey(b.Keys.Header)
	}
	if len(b.Issuers) == 0 && a.clientPrefix == "" { // the rest of the config says nothing about it
		a.start(nil)
	}
	return a
}

// defineIssuers checks the issuers that have a block, and tells the app of them.
func (b *BearerAuth) defineIssuers(ctx caddy.Context) error {
	for i := range b.Issuers {
		one := &b.Issuers[i]
		if err := one.resolve(caddy.NewReplacer()); err != nil {
			return err
		}
		if one.isReference() {
			continue
		}
		defined, err := one.define(ctx)
		if err != nil {
			return err
		}
		b.app.issuers.add(defined)
		b.outside = append(b.outside, defined)
	}
	return nil
}

// resolve finds the issuers that other handlers define, once they all have, and errors
// that take the whole config to see.
func (b *BearerAuth) resolve(servers map[string]*Server) (issuersOnly bool, err error) {
	if len(b.Issuers) > 0 && len(servers) == 0 && b.Server == defaultName && b.Keys == nil {
		b.accepted.issuersOnly = true
		if b.Audience != nil {
			return false, errAudienceOfIssuers
		}
	}
	for _, one := range b.Issuers {
		for _, server := range servers {
			if server.Issuer == one.Issuer {
				return false, fmt.Errorf("issuer %s: this is a token_endpoint of the config: a bearer_auth takes its tokens by its name, \"bearer_auth %s\"", one.Issuer, server.Name)
			}
		}
		if !one.isReference() {
			continue
		}
		defined, err := b.app.issuers.defined(one.Issuer)
		if err != nil {
			return false, err
		}
		b.outside = append(b.outside, defined)
	}
	b.accepted.prefixes, err = prefixesOf(b.outside, b.accepted.clientPrefix)
	if err == nil {
		err = checkNames(b.outside, !b.accepted.issuersOnly, claimUses(b.CopyClaims, b.Require))
	}
	return b.accepted.issuersOnly, err
}

// start begins to follow the keys of the issuers.
func (b *BearerAuth) start() {
	warnOfCredentials(b.logger.With(zap.String("place", b.place())), b.outside, b.accepted)
	b.accepted.start(b.app.issuers.follow(b.outside))
}

// place is where in the config the handler is, for log lines.
func (b *BearerAuth) place() string { return configcheck.Place(b.DefinedAt) }

// register tells the app of this check, and guards the HTTP server that it is in.
func (b *BearerAuth) register(ctx caddy.Context) {
	check := configcheck.Check{
		Handler: b, DefinedAt: b.DefinedAt,
		Server: b.Server, Issuers: len(b.Issuers), Keys: b.Keys != nil, Clients: b.Clients != nil,
		Off: b.Off, Shadow: b.Shadow, Optional: b.Optional,
		Scopes: b.Scopes, Audience: b.Audience, Matchers: b.matchers,
		Applies: func(r *http.Request) bool {
			needed, _, err := b.needsCheck(r)
			return err == nil && needed
		},
	}
	for i := range b.Issuers {
		if b.Issuers[i].isReference() {
			check.Referenced++
		}
	}
	for _, r := range b.Require {
		check.Require = append(check.Require, r.Claim)
	}
	var aliases []string
	for _, c := range b.CopyClaims {
		check.Claims = append(check.Claims, configcheck.Claim{Name: c.Claim, Header: c.Header})
		aliases = append(aliases, bearer.HeaderAlias(c.Header))
	}
	if b.accepted.keyHeader != "" {
		b.app.keyHeaders[b.accepted.keyHeader] = true
		aliases = append(aliases, bearer.HeaderAlias(b.accepted.keyHeader))
	}
	b.app.addCheck(b, check, aliases)
	app := b.app // which knows the whole config, once that is provisioned
	b.app.guards.Place(ctx, func(r *http.Request) { guardRequest(r, app) })
}

// guardRequest handles every request of an HTTP server that has a bearer_auth, also on
// sites and routes without one: it removes the identity headers that a client sent,
// takes the session cookies and API keys, which are for this server alone, and makes
// {http.auth.user.*} empty.
func guardRequest(r *http.Request, app *App) {
	takeCookies(r, app.cookieNames)
	takeKeys(r, app.keyHeaders)
	if len(app.identityHeaders) > 0 {
		bearer.RemoveIdentityHeaders(r, app.identityHeaders)
		bearer.RemoveH2C(r)
	}
	mapUserPlaceholders(r)
}

// Validate checks the settings.
func (b *BearerAuth) Validate() error {
	if b.Off && b.hasSettings() {
		return errors.New("off: it checks nothing, so take out the matcher and all other settings, or off")
	}
	if b.Audience != nil && len(b.Audience) == 0 {
		return errors.New("audience: an empty list would refuse every token: leave it out for the server's own")
	}
	if err := oauth.ValidateScopes("scopes", b.Scopes); err != nil {
		return err
	}
	if _, err := pathreading.ParseOpen(b.Open); err != nil {
		return err
	}
	if err := bearer.ValidateUpgrades(b.Upgrade); err != nil {
		return err
	}
	if err := validateIssuers(b.Issuers); err != nil {
		return err
	}
	switch {
	case b.IssuersOnly && len(b.Issuers) == 0:
		return errors.New("issuers_only: there is no issuer: add \"issuer <url>\" with a block, or remove issuers_only")
	case b.IssuersOnly && b.Keys != nil:
		return errors.New("keys: API keys belong to a token_endpoint, and with issuers_only this bearer_auth takes nothing of one: remove one of the two")
	case b.IssuersOnly && b.Audience != nil:
		return errAudienceOfIssuers
	}
	if b.Keys != nil && b.Keys.Header != "" {
		if err := bearer.ValidateKeyHeader(b.Keys.Header); err != nil {
			return err
		}
	}
	for _, r := range b.Require {
		if err := bearer.ValidateRequirement(r.Claim, r.Values); err != nil {
			return err
		}
	}
	var clientPrefix string
	if b.Clients != nil {
		clientPrefix = b.Clients.UsernamePrefix
	}
	if err := validateNames(b.Issuers, clientPrefix, claimUses(b.CopyClaims, withoutPlaceholders(b.Require))); err != nil {
		return err
	}
	return validateCopyClaims(b.CopyClaims, b.Keys)
}

// hasSettings tells whether there is anything to check by.
func (b *BearerAuth) hasSettings() bool {
	return b.matchers != nil || len(b.MatcherSetsRaw) > 0 || b.Open != nil ||
		b.Scopes != nil || b.Audience != nil || b.CopyClaims != nil || b.Require != nil || b.Clients != nil ||
		b.Issuers != nil || b.IssuersOnly || b.Keys != nil ||
		b.ForwardToken || b.Optional || b.Shadow
}

// errAudienceOfIssuers is for an audience that would be asked of no token.
var errAudienceOfIssuers = errors.New("audience: it is about the tokens and keys of a token_endpoint, and this bearer_auth takes only those of outside issuers: move it into the block of each issuer, and give an issuer that has no block here one")

// Interface guards
var (
	_ caddy.Provisioner           = (*BearerAuth)(nil)
	_ caddy.Validator             = (*BearerAuth)(nil)
	_ caddyhttp.MiddlewareHandler = (*BearerAuth)(nil)
)
