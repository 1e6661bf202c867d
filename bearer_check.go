package caddygrant

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/browser"
	"github.com/caddygrant/caddy-grant/internal/caddyrequest"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/pathreading"
)

// What a BearerAuth does with a request.

// ServeHTTP checks a request. Whatever the result, the client's own identity headers
// are removed first, and so is an upgrade by which further requests would get past the
// check.
func (b *BearerAuth) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	state := bearerStateOf(r)
	takeCookies(r, b.app.cookieNames)
	takeKeys(r, b.app.keyHeaders)
	state.removeIdentityHeaders(r, b.app.identityHeaders)
	bearer.RestrictUpgrade(r, b.Upgrade)
	if b.Off {
		return next.ServeHTTP(w, r)
	}
	if page := b.loginPage(); page != nil {
		if endpoint := page.askedFor(r); endpoint != "" {
			return serveLoginPage(page, endpoint, w, r, b.logger)
		}
	}

	needed, refusal, err := b.needsCheck(r)
	if err != nil {
		return err
	}
	if !needed {
		b.withholdKey(state, r)
		return next.ServeHTTP(w, r)
	}
	var sender bearer.Named
	var session *foundSession
	if refusal == nil {
		sender, session, refusal = b.check(state, r)
	}
	countBearerCheck(b.Server, b.Shadow, bearerOutcome(sender, refusal))
	if session != nil && session.clash && !b.Shadow {
		b.loginPage().cookies.clear(w.Header(), cookiesOf(r))
		// else a cache would clear them for all others
		private := browser.Private(w, isNavigation(r), nil)
		defer private.Finish()
		w = private
	}
	if refusal != nil {
		return b.refuse(w, r, next, refusal)
	}
	if sender.Identity == nil || b.Shadow {
		return next.ServeHTTP(w, r)
	}
	state.setUserPlaceholders(r, sender)
	b.setIdentityHeaders(r, sender)
	logSender(r, sender)
	if session.isGood() {
		return b.pass(state, w, r, next, session)
	}
	if !state.byKeyHeader { // else Authorization is the app's own
		b.forwardToken(state, r)
	}
	return next.ServeHTTP(w, r)
}

