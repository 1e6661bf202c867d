package caddygrant

import (
	"bytes"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/caddyrequest"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// serveToken answers a token request (RFC 6749 §3.2).
func serveToken(x *exchange) error {
	answer := buffer.Borrow()
	issued, err := issueTokens(x, answer)
	if err != nil {
		buffer.ReturnSecret(answer)
		return x.refuse(err)
	}
	if x.user != nil {
		caddyrequest.SetUserID(x.r, x.user.Subject())
	} else {
		caddyrequest.AddLogField(x.r, zap.String("client_id", x.client.ID))
	}
	caddyrequest.AddLogField(x.r, zap.String("grant_type", x.grantType()))
	event.EmitIssued(x.facts, issued.Scope, issued.TokenID)
	if entry := x.logger.Check(zapcore.DebugLevel, "token issued"); entry != nil {
		entry.Write(append(x.facts(),
			zap.String("scope", issued.Scope),
			zap.String("token_id", issued.TokenID))...)
	}
	return wire.WriteSecret(x.w, answer)
}

// issueTokens handles every token request, whatever its grant: which client sends it,
// whether the client may use this grant, whether the grant's parameters are there, and
// which scopes it requests; then the grant says who the user is, if there is one, and
// the tokens are issued. The order is that of RFC 6749's security considerations: no
// password is checked before the client is authenticated, and no answer about a scope
// says anything about a password.
func issueTokens(x *exchange, answer *bytes.Buffer) (none token.Issued, err error) {
	ctx, s := x.r.Context(), x.server
	if x.grantType() == "" {
		return none, oauth.MissingParameter("grant_type")
	}
	grant := s.grant(x.grantType())
	if grant == nil {
		return none, oauth.UnsupportedGrantType()
	}
	keys, err := x.authenticate()
	if err != nil {
		return none, err
	}
	if x.grantType() == oauth.GrantTypePassword {
		end := x.client.PasswordDeprecation()
		wire.AnnounceDeprecation(x.w.Header(), end.Since, end.Sunset, end.Link)
	}
	if !x.client.MayUse(x.grantType()) {
		return none, oauth.UnauthorizedClient()
	}
	for _, name := range grant.parameters() {
		if x.params.Get(name) == "" {
			return none, oauth.MissingParameter(name)
		}
	}
	if err := checkScope(x); err != nil {
		return none, err
	}
	authorization, err := grant.authorize(ctx, keys, &x.clientRequest)
	if err != nil {
		return none, err
	}
	at := clock.Now().Truncate(time.Second)
	if authorization.Session == nil {
		authorization.Session = s.policy.NewSession(authorization, x.scopes, at)
	}
	x.sessionID = authorization.Session.ID
	return s.policy.Issue(ctx, keys, authorization, at, answer)
}

// checkScope reads the scope parameter (RFC 6749 §3.3) and checks it against what the
// client may request. If it is omitted, x.scopes stays nil: the grant knows the
// default.
func checkScope(x *exchange) error {
	value := x.params.Get("scope")
	if value == "" {
		return nil
	}
	scopes, ok := oauth.ParseScope(value)
	if !ok {
		return oauth.InvalidScope("scope_malformed", "the scope must be a list of names with spaces between them")
	}
	if len(scopes) == 0 {
		return nil
	}
	allowed := x.server.policy.AllowedScopes(x.client)
	for _, scope := range scopes {
		if !slices.Contains(allowed, scope) {
			return oauth.ScopeNotAllowed(allowed)
		}
	}
	x.scopes = scopes
	return nil
}
