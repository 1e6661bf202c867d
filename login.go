package caddygrant

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddygrant/caddy-grant/internal/browser"
	"github.com/caddygrant/caddy-grant/internal/caddyrequest"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/loginpage"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// visit is one request for the login page.
type visit struct {
	*exchange
	page  *loginPage
	found foundSession // what the cookies of the request say

	origin session.Origin   // of a session that begins
	sent   []browser.Cookie // those cookies
	view   loginpage.View
}

// serveLoginPage answers a request for the page. The cookies were taken out of the
// request.
func serveLoginPage(p *loginPage, endpoint string, w http.ResponseWriter, r *http.Request, logger *zap.Logger) error {
	x := newExchange(w, r, &mount{server: p.server, logger: logger})
	x.endpoint = endpoint
	v := &visit{exchange: x, page: p, sent: cookiesOf(r)}
	err := v.answer()
	countRequest(p.server.Name, x.endpoint, "", x.outcome)
	return err
}

// answer checks what all requests for the page have in common.
func (v *visit) answer() error {
	method, asked := original(v.r)
	v.view.Return = browser.ReturnPath(asked.Query().Get(returnParameter), v.page.isAt)
	v.view.Host = hostOf(v.r)
	v.view.Login, v.view.Logout = pageLinks(asked, v.endpoint)
	switch host := hostOf(v.r); {
	case !v.page.allowHTTP && !wire.IsSecure(v.r, caddyrequest.FromTrustedProxy(v.r)):
		return v.refuse(oauth.NotSecure())
	case !slices.Contains(pageMethods, method):
		return v.refuse(oauth.MethodNotAllowed(pageMethods, false))
	case wire.TooManyParameters(asked.RawQuery):
		return v.refuse(oauth.TooManyParameters())
	case wire.QueryHas(asked.RawQuery, wire.CredentialParameters...):
		return v.refuse(oauth.CredentialsInQuery())
	case v.page.CookieDomain != "" && !browser.DomainCovers(v.page.CookieDomain, host):
		return v.refuse(oauth.WrongHost())
	}
	v.page.cookies.findIn(v.sent, v.server.tokens, v.r, &v.found)
	if v.found.clash {
		v.page.cookies.clear(v.w.Header(), v.sent)
	}
	if v.found.BrowserSession != nil {
		v.view.Username = v.found.Token.Username
	}
	if method != http.MethodPost {
		return v.show()
	}
	if err := v.checkPost(); err != nil {
		return v.refuse(err)
	}
	if v.endpoint == oauth.EndpointLogout {
		return v.logOut()
	}
	return v.logIn()
}

// checkPost refuses a form that another site's page sent, which could log its visitor
// in as somebody else (login CSRF), and one that may be a replay.
func (v *visit) checkPost() error {
	asked := *v.r
	asked.Method = http.MethodPost // which a rewrite may have changed
	if err := v.page.own.Check(&asked, authorityOf(v.r)); err != nil {
		return oauth.CrossOrigin()
	}
	if wire.IsEarly(v.r) {
		return oauth.TooEarly()
	}
	if v.endpoint == oauth.EndpointLogout && v.r.Header["Content-Type"] == nil {
		return nil // a script may send no form, and there is nothing to fill in
	}
	return v.parse()
}

// show answers a GET.
func (v *visit) show() error {
	switch {
	case v.endpoint == oauth.EndpointLogout:
		v.view.Kind = loginpage.Logout
	case v.found.BrowserSession != nil:
		v.view.Kind = loginpage.Session
	default:
		v.view.Kind = loginpage.Form
	}
	return v.write(http.StatusOK)
}

// logIn checks the password, and begins a session.
func (v *visit) logIn() error {
	err := v.checkLogin()
	if err == nil {
		err = v.begin()
	}
	if err != nil {
		v.view.Username = v.params.Get("username")
		v.view.Remember = v.remembers()
		return v.refuse(err)
	}
	return v.redirect(v.view.Return)
}

// checkLogin checks the password. The page stands for a public client: the browser's
// address is that of the user.
func (v *visit) checkLogin() error {
	if !browserOverHTTPS(v.r) && !v.page.allowHTTP && !wire.IsLocalPeer(v.r) {
		return oauth.NotSecure()
	}
	for _, name := range []string{"username", "password"} {
		if v.params.Get(name) == "" {
			return oauth.MissingParameter(name)
		}
	}
	ctx, s := v.r.Context(), v.server
	keys := s.keys.current(ctx)
	if keys == nil {
		return oauth.NoKeys()
	}
	var err error
	if v.origin, err = s.sessions.Origin(ctx); err != nil { // before the password is checked, as for a token
		return errStorage(ctx, err)
	}
	v.usePublicClient(s.policy.Browser.Client)
	checked, err := s.credentials.CheckUser(ctx, keys.Decoy, v.params.Get("username"), v.params.Get("password"), v.sender(addressOf(v.address)))
	v.user, v.repeated, v.locked = checked.Found, checked.Repeated, checked.Locked
	if err != nil {
		return err
	}
	v.scopes, err = v.user.Narrow(s.policy.AllowedScopes(v.client))
	return err
}

