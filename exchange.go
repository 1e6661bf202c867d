package caddygrant

import (
	"errors"
	"net/http"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/caddyrequest"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// exchange is one request at an endpoint: what is found out about it on the way, its
// one log line, and the answer.
type exchange struct {
	clientRequest

	w http.ResponseWriter
	r *http.Request
	*mount
}

// mount is where a server answers requests, by one handler.
type mount struct {
	server *Server
	path   string // of the token endpoint
	logger *zap.Logger
}

func newExchange(w http.ResponseWriter, r *http.Request, at *mount) *exchange {
	return &exchange{
		clientRequest: clientRequest{
			received: clock.Now(), address: caddyrequest.ClientIP(r), header: r.Header, page: wire.PageOf(r.Header),
			endpoint: oauth.EndpointNone, outcome: outcomeSuccess,
		},
		w: w, r: r, mount: at,
	}
}

// parse reads and checks the form of a POST.
func (x *exchange) parse() error {
	form, err := wire.ReadForm(x.w, x.r)
	x.params, x.bodyRead = form.Params, form.BodyRead
	return err
}

// authenticate finds out which client sends the request, at any endpoint, and returns
// the keys of the server.
func (x *exchange) authenticate() (*token.KeySet, error) {
	keys := x.server.keys.current(x.r.Context())
	if keys == nil {
		return nil, oauth.NoKeys()
	}
	err := x.server.authenticator.authenticate(x.r.Context(), keys, &x.clientRequest)
	x.authenticated = err == nil
	return keys, err
}

// refuse answers with an error, and writes the one log line.
func (x *exchange) refuse(err error) error {
	return wire.WriteError(x.w, x.server.Name, x.report(err))
}

// report takes note of a refusal: for the metrics, and in the one log line. What is
// returned is the answer.
func (x *exchange) report(err error) *oauth.Error {
	refusal, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		refusal = oauth.ServerError(err)
	}
	if refusal.Code == oauth.CodeInvalidClient && x.awaitsChallenge() {
		refusal = refusal.Challenged()
	}
	x.outcome = refusal.Code
	if refusal.Limit != "" && refusal.Status == http.StatusTooManyRequests {
		countThrottled(x.server.Name, refusal.Limit)
	}
	x.emit(refusal)
	caddyrequest.AddLogField(x.r, zap.String("oauth_error", refusal.Code))
	if grantType := x.knownGrantType(); grantType != "" {
		caddyrequest.AddLogField(x.r, zap.String("grant_type", grantType))
	}

	line := func() func(...zap.Field) {
		return caddyrequest.Refusal{
			Level: levelOf(refusal), Message: "request refused", Status: refusal.Status, Code: refusal.Code,
			Reason: refusal.Reason, Remedy: refusal.Remedy, Cause: refusal.Cause,
		}.Line(x.logger, x.facts, func() []zap.Field { return x.details(refusal) })
	}
	switch {
	case refusal.Seldom:
		x.server.throttle.seldom.Write(refusal.Limit, line)
	case directory.IsBusy(refusal.Cause):
		x.server.throttle.seldom.Write(refusal.Cause.Error(), line) // which names the source
	default:
		line()()
	}
	if !x.bodyRead && x.r.ContentLength != 0 && x.r.ProtoMajor == 1 {
		// otherwise the server would wait for the body before it sends the answer
		x.w.Header().Set("Connection", "close")
	}
	return refusal
}

// emit sends the events of a refusal.
func (x *exchange) emit(refusal *oauth.Error) {
	attempt := func() []zap.Field { return append(x.facts(), x.usernameFields()...) }
	event.EmitRefused(attempt, event.Refusal{
		Status: refusal.Status, OAuthError: refusal.Code, Reason: refusal.Reason, Limit: refusal.Limit,
	})
	if refusal.Limit != "" && refusal.Status == http.StatusTooManyRequests {
		event.EmitThrottled(attempt, refusal.Limit, refusal.RetryAfter)
	}
	if x.locked && x.user != nil {
		event.EmitLocked(attempt)
	}
	if x.reused {
		event.EmitReuseDetected(x.facts)
	}
	if refusal.Alarm { // the session has ended
		event.EmitRevoked(x.facts, event.ByServer, refusal.Reason)
	}
}

// levelOf is info for what the client caused, warn if that may be a theft, and error
// for a fault of the server.
func levelOf(refusal *oauth.Error) zapcore.Level {
	switch {
	case refusal.Ours:
		return zapcore.ErrorLevel
	case refusal.Alarm:
		return zapcore.WarnLevel
	}
	return zapcore.InfoLevel
}

// details are the log fields that only some refusals have.
func (x *exchange) details(refusal *oauth.Error) (fields []zap.Field) {
	if refusal.ScopeAllowed != nil {
		fields = append(fields, zap.String("scope_allowed", strings.Join(refusal.ScopeAllowed, " ")))
	}
	if refusal.Limit != "" {
		fields = append(fields, zap.String("limit", refusal.Limit))
	}
	if x.repeated {
		fields = append(fields, zap.Bool("repeated", true))
	}
	if x.page != wire.SameSite {
		fields = append(fields, zap.Bool("cross_site", true))
	}
	return append(fields, x.usernameFields()...)
}

// usernameFields is the username that was sent, if it may be logged.
func (x *exchange) usernameFields() []zap.Field {
	username := x.params.Get("username")
	if username == "" || !x.server.LogUsernames {
		return nil
	}
	return []zap.Field{zap.String("username", username[:min(len(username), directory.MaxNameLength)])}
}

// facts are the log fields that success and refusal share. A client or user is logged
// only once it is known to exist: what a stranger types may be a password.
func (x *exchange) facts() []zap.Field {
	fields := make([]zap.Field, 0, 13)
	fields = append(fields,
		zap.String("server", x.server.Name),
		zap.String("endpoint", x.endpoint),
		zap.String("client_ip", x.address),
		zap.Duration("duration", clock.Now().Sub(x.received)))
	if grantType := x.knownGrantType(); grantType != "" {
		fields = append(fields, zap.String("grant_type", grantType))
	}
	if x.client != nil {
		fields = append(fields, zap.String("client_id", x.client.ID))
	}
	if x.user != nil {
		fields = append(fields, zap.String("user_id", x.user.Subject()))
	} else if x.formerUser != "" {
		fields = append(fields, zap.String("user_id", x.formerUser))
	}
	if x.endUserIP.IsValid() {
		fields = append(fields, zap.String("end_user_ip", x.endUserIP.String()))
	}
	if x.sessionID != "" {
		fields = append(fields, zap.String("session_id", x.sessionID))
	}
	if x.bearerIgnored {
		fields = append(fields, zap.Bool("bearer_ignored", true))
	}
	return fields
}

// knownGrantType is the grant type of a token request if the server offers it. Any
// other is whatever a stranger sent.
func (x *exchange) knownGrantType() string {
	if x.endpoint == oauth.EndpointToken && x.server.grant(x.grantType()) != nil {
		return x.grantType()
	}
	return ""
}
