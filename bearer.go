package caddygrant

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddygrant/caddy-grant/internal/clock"
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
// A token is checked against the users, clients and sessions as they are now: it is refused
// as soon as its user is gone, disabled or has another password, its client is gone, or its
// session was revoked. Scopes, audiences and claims that user or client no longer have are
// no longer the token's either, and a claim of the user's own has its value of now.
//
// It sets the placeholders `{http.auth.user.id}` (the subject), `{http.auth.user.username}`,
// `{http.auth.user.client_id}`, `{http.auth.user.scope}`, `{http.auth.user.token_id}`,
// `{http.auth.user.session_id}`, and `{http.auth.user.<claim>}` for claims of the user's
// own that are a string, a number or a boolean. What other handlers have set under
// `http.auth.user` before is removed: it is of somebody else. Where there is no user, and
// for claims that the user lacks, these placeholders are empty, on all sites and routes of
// the HTTP server that has this handler.
type BearerAuth struct {
	// The name of the authorization server to trust. Default: `default`.
	Server string `json:"server,omitempty"`

	// Which requests to check. A path counts in each way in which an app may read it: a
	// request is left unchecked only if none of these matches, and a path with a dot segment
	// is then answered 400. The identity headers of `copy_claims` are removed from all
	// requests that come here. Default: all requests.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// The paths that need no token: exact ones, and such that end in `/*` with all below
	// them and the path itself. They are compared byte for byte with the escaped path, and
	// whatever apps can read in more ways than one is not open. Default: none.
	Open []string `json:"open,omitempty"`

	// The protocols besides `websocket` to which a request may upgrade its connection, such
	// as `tcp`. Any other Upgrade header is removed from all requests that come here.
	// Default: none.
	Upgrade []string `json:"upgrade,omitempty"`

	// The scopes that a token needs, all of them. Placeholders are replaced at start.
	// Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// The audiences of which a token must name one. Placeholders are replaced at start.
	// Default: those of the server.
	Audience []string `json:"audience,omitzero"`

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

	// Check and log, but let every request pass unchanged except for the identity headers
	// that the client sent. For trying out a config before it is in force. Default: `false`.
	Shadow bool `json:"shadow,omitempty"`

	// Check nothing, set nothing and refuse nothing: this part of the config is meant to be
	// open, and is not warned of. The identity headers that clients send are removed. It
	// excludes all other settings but `upgrade`. Default: `false`.
	Off bool `json:"off,omitempty"`

	// Where the config has this handler, such as `Caddyfile:12`, for error messages.
	// Default: none.
	DefinedAt string `json:"defined_at,omitempty"`

	app      *App
	matchers caddyhttp.MatcherSets
	open     pathreading.OpenPaths
	logger   *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (BearerAuth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.bearer_auth",
		New: func() caddy.Module { return new(BearerAuth) },
	}
}

// Provision notes which server is asked for; the server itself may come later.
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
	warnOfCommas(b.logger, b.Scopes, zap.String("of", "bearer_auth at "+cmp.Or(b.DefinedAt, "the config")))
	b.app = app.(*App)
	b.register(ctx)
	return nil
}

// register tells the app of this check, and has the HTTP server guarded that it is in.
func (b *BearerAuth) register(ctx caddy.Context) {
	check := configcheck.Check{
		Handler: b, DefinedAt: b.DefinedAt,
		Server: b.Server, Off: b.Off, Shadow: b.Shadow, Optional: b.Optional,
		Scopes: b.Scopes, Audience: b.Audience, Matchers: b.matchers,
		Applies: func(r *http.Request) bool {
			needed, _, err := b.needsCheck(r)
			return err == nil && needed
		},
	}
	var aliases []string
	for _, c := range b.CopyClaims {
		check.Claims = append(check.Claims, configcheck.Claim{Name: c.Claim, Header: c.Header})
		aliases = append(aliases, headerAlias(c.Header))
	}
	b.app.addCheck(check, aliases)
	names := b.app.identityHeaders // of the whole config, once that is provisioned
	b.app.guards.Place(ctx, func(r *http.Request) { guardRequest(r, names) })
}