// begin begins a session, and gives its cookie to the browser.
func (v *visit) begin() error {
	s := v.server
	keys := s.keys.current(v.r.Context())
	if keys == nil {
		return oauth.NoKeys()
	}
	at := clock.Now().Truncate(time.Second)
	cookie := s.policy.BeginBrowserSession(keys, v.user, v.origin, v.scopes, v.remembers(), at)
	place := v.page.cookies.place(browserOverHTTPS(v.r), hostOf(v.r))
	value, err := keys.Seal(cookie, place, at)
	if err != nil {
		return err
	}
	v.sessionID = cookie.SessionID
	v.endFormer()
	v.page.cookies.clear(v.w.Header(), v.stale(place))
	v.page.cookies.set(v.w.Header(), place, value, rememberedFor(s.tokens, cookie))
	caddyrequest.SetUserID(v.r, cookie.Subject)
	countPageLogin(s.Name)
	event.EmitIssued(v.facts, cookie.Scope, "")
	if entry := v.logger.Check(zapcore.DebugLevel, "session begun"); entry != nil {
		entry.Write(append(v.facts(), zap.String("scope", cookie.Scope))...)
	}
	return nil
}

// remembers tells whether the checkbox was ticked.
func (v *visit) remembers() bool { return v.params.Get("remember") != "" }

// endFormer ends the sessions that the browser had. The login goes on if that fails: the
// browser forgets the cookie all the same.
func (v *visit) endFormer() {
	var former []*token.BrowserSession
	switch {
	case v.found.clash: // whichever of them is the visitor's own
		former = v.found.opened
	case v.found.isGood():
		former = []*token.BrowserSession{v.found.BrowserSession}
	}
	for _, session := range former {
		if err := v.end(session); err != nil {
			v.logger.Error("the session that a login replaces goes on: it could not be revoked", append(v.facts(),
				zap.String("former_session_id", session.SessionID), zap.Error(err))...)
			continue
		}
		event.EmitRevoked(func() []zap.Field { // of the former session
			return append(v.facts(), zap.String("session_id", session.SessionID), zap.String("user_id", session.Subject))
		}, event.ByLogin, "")
	}
}

// stale are the cookies of the request under another name than the one that is set now.
func (v *visit) stale(place token.CookiePlace) []browser.Cookie {
	return slices.DeleteFunc(slices.Clone(v.sent), func(c browser.Cookie) bool { return c.Name == place.Name })
}

// refuse answers with a page that says why, and writes the one log line.
func (v *visit) refuse(err error) error {
	refusal := v.report(loginpage.ToPerson(err))
	v.view.Kind, v.view.Problem = loginpage.Refusal, loginpage.ProblemOf(refusal)
	switch {
	case loginpage.IsOfTheURL(refusal.Reason):
		v.view.Login, _, _ = strings.Cut(v.view.Login, "?")
	case v.endpoint == oauth.EndpointLogin && !v.view.Problem.IsFinal():
		v.view.Kind = loginpage.Form
	}
	switch v.view.Problem {
	case loginpage.WrongPassword:
		v.w.Header().Set("WWW-Authenticate", `Bearer realm="`+v.server.Name+`"`) // which a 401 must have (RFC 9110 §15.5.2)
	case loginpage.WrongHost:
		v.view.Domain = v.page.CookieDomain
	case loginpage.Throttled:
		v.view.Wait = refusal.RetryAfter
	case loginpage.Unavailable:
		if v.endpoint == oauth.EndpointLogout {
			v.view.Problem = loginpage.LoggedOutHere
		}
	}
	if refusal.Allow != "" {
		v.w.Header().Set("Allow", refusal.Allow)
	}
	if refusal.RetryAfter > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(int(refusal.RetryAfter.Seconds())))
	}
	return v.write(refusal.Status)
}

func (v *visit) write(status int) error { return v.page.pages.Write(v.w, v.r, status, v.view) }

// redirect sends the browser on with a GET. The place is a path: the host of the
// request is whatever the browser says.
func (v *visit) redirect(to string) error {
	v.w.Header().Set("Location", to)
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// pageLinks are the places of both pages, by the path that was asked for: it may begin
// with more than this server knows of.
func pageLinks(asked *url.URL, endpoint string) (login, logout string) {
	here := path.Clean("/" + asked.Path) // which cannot be read as another host
	if endpoint == oauth.EndpointLogout {
		here = path.Dir(here)
	}
	login = (&url.URL{Path: here}).EscapedPath()
	logout = strings.TrimSuffix(login, "/") + logoutPath // not //logout, which is a host
	if asked.RawQuery != "" {
		login += "?" + asked.RawQuery
	}
	return login, logout
}

// browserOverHTTPS tells how the browser came: its own word counts, since a proxy in
// between may not say.
func browserOverHTTPS(r *http.Request) bool {
	if origin := r.Header["Origin"]; len(origin) == 1 {
		scheme, _, found := strings.Cut(origin[0], "://")
		if found {
			return strings.EqualFold(scheme, "https")
		}
	}
	return isHTTPS(r)
}

// returnParameter is the parameter of the page's URL that says where to return to.
const returnParameter = "return_to"

// pageMethods are what the page answers.
var pageMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost}
