package caddygrant

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/browser"
	"github.com/caddygrant/caddy-grant/internal/loginpage"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// What a bearer_auth does with the sessions of a login page.

// sessionOf is what the cookies of a request say, or nil if they do not matter: a
// credential that counts at the check goes first, and so does a Bearer token that this
// server issued, also where it is refused.
func (p *loginPage) sessionOf(state *bearerState, r *http.Request, at *accepted) *foundSession {
	if p == nil || len(cookiesOf(r)) == 0 || len(keysOf(r)[at.keyHeader]) > 0 {
		return nil
	}
	if slices.ContainsFunc(bearer.TokensIn(state.authorization), func(raw string) bool { return at.counts(raw) || p.issued(r.Context(), raw) }) {
		return nil
	}
	return state.sessionFor(r, p)
}

// issued tells whether a token is one of the server's.
func (p *loginPage) issued(ctx context.Context, raw string) bool {
	checked, err := p.server.tokens.Check(ctx, raw)
	if checked != nil || isUnchecked(err) {
		return true
	}
	keys := p.server.keys.current(ctx)
	if keys == nil {
		return false
	}
	_, err = token.OpenRefreshToken(keys, raw)
	return err == nil
}

// admits tells what is wrong with a request that only a session lets through.
func (p *loginPage) admits(r *http.Request, found *foundSession, at *accepted) *bearer.Error {
	sender := at.named(found.Token)
	if err := p.checkOrigin(r); err != nil {
		return bearer.CrossSession().Of(sender)
	}
	if refusal := at.admitsName(sender, ""); refusal != nil {
		return refusal
	}
	if at.audience != nil && !slices.ContainsFunc(at.audience, func(a string) bool { return slices.Contains(p.server.Audience, a) }) {
		return bearer.SessionNotForHere().Of(sender)
	}
	if !sender.HasScopes(at.demands.Scopes) {
		return bearer.SessionLacksScope(at.demands.Scopes).Of(sender)
	}
	if claim := sender.Unmet(at.demands.Require); claim != "" {
		return bearer.SessionLacksClaim(claim).Of(sender)
	}
	return nil
}

// checkOrigin refuses what a page of another origin sends, unless it is trusted or
// cannot change anything.
func (p *loginPage) checkOrigin(r *http.Request) error {
	method, _ := original(r)
	host := authorityOf(r)
	err := p.apps.Check(r, host)
	if err == nil && method != r.Method {
		asked := *r
		asked.Method = method
		err = p.apps.Check(&asked, host)
	}
	return err
}

// keepPrivate makes the answer to a request that a session let through one that no
// shared cache keeps, and renews the cookie with it.
func (p *loginPage) keepPrivate(w http.ResponseWriter, r *http.Request, found *foundSession, logger *zap.Logger) *browser.PrivateAnswer {
	return browser.Private(w, isNavigation(r), func(h http.Header) {
		if err := p.cookies.renew(r.Context(), p.server.tokens, h, found); err != nil {
			logger.Error("renewing a session cookie", zap.String("server", p.server.Name), zap.Error(err))
		}
	})
}

// forward gives the app an access token in place of the cookie, unless the request has
// an Authorization header of its own.
func (p *loginPage) forward(state *bearerState, r *http.Request, found *foundSession) error {
	if r.Header["Authorization"] != nil {
		return nil
	}
	raw, err := p.server.tokens.AccessToken(r.Context(), found.BrowserSession)
	if err != nil {
		return err
	}
	state.made = "Bearer " + raw
	r.Header["Authorization"] = []string{state.made}
	return nil
}

// answer answers a navigation that is refused with a page, or sends it to the form.
func (p *loginPage) answer(w http.ResponseWriter, r *http.Request, refusal *bearer.Error) error {
	if refusal.Kind == bearer.Anonymous {
		p.ask(w, r)
		return nil
	}
	view := loginpage.View{
		Kind: loginpage.Refusal, Host: hostOf(r), Login: p.Path, Logout: p.Path + logoutPath, Return: p.placeOf(r),
	}
	if refusal.Identity != nil {
		view.Username, _ = refusal.Identity.Claim("username").(string)
	}
	switch refusal.Kind {
	case bearer.CrossOrigin:
		view.Problem = loginpage.CrossOrigin
	case bearer.LacksScope, bearer.LacksClaim:
		view.Problem, view.Scopes = loginpage.ScopeMissing, missing(refusal)
	case bearer.NotForHere:
		view.Problem = loginpage.AudienceMissing
	default:
		view.Problem = loginpage.Unavailable
	}
	return p.pages.Write(w, r, refusal.Status, view)
}

// placeOf is where a browser may return to after a request. What a form sent is not sent
// again, so then there is no such place but /.
func (p *loginPage) placeOf(r *http.Request) string {
	method, asked := original(r)
	if method != http.MethodGet && method != http.MethodHead {
		return "/"
	}
	return browser.ReturnPath(asked.RequestURI(), p.isAt)
}

// missing are the scopes that a session lacks.
func missing(refusal *bearer.Error) []string {
	return slices.DeleteFunc(strings.Fields(refusal.Scope), func(scope string) bool {
		return refusal.Identity.HasScope(scope)
	})
}

// ask sends a browser to the form, with where to return.
func (p *loginPage) ask(w http.ResponseWriter, r *http.Request) {
	to := (&url.URL{Path: p.Path}).EscapedPath()
	if place := p.placeOf(r); place != "/" {
		to += "?" + returnParameter + "=" + url.QueryEscape(place)
	}
	h := w.Header()
	h.Del("WWW-Authenticate")
	h.Set("Cache-Control", "no-store")
	h.Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// isNavigation tells whether a tab shows the answer to a request.
func isNavigation(r *http.Request) bool {
	method, _ := original(r)
	if method == r.Method { // all that is read beside the header
		return browser.IsNavigation(r)
	}
	asked := *r
	asked.Method = method
	return browser.IsNavigation(&asked)
}