// guardRequest is for every request of an HTTP server that has a bearer_auth, on sites and
// routes without one too: it removes the identity headers that a client sent and makes
// {http.auth.user.*} empty.
func guardRequest(r *http.Request, identityHeaders map[string]bool) {
	if len(identityHeaders) > 0 {
		removeIdentityHeaders(r, identityHeaders)
		removeH2C(r)
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
	if err := validateUpgrades(b.Upgrade); err != nil {
		return err
	}
	for i, c := range b.CopyClaims {
		if err := c.validate(); err != nil {
			return err
		}
		for _, other := range b.CopyClaims[:i] {
			if headerAlias(other.Header) == headerAlias(c.Header) {
				return fmt.Errorf("copy_claims: header %s is there twice", c.Header)
			}
		}
	}
	return nil
}

// hasSettings tells whether there is anything to check by.
func (b *BearerAuth) hasSettings() bool {
	return b.matchers != nil || len(b.MatcherSetsRaw) > 0 || b.Open != nil || b.Scopes != nil || b.Audience != nil || b.CopyClaims != nil ||
		b.ForwardToken || b.Optional || b.Shadow
}

// ServeHTTP checks a request. Whatever becomes of it, the client's own identity headers
// are gone first, and so is an upgrade by which others would get past the check.
func (b *BearerAuth) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	state := bearerStateOf(r)
	state.removeIdentityHeaders(r, b.app.identityHeaders)
	b.restrictUpgrade(r)
	if b.Off {
		return next.ServeHTTP(w, r)
	}

	needed, refusal, err := b.needsCheck(r)
	if err != nil {
		return err
	}
	if !needed {
		return next.ServeHTTP(w, r)
	}
	var token *accessToken
	if refusal == nil {
		token, refusal = b.check(state, r)
	}
	bearerChecks.WithLabelValues(b.Server, strconv.FormatBool(b.Shadow), bearerOutcome(token, refusal)).Inc()
	if refusal != nil {
		return b.refuse(w, r, next, refusal)
	}
	if token == nil || b.Shadow {
		return next.ServeHTTP(w, r)
	}
	state.setUserPlaceholders(r, token)
	b.setIdentityHeaders(r, token)
	b.forwardToken(state, r)
	return next.ServeHTTP(w, r)
}

// needsCheck tells whether a request is to be checked. A refusal is for one of which there
// is no telling.
func (b *BearerAuth) needsCheck(r *http.Request) (bool, *bearerError, error) {
	if b.open.Have(r.URL) {
		return false, nil, nil
	}
	if b.matchers == nil {
		return true, nil, nil
	}
	if pathreading.IsPlainPath(r.URL) {
		matches, err := b.matchers.AnyMatchWithError(r)
		return matches, nil, err
	}
	return b.matchesAnyReading(r)
}

// matchesAnyReading asks the matchers for each reading of the path. They see it in the
// request itself, where placeholders look for it too. The path as it is comes last, so that
// what matchers leave behind, such as captures, is about that.
func (b *BearerAuth) matchesAnyReading(r *http.Request) (bool, *bearerError, error) {
	readings := pathreading.ReadingsOf(r.URL)
	matches := false
	if readings.Doubt == pathreading.NoDoubt {
		var err error
		if matches, err = b.matchesOneOf(r, readings.List[1:]); err != nil {
			return false, nil, err
		}
	}
	itself, err := b.matchers.AnyMatchWithError(r)
	switch {
	case err != nil:
		return false, nil, err
	case matches || itself:
		return true, nil, nil
	case readings.Doubt == pathreading.DotSegment:
		return true, errBearerRequest("the path has a dot segment"), nil
	case readings.Doubt == pathreading.Ambiguous:
		return true, errBearerRequest("the path is ambiguous"), nil
	}
	return false, nil, nil
}

// matchesOneOf puts readings in the place of the path, for as long as it asks.
func (b *BearerAuth) matchesOneOf(r *http.Request, readings []pathreading.Reading) (bool, error) {
	path, raw, uri := r.URL.Path, r.URL.RawPath, r.RequestURI
	defer func() { r.URL.Path, r.URL.RawPath, r.RequestURI = path, raw, uri }()
	for _, reading := range readings {
		r.URL.Path, r.URL.RawPath = reading.Path, reading.Raw
		r.RequestURI = r.URL.RequestURI()
		if matches, err := b.matchers.AnyMatchWithError(r); matches || err != nil {
			return matches, err
		}
	}
	return false, nil
}