// pass lets a request through that only its session lets through.
func (b *BearerAuth) pass(state *bearerState, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, session *foundSession) error {
	page := b.loginPage()
	if !b.ForwardToken {
		state.withhold(r)
		state.removeKeys(r)
	} else if err := page.forward(state, r, session); err != nil {
		b.logger.Error("making the token for the app", append(b.facts(r), zap.Error(err))...)
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	private := page.keepPrivate(w, r, session, b.logger)
	defer private.Finish()
	err := next.ServeHTTP(private, r)
	if err != nil {
		private.Forgo() // of the renewal: handle_errors writes the answer, and has the last word
	}
	return err
}

// loginPage is the login page of the server, or nil if there is none whose sessions are
// taken.
func (b *BearerAuth) loginPage() *loginPage {
	page := b.app.pages[b.Server]
	if page == nil || b.accepted.issuersOnly {
		return nil
	}
	return page
}

// needsCheck tells whether a request is to be checked. A refusal means that this cannot
// be told.
func (b *BearerAuth) needsCheck(r *http.Request) (bool, *bearer.Error, error) {
	if b.open.Have(r.URL) {
		return false, nil, nil
	}
	if b.matchers == nil {
		return true, nil, nil
	}
	if pathreading.IsPlain(r.URL) {
		matches, err := b.matchers.AnyMatchWithError(r)
		return matches, nil, err
	}
	return b.matchesAnyReading(r)
}

// matchesAnyReading asks the matchers for each reading of the path. They see it in the
// request itself, where placeholders look for it too. The path as it is comes last, so
// that what matchers leave behind, such as captures, is about that.
func (b *BearerAuth) matchesAnyReading(r *http.Request) (bool, *bearer.Error, error) {
	readings := pathreading.Of(r.URL)
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
		return true, bearer.InvalidRequest("the path has a dot segment"), nil
	case readings.Doubt == pathreading.Ambiguous:
		return true, bearer.InvalidRequest("the path is ambiguous"), nil
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

// check finds the credential of a request, or the session of its browser, and what is
// wrong with it. Without an error and without an identity the request is anonymous.
// session is what the cookies say, nil if they do not matter.
func (b *BearerAuth) check(state *bearerState, r *http.Request) (sender bearer.Named, session *foundSession, refusal *bearer.Error) {
	if refusal = b.accepted.await(r.Context()); refusal != nil {
		return sender, nil, refusal
	}
	shown, refusal := b.accepted.credentialOf(r, state)
	session = b.loginPage().sessionOf(state, r, b.accepted)
	switch {
	case session.isGood():
		return b.accepted.named(session.Token), session, b.loginPage().admits(r, session, b.accepted)
	case session != nil && isUnchecked(session.err):
		return sender, session, uncheckable(session.err)
	case refusal == nil:
		sender, refusal = b.accepted.check(r.Context(), state, shown)
		state.byKeyHeader = shown.InHeader
		return sender, session, refusal
	case refusal.Kind != bearer.Anonymous:
		return sender, session, refusal
	case b.Optional:
		return sender, session, nil
	case session != nil && session.err != nil: // it was good once
		refusal.Reason = "the session cookie: " + session.err.Error()
		refusal.Identity = session.of.Token
	}
	return sender, session, refusal
}

// bearerOutcome is the result of a check in one word of a closed set.
func bearerOutcome(sender bearer.Named, refusal *bearer.Error) string {
	switch {
	case refusal == nil && sender.Identity == nil:
		return outcomeAnonymous
	case refusal == nil:
		return outcomeSuccess
	case refusal.Code != "":
		return refusal.Code
	case refusal.Kind == bearer.Unchecked:
		return outcomeUnavailable
	case refusal.Kind == bearer.CrossOrigin:
		return outcomeCrossOrigin
	case refusal.Kind == bearer.NotForHere:
		return outcomeWrongAudience
	}
	return outcomeNone
}

// refuse logs the reason, and answers as RFC 6750 requires unless the check is in
// shadow mode.
func (b *BearerAuth) refuse(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, refusal *bearer.Error) error {
	page := b.loginPage()
	shown := page != nil && refusal.Kind != bearer.Other && isNavigation(r)
	switch {
	case b.Shadow:
		b.log(r, "request would be refused", refusal.Status, refusal)
	case shown && refusal.Kind == bearer.Anonymous:
		if refusal.Identity == nil && len(bearerStateOf(r).authorization) == 0 {
			refusal.Reason = "no session cookie"
		}
		b.log(r, "sent to the login page", http.StatusSeeOther, refusal)
	default:
		b.log(r, "request refused", refusal.Status, refusal)
	}
	if b.Shadow {
		caddyrequest.AddLogField(r, zap.String("bearer_refusal", refusal.Reason))
		return next.ServeHTTP(w, r)
	}
	b.withholdKey(bearerStateOf(r), r) // from the pages of handle_errors
	if refusal.Code != "" {
		caddyrequest.AddLogField(r, zap.String("oauth_error", refusal.Code))
	}
	refusal.SetHeaders(w.Header(), b.Server)
	if shown {
		return page.answer(w, r, refusal)
	}
	return caddyhttp.Error(refusal.Status, refusal)
}

// log writes the one log line. Only what is the fault of this server is an error.
func (b *BearerAuth) log(r *http.Request, message string, status int, refusal *bearer.Error) {
	line := caddyrequest.Refusal{
		Level: zapcore.InfoLevel, Message: message, Status: status, Code: refusal.Code, Reason: refusal.Reason, Cause: refusal.Cause,
	}
	if refusal.Kind == bearer.Unchecked {
		line.Level = zapcore.ErrorLevel
	}
	if refusal.Identity == nil {
		line.Remedy = b.app.remedyAt(r)
	}
	line.Line(b.logger, func() []zap.Field { return b.facts(r) }, func() []zap.Field { return detailsOf(refusal) })()
}

// facts are the log fields of every refusal.
func (b *BearerAuth) facts(r *http.Request) []zap.Field {
	return append(make([]zap.Field, 0, 16),
		zap.String("server", b.Server),
		zap.String("client_ip", caddyrequest.ClientIP(r)),
		zap.String("method", caddyrequest.Bounded(r.Method)),
		zap.String("host", caddyrequest.Bounded(r.Host)),
		zap.String("path", caddyrequest.Bounded(caddyrequest.LoggedPath(r))),
		zap.Duration("duration", clock.Now().Sub(bearerStateOf(r).received)))
}

// detailsOf are the log fields that only some refusals have. Client, user and session
// are named if the credential was verified, whatever happened to it since.
func detailsOf(refusal *bearer.Error) (fields []zap.Field) {
	if refusal.Issuer != "" && refusal.Identity == nil {
		fields = append(fields, zap.String("issuer", refusal.Issuer))
	}
	if id := refusal.Identity; id != nil {
		for _, fact := range [...]struct{ field, claim string }{
			{"issuer", "iss"}, {"client_id", "client_id"}, {"user_id", "sub"}, {"session_id", "sid"}, {"api_key", "key_name"},
		} {
			if value, _ := id.Claim(fact.claim).(string); value != "" {
				fields = append(fields, zap.String(fact.field, caddyrequest.Bounded(value)))
			}
		}
		if refusal.Scope != "" {
			scope, _ := id.Claim("scope").(string)
			fields = append(fields, zap.String("scope_needed", refusal.Scope), zap.String("scope", caddyrequest.Bounded(scope)))
		}
	}
	if refusal.Claim != "" {
		fields = append(fields, zap.String("claim_needed", refusal.Claim))
	}
	return fields
}

// logSender adds to the access log what {http.auth.user.id} does not say: which client
// it was, if it is not a user, and which API key was used.
func logSender(r *http.Request, sender bearer.Named) {
	if sender.IsClient() {
		id, _ := sender.Claim("client_id").(string)
		caddyrequest.AddLogField(r, zap.String("client_id", id))
	}
	if key, _ := sender.Claim("key_name").(string); key != "" {
		caddyrequest.AddLogField(r, zap.String("api_key", key))
	}
}

// setIdentityHeaders sets the headers of the claims that the sender has.
func (b *BearerAuth) setIdentityHeaders(r *http.Request, sender bearer.Named) {
	for _, c := range b.CopyClaims {
		bearer.SetIdentityHeader(r.Header, c.Header, sender.Lookup(c.Claim))
	}
}

// withholdKey takes an API key out of a request that no key lets through: it is for this
// server alone, as a session cookie is. Where another check of the request leaves it for
// the app, it stays.
func (b *BearerAuth) withholdKey(state *bearerState, r *http.Request) {
	if !b.accepted.keys || !slices.ContainsFunc(state.authorization, hasBearerKey) {
		return
	}
	switch {
	case b.ForwardToken && b.open.Have(r.URL):
		b.forwardToken(state, r)
	case !b.ForwardToken && !state.forwarded && slices.Equal(r.Header["Authorization"], state.authorization):
		r.Header.Del("Authorization")
		state.stripped = true
	}
}

// forwardToken leaves the client's token for the app or removes it, as the innermost
// check says. What the site itself put in its place stays.
func (b *BearerAuth) forwardToken(state *bearerState, r *http.Request) {
	state.forwarded = b.ForwardToken
	switch {
	case b.ForwardToken && state.stripped && r.Header["Authorization"] == nil:
		r.Header["Authorization"] = state.authorization
		state.stripped = false
	case !b.ForwardToken && slices.Equal(r.Header["Authorization"], state.authorization):
		r.Header.Del("Authorization")
		state.stripped = true
	}
}
