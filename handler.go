package caddygrant

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

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
	serve    func(*Handler, http.ResponseWriter, *http.Request, *tokenRequest) error
}

// takesCredentials tells whether clients send secrets to the endpoint. One in the query is
// told of whatever the method, since it is in logs now.
func (r *route) takesCredentials() bool { return slices.Contains(r.methods, http.MethodPost) }

// newRoutes lays out the endpoints below path and, for a server with an issuer, its metadata.
func newRoutes(path, issuer string) *routes {
	posting, reading := []string{http.MethodPost}, []string{http.MethodGet, http.MethodHead}
	r := &routes{
		all: caddyhttp.MatchPath{path, path + "/*"},
		each: []route{
			{endpointToken, withSlash(path), posting, (*Handler).serveToken},
			{endpointRevoke, withSlash(path + revokePath), posting, (*Handler).serveRevoke},
			{endpointIntrospect, withSlash(path + introspectPath), posting, (*Handler).serveIntrospect},
			{endpointJWKS, withSlash(path + jwksPath), reading, (*Handler).serveJWKS},
		},
	}
	if issuer != "" {
		at := withSlash(metadataPath(issuer))
		r.all, r.slashed = append(r.all, at[0]), at[1:]
		r.each = append(r.each, route{endpointMetadata, at, reading, (*Handler).serveMetadata})
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

// match tells whether a request is for the server. Every request of the site asks that.
func (r *routes) match(request *http.Request) bool {
	return r.all.Match(request) || strings.HasSuffix(request.URL.Path, "/") && r.slashed.Match(request)
}

// ServeHTTP answers requests to the server's endpoints and passes on all others. OPTIONS
// goes on too, so that what the site does about CORS answers it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !h.routes.match(r) || r.Method == http.MethodOptions {
		return next.ServeHTTP(w, r)
	}
	req := newTokenRequest(r)
	err := h.answer(w, r, req)
	requests.WithLabelValues(h.server.Name, req.endpoint, h.knownGrantType(req), req.outcome).Inc()
	return err
}

// answer finds the endpoint of a request and has it answered.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, req *tokenRequest) error {
	i := slices.IndexFunc(h.routes.each, func(route route) bool { return route.path.Match(r) })
	if i >= 0 {
		req.endpoint = h.routes.each[i].endpoint
	}
	if !h.AllowHTTP && !wire.IsSecure(r, fromTrustedProxy(r)) {
		return h.refuse(w, r, req, oauth.NotSecure())
	}
	if i < 0 {
		return h.refuse(w, r, req, oauth.NoEndpoint())
	}
	route := h.routes.each[i]
	flooded := route.takesCredentials() && wire.TooManyParameters(r.URL.RawQuery)
	leaked := route.takesCredentials() && !flooded && wire.QueryHas(r.URL.RawQuery, wire.CredentialParameters...)
	switch {
	case !slices.Contains(route.methods, r.Method):
		return h.refuse(w, r, req, oauth.MethodNotAllowed(route.methods, leaked))
	case route.takesCredentials() && wire.IsEarly(r):
		return h.refuse(w, r, req, oauth.TooEarly())
	case leaked:
		return h.refuse(w, r, req, oauth.CredentialsInQuery())
	case flooded:
		return h.refuse(w, r, req, oauth.TooManyParameters())
	case req.page == wire.CrossSiteBlind && route.takesCredentials() && route.endpoint != endpointRevoke: // which looks itself
		return h.refuse(w, r, req, oauth.CrossSite())
	}
	return route.serve(h, w, r, req)
}

// serveToken answers a token request (RFC 6749 §3.2).
func (h *Handler) serveToken(w http.ResponseWriter, r *http.Request, req *tokenRequest) error {
	if err := req.parse(w, r); err != nil {
		return h.refuse(w, r, req, err)
	}
	response, err := h.server.token(r.Context(), req)
	if err != nil {
		return h.refuse(w, r, req, err)
	}

	setUser(r, req.user)
	addLogField(r, zap.String("grant_type", req.grantType()))
	if entry := h.logger.Check(zapcore.DebugLevel, "token issued"); entry != nil {
		entry.Write(append(h.facts(req),
			zap.String("scope", response.Scope),
			zap.String("token_id", response.TokenID))...)
	}
	return wire.WriteJSON(w, http.StatusOK, response)
}

// serveJWKS answers with the public keys (RFC 7517 §5), which anybody may keep for a while.
func (h *Handler) serveJWKS(w http.ResponseWriter, r *http.Request, req *tokenRequest) error {
	keys := h.server.keys.current(r.Context())
	if keys == nil {
		return h.refuse(w, r, req, oauth.NoKeys())
	}
	return wire.WriteCacheable(w, "application/jwk-set+json", json.RawMessage(keys.Ring.JWKS()))
}

