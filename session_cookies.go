package caddygrant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/browser"
	"github.com/caddygrant/caddy-grant/internal/caddyrequest"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// sessionCookies is how the sessions of a login page stand in cookies.
type sessionCookies struct {
	secure string // the name over HTTPS
	plain  string // the name over HTTP
	domain string // empty for the host alone
}

func newSessionCookies(name, domain string) *sessionCookies {
	prefix := "__Host-"
	if domain != "" {
		prefix = "__Secure-"
	}
	return &sessionCookies{secure: prefix + name, plain: name, domain: domain}
}

// names are all names that the cookie can have.
func (c *sessionCookies) names() []string { return []string{c.secure, c.plain} }

// foundSession is what the cookies of a request say. It is not copied.
type foundSession struct {
	*token.BrowserSession // nil if there is no good one

	place  token.CookiePlace
	opened []*token.BrowserSession  // all that this server has sealed, good or not
	room   [1]*token.BrowserSession // for those of most requests
	err    error                    // why one of these is not good, or why that cannot be told
	of     *token.BrowserSession    // that one; nil if there is none
	clash  bool                     // there are good ones of several sessions, or too many to tell
}

// findIn checks the cookies of a request. A cookie that this server did not seal counts
// as absent. So do two good ones of different sessions: one of them was planted. Where
// the browser may have come over HTTPS, the name without a prefix is not read: another
// host of the domain can plant it. A proxy need not be trusted for that.
func (c *sessionCookies) findIn(cookies []browser.Cookie, tokens *token.Checker, r *http.Request, found *foundSession) {
	found.opened = found.room[:0]
	host, overHTTPS, tried := hostOf(r), r.TLS != nil || wire.SaysHTTPS(r), 0
	for _, cookie := range cookies {
		if cookie.Name != c.secure && (cookie.Name != c.plain || overHTTPS) {
			continue
		}
		if tried++; tried > maxCookiesTried {
			found.clash = true // there may be a good one among the others
			break
		}
		place := c.place(cookie.Name == c.secure, host)
		session, err := tokens.CheckCookie(r.Context(), cookie.Value, place)
		found.add(session, place, err)
	}
	if found.clash || isUnchecked(found.err) {
		found.BrowserSession = nil
	}
}

// add takes in what was found out about one cookie.
func (f *foundSession) add(session *token.BrowserSession, place token.CookiePlace, err error) {
	if session != nil && !slices.ContainsFunc(f.opened, func(s *token.BrowserSession) bool { return s.SessionID == session.SessionID }) {
		f.opened = append(f.opened, session)
	}
	switch {
	case err != nil:
		if unchecked := isUnchecked(err); unchecked || session != nil && f.err == nil {
			f.err, f.of = err, session
		}
	case f.BrowserSession == nil || f.SessionID == session.SessionID && session.Sealed > f.Sealed:
		f.BrowserSession, f.place = session, place
	case f.SessionID != session.SessionID:
		f.clash = true
	}
}

// isGood tells whether there is a session to go by.
func (f *foundSession) isGood() bool { return f != nil && f.BrowserSession != nil }

// isUnchecked tells whether it cannot be told whether a session is good.
func isUnchecked(err error) bool {
	_, unchecked := errors.AsType[token.UncheckedError](err)
	return unchecked
}

// place is where a cookie belongs.
func (c *sessionCookies) place(secure bool, host string) token.CookiePlace {
	place := token.CookiePlace{Name: c.plain, Host: host}
	if secure {
		place.Name = c.secure
	}
	if c.domain != "" {
		place.Host = ""
	}
	return place
}

// isSecure tells whether a place is for HTTPS.
func (c *sessionCookies) isSecure(place token.CookiePlace) bool { return place.Name == c.secure }

// set gives a session to the browser. Without a duration it ends with the browser.
func (c *sessionCookies) set(h http.Header, place token.CookiePlace, value string, remember time.Duration) {
	browser.SetCookie{
		Name: place.Name, Value: value, Domain: c.domain, Secure: c.isSecure(place), MaxAge: remember,
	}.AddTo(h)
}

// renew seals the cookie of a session anew, if it is time to.
func (c *sessionCookies) renew(ctx context.Context, tokens *token.Checker, h http.Header, found *foundSession) error {
	value, renewed, err := tokens.Renew(ctx, found.BrowserSession, found.place)
	if renewed {
		c.set(h, found.place, value, rememberedFor(tokens, found.SessionCookie))
	}
	return err
}

// rememberedFor is how long the browser is to keep a cookie, or zero if the cookie ends
// with the browser.
func rememberedFor(tokens *token.Checker, cookie *token.SessionCookie) time.Duration {
	if !cookie.Remembered {
		return 0
	}
	left := tokens.Browser.Expires(cookie).Sub(clock.Now())
	return max((left + time.Second - 1).Truncate(time.Second), time.Second)
}

// clear takes the cookies away from the browser, under each name that the request has
// or that it would get.
func (c *sessionCookies) clear(h http.Header, cookies []browser.Cookie) {
	has := func(name string) bool {
		for _, cookie := range cookies {
			if cookie.Name == name {
				return true
			}
		}
		return false
	}
	for _, name := range c.names() {
		if has(name) {
			browser.SetCookie{Name: name, Domain: c.domain, Secure: name == c.secure}.ClearFrom(h)
		}
	}
}

// takenCookies are the session cookies of a request, which were taken out of it.
type takenCookies struct{ list []browser.Cookie }

// Format does not print them: they are a variable of the request, which {http.vars.*}
// can print.
func (*takenCookies) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "taken") }

// String is what Format prints.
func (*takenCookies) String() string { return "taken" }

// takeCookies takes the session cookies out of a request: the app must not see them, on
// whatever path.
func takeCookies(r *http.Request, names map[string]bool) {
	if len(names) == 0 || len(r.Header["Cookie"]) == 0 {
		return
	}
	taken := browser.TakeCookies(r.Header, func(name string) bool { return names[name] })
	if len(taken) == 0 {
		return
	}
	if before := cookiesOf(r); before != nil {
		taken = append(before, taken...)
	}
	caddyhttp.SetVar(r.Context(), takenCookiesVar, &takenCookies{taken})
}

// cookiesOf are the session cookies that were taken out of a request.
func cookiesOf(r *http.Request) []browser.Cookie {
	if taken, ok := caddyhttp.GetVar(r.Context(), takenCookiesVar).(*takenCookies); ok {
		return taken.list
	}
	return nil
}

// original is the method and the URL of a request as it came, before other handlers
// rewrote them.
func original(r *http.Request) (method string, u *url.URL) {
	if as, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return as.Method, as.URL
	}
	return r.Method, r.URL
}

// hostOf is the host that the browser asked for, without a port.
func hostOf(r *http.Request) string {
	host := authorityOf(r)
	if strings.Contains(host, ":") { // else the error is an allocation
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// authorityOf is the host with its port, if there is one, as the browser wrote it.
func authorityOf(r *http.Request) string {
	if caddyrequest.FromTrustedProxy(r) {
		if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" {
			first, _, _ := strings.Cut(forwarded, ",")
			return strings.TrimSpace(first)
		}
	}
	return r.Host
}

// isHTTPS tells whether the browser came over HTTPS, as far as that is certain.
func isHTTPS(r *http.Request) bool {
	return r.TLS != nil || caddyrequest.FromTrustedProxy(r) && wire.SaysHTTPS(r)
}

const takenCookiesVar = "caddy_grant.cookies"

// maxCookiesTried is how many cookies of the name are looked at. A sibling host can
// plant some, and browsers keep about 180 for a site.
const maxCookiesTried = 200