// forwardToken leaves the client's token for the app or takes it away, as the innermost
// check says. What the site itself set in its place stays.
func (b *BearerAuth) forwardToken(state *bearerState, r *http.Request) {
	switch {
	case b.ForwardToken && state.stripped && r.Header["Authorization"] == nil:
		r.Header["Authorization"] = state.authorization
		state.stripped = false
	case !b.ForwardToken && slices.Equal(r.Header["Authorization"], state.authorization):
		r.Header.Del("Authorization")
		state.stripped = true
	}
}

// check finds the token of a request and what is wrong with it. Without an error and
// without a token the request is anonymous.
func (b *BearerAuth) check(state *bearerState, r *http.Request) (*accessToken, *bearerError) {
	raw, refusal := bearerToken(r, state.authorization)
	if refusal != nil {
		if refusal.anonymous && b.Optional {
			return nil, nil
		}
		return nil, refusal
	}
	server := b.app.servers[b.Server]
	if server == nil {
		return nil, errBearerUnavailable("there is no such server")
	}
	token, err := state.tokenFor(r.Context(), server, raw)
	if _, unchecked := errors.AsType[uncheckedError](err); unchecked {
		return nil, errBearerUnavailable(err.Error())
	}
	if err != nil {
		return nil, errInvalidToken(err.Error()).of(token)
	}

	audience := b.Audience
	if audience == nil {
		audience = server.Audience
	}
	if len(audience) > 0 && !slices.ContainsFunc(token.Audience, func(a string) bool { return slices.Contains(audience, a) }) {
		return nil, errInvalidToken("aud does not name this resource").of(token)
	}
	for _, scope := range b.Scopes {
		if !slices.Contains(token.scopes, scope) {
			return nil, errInsufficientScope(b.Scopes).of(token)
		}
	}
	return token, nil
}

// bearerOutcome is the result of a check in one word of a closed set.
func bearerOutcome(token *accessToken, refusal *bearerError) string {
	switch {
	case refusal == nil && token == nil:
		return outcomeAnonymous
	case refusal == nil:
		return outcomeSuccess
	case refusal.code != "":
		return refusal.code
	case refusal.status == http.StatusServiceUnavailable:
		return outcomeUnavailable
	}
	return outcomeNone
}

// refuse logs why, and answers by RFC 6750 unless it only looks on.
func (b *BearerAuth) refuse(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, refusal *bearerError) error {
	message := "request refused"
	if b.Shadow {
		message = "request would be refused"
	}
	b.log(r, message, refusal)
	if b.Shadow {
		addLogField(r, zap.String("bearer_refusal", refusal.reason))
		return next.ServeHTTP(w, r)
	}
	if refusal.code != "" {
		addLogField(r, zap.String("oauth_error", refusal.code))
	}
	return refusal.send(w, b.Server)
}

// log writes the one line of a refusal. Client, user and session are named if the token is
// an access token that this server issued, whatever became of it since.
func (b *BearerAuth) log(r *http.Request, message string, refusal *bearerError) {
	level := zapcore.InfoLevel
	if refusal.status == http.StatusServiceUnavailable {
		level = zapcore.ErrorLevel
	}
	entry := b.logger.Check(level, message)
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("server", b.Server),
		zap.String("client_ip", clientIP(r)),
		zap.String("method", bounded(r.Method)),
		zap.String("host", bounded(r.Host)),
		zap.String("path", bounded(loggedPath(r))),
		zap.Duration("duration", clock.Now().Sub(bearerStateOf(r).received)),
		zap.Int("status", refusal.status),
		zap.String("oauth_error", refusal.code),
		zap.String("reason", refusal.reason),
	}
	if remedy := b.app.remedyAt(r); remedy != "" && refusal.token == nil {
		fields = append(fields, zap.String("remedy", remedy))
	}
	if token := refusal.token; token != nil {
		fields = append(fields, zap.String("client_id", token.CID), zap.String("user_id", token.Subject), zap.String("session_id", token.SessionID))
	}
	if refusal.scope != "" {
		fields = append(fields, zap.String("scope_needed", refusal.scope), zap.String("scope", refusal.token.Scope))
	}
	entry.Write(fields...)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*BearerAuth)(nil)
	_ caddy.Validator             = (*BearerAuth)(nil)
	_ caddyhttp.MiddlewareHandler = (*BearerAuth)(nil)
)