// refuse answers with an error and writes the one log line of a refusal: info where the
// client caused it, warn where that may be a theft, error where the server did.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, req *tokenRequest, err error) error {
	refusal, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		refusal = oauth.ServerError(err)
	}
	if refusal.Code == oauth.CodeInvalidClient && req.awaitsChallenge() {
		refusal = refusal.Challenged()
	}
	req.outcome = refusal.Code
	if refusal.Limit != "" && refusal.Status == http.StatusTooManyRequests {
		throttled.WithLabelValues(h.server.Name, refusal.Limit).Inc()
	}
	addLogField(r, zap.String("oauth_error", refusal.Code))
	if grantType := h.knownGrantType(req); grantType != "" {
		addLogField(r, zap.String("grant_type", grantType))
	}

	level := zapcore.InfoLevel
	switch {
	case refusal.Ours:
		level = zapcore.ErrorLevel
	case refusal.Alarm:
		level = zapcore.WarnLevel
	}
	line := func() func(...zap.Field) {
		entry := h.logger.Check(level, "request refused")
		if entry == nil {
			return func(...zap.Field) {}
		}
		fields := append(h.facts(req),
			zap.Int("status", refusal.Status),
			zap.String("oauth_error", refusal.Code),
			zap.String("reason", refusal.Reason))
		if refusal.ScopeAllowed != nil {
			fields = append(fields, zap.String("scope_allowed", strings.Join(refusal.ScopeAllowed, " ")))
		}
		if refusal.Limit != "" {
			fields = append(fields, zap.String("limit", refusal.Limit))
		}
		if req.repeated {
			fields = append(fields, zap.Bool("repeated", true))
		}
		if req.page != wire.SameSite {
			fields = append(fields, zap.Bool("cross_site", true))
		}
		if refusal.Remedy != "" {
			fields = append(fields, zap.String("remedy", refusal.Remedy))
		}
		if refusal.Cause != nil {
			fields = append(fields, zap.Error(refusal.Cause))
		}
		if username := req.params.Get("username"); username != "" && h.LogUsernames {
			fields = append(fields, zap.String("username", username[:min(len(username), directory.MaxNameLength)]))
		}
		return func(more ...zap.Field) { entry.Write(append(fields, more...)...) }
	}
	if refusal.Seldom {
		h.server.throttle.seldom.write(refusal.Limit, line)
	} else {
		line()()
	}
	if !req.bodyRead && r.ContentLength != 0 && r.ProtoMajor == 1 {
		// else the server would wait for the body before it sends the answer
		w.Header().Set("Connection", "close")
	}
	return wire.WriteError(w, h.server.Name, refusal)
}

// facts are the log fields that success and refusal share. A client or user appears only
// once it is known to exist: what a stranger types may be a password.
func (h *Handler) facts(req *tokenRequest) []zap.Field {
	fields := make([]zap.Field, 0, 13)
	fields = append(fields,
		zap.String("server", h.server.Name),
		zap.String("endpoint", req.endpoint),
		zap.String("client_ip", req.address),
		zap.Duration("duration", clock.Now().Sub(req.received)))
	if grantType := h.knownGrantType(req); grantType != "" {
		fields = append(fields, zap.String("grant_type", grantType))
	}
	if req.client != nil {
		fields = append(fields, zap.String("client_id", req.client.ID))
	}
	if req.user != nil {
		fields = append(fields, zap.String("user_id", req.user.Subject()))
	} else if req.formerUser != "" {
		fields = append(fields, zap.String("user_id", req.formerUser))
	}
	if req.endUserIP.IsValid() {
		fields = append(fields, zap.String("end_user_ip", req.endUserIP.String()))
	}
	if req.sessionID != "" {
		fields = append(fields, zap.String("session_id", req.sessionID))
	}
	if req.bearerIgnored {
		fields = append(fields, zap.Bool("bearer_ignored", true))
	}
	return fields
}

// knownGrantType is the grant type of a token request if it is one, since others are
// whatever a stranger sent.
func (h *Handler) knownGrantType(req *tokenRequest) string {
	if _, ok := h.server.grants[req.grantType()]; ok && req.endpoint == endpointToken {
		return req.grantType()
	}
	return ""
}

// names of endpoints, for metrics
const (
	endpointToken      = "token"
	endpointRevoke     = "revoke"
	endpointIntrospect = "introspect"
	endpointJWKS       = "jwks"
	endpointMetadata   = "metadata"
	endpointNone       = "none" // there is none at this path
)
