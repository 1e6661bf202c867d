package caddygrant

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/browser"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/pathreading"
	"github.com/caddygrant/caddy-grant/internal/setting"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// LoginPage is the settings of a page on which people log in with a browser. Their
// session is in a sealed cookie, which every `bearer_auth` of the server takes in place
// of an access token.
type LoginPage struct {
	// The path of the page, on every site with a `bearer_auth` of the server. Below it,
	// at `<path>/logout`, is the page to log out. Default: `<path>/login` of the token
	// endpoint.
	Path string `json:"path,omitempty"`

	// The heading of the page. Placeholders are replaced at start. Default: the host of
	// the request.
	Title string `json:"title,omitempty"`

	// The path of a file with an html/template that takes the place of the page.
	// Placeholders are replaced at start. Default: none, the page that is built in.
	Template string `json:"template,omitempty"`

	// The scopes of a login, as far as the user may have them. Placeholders are
	// replaced at start. Default: those of the server.
	Scopes []string `json:"scopes,omitzero"`

	// How long after the login a session ends, however often it is used. Default: `7d`.
	SessionTTL caddy.Duration `json:"session_ttl,omitempty"`

	// How long after the last request a session ends, to within a tenth. Default:
	// `12h`, or session_ttl if that is shorter.
	IdleTTL caddy.Duration `json:"idle_ttl,omitempty"`

	// How long a session lasts for users who tick a checkbox: also when they close the
	// browser, and without regard to session_ttl and idle_ttl. Without the tick the
	// cookie ends with the browser. Default: `0`, there is no checkbox.
	Remember caddy.Duration `json:"remember,omitempty"`

	// The domain whose sites share one login, such as `example.com`. Default: none,
	// every host has its own.
	CookieDomain string `json:"cookie_domain,omitempty"`

	// The name of the cookie, without the prefix `__Host-` or `__Secure-`, which it
	// gets over HTTPS. Default: `grant-<name of the server>`, and `-<cookie_domain>` if
	// there is one.
	CookieName string `json:"cookie_name,omitempty"`

	// Where a browser goes after a logout: a path on the same host. Default: none, a
	// page says that the user is logged out.
	AfterLogout string `json:"after_logout,omitempty"`

	// The origins whose pages may send requests with the session's cookie that change
	// something, such as `https://app.example.com`. Default: none but the site's own.
	TrustedOrigins []string `json:"trusted_origins,omitempty"`
}

// resolve replaces the placeholders.
func (l *LoginPage) resolve(repl *caddy.Replacer) error {
	for _, text := range []struct {
		name  string
		value *string
	}{{"title", &l.Title}, {"template", &l.Template}, {"cookie_domain", &l.CookieDomain}} {
		resolved, err := setting.Resolve(repl, text.name, *text.value)
		if err != nil {
			return fmt.Errorf("login_page: %w", err)
		}
		*text.value = resolved
	}
	var err error
	if l.Scopes, err = setting.ResolveList(repl, "scopes", l.Scopes); err != nil {
		return fmt.Errorf("login_page: %w", err)
	}
	if l.TrustedOrigins, err = setting.ResolveList(repl, "trusted_origins", l.TrustedOrigins); err != nil {
		return fmt.Errorf("login_page: %w", err)
	}
	return nil
}

// checkEarly is validate for settings whose placeholders are not replaced yet, as far
// as that is possible.
func (l *LoginPage) checkEarly(server string) error {
	early := *l
	early.Path = cmp.Or(l.Path, defaultPath+loginPath)
	if strings.Contains(l.CookieDomain, "{") {
		early.CookieDomain = ""
	}
	if slices.ContainsFunc(l.TrustedOrigins, func(origin string) bool { return strings.Contains(origin, "{") }) {
		early.TrustedOrigins = nil
	}
	return early.validate(server)
}

// validate checks the settings and fills in defaults.
func (l *LoginPage) validate(server string) error {
	if err := l.check(server); err != nil {
		return fmt.Errorf("login_page: %w", err)
	}
	return nil
}

func (l *LoginPage) check(server string) error {
	if err := pathreading.ValidateLiteral(l.Path); err != nil {
		return err
	}
	if err := oauth.ValidateScopes("scopes", l.Scopes); err != nil {
		return err
	}
	if err := l.checkLifetimes(); err != nil {
		return err
	}
	if err := l.checkCookie(server); err != nil {
		return err
	}
	if l.AfterLogout != "" && browser.ReturnPath(l.AfterLogout, nil) != l.AfterLogout {
		return fmt.Errorf("after_logout %q: it must be a path on the same host, such as /goodbye", l.AfterLogout)
	}
	if _, err := browser.NewOrigins(l.TrustedOrigins); err != nil {
		return fmt.Errorf("trusted_origins: %w", err)
	}
	return nil
}

func (l *LoginPage) checkLifetimes() error {
	if l.SessionTTL == 0 {
		l.SessionTTL = caddy.Duration(defaultPageSessionTTL)
	}
	if l.IdleTTL == 0 {
		l.IdleTTL = min(caddy.Duration(defaultIdleTTL), l.SessionTTL)
	}
	for _, lifetime := range []struct {
		name string
		ttl  caddy.Duration
	}{{"session_ttl", l.SessionTTL}, {"idle_ttl", l.IdleTTL}, {"remember", l.Remember}} {
		if lifetime.name == "remember" && lifetime.ttl == 0 {
			continue
		}
		if err := oauth.ValidateLifetime(lifetime.name, time.Duration(lifetime.ttl)); err != nil {
			return err
		}
	}
	if time.Duration(l.IdleTTL) < minIdleTTL { // a cookie says when it was sealed, to the second
		return errors.New("idle_ttl: it must be at least 2s")
	}
	if l.IdleTTL > l.SessionTTL {
		return errors.New("idle_ttl is longer than session_ttl, which ends a session earlier: raise session_ttl, or lower idle_ttl")
	}
	return nil
}

func (l *LoginPage) checkCookie(server string) error {
	if l.CookieDomain != "" {
		if err := browser.ValidateDomain(l.CookieDomain); err != nil {
			return fmt.Errorf("cookie_domain: %w", err)
		}
		l.CookieDomain = strings.ToLower(l.CookieDomain)
	}
	if l.CookieName == "" {
		l.CookieName = "grant-" + server
		if l.CookieDomain != "" {
			l.CookieName += "-" + l.CookieDomain
		}
	}
	if err := browser.ValidateCookieName(l.CookieName); err != nil {
		return fmt.Errorf("cookie_name: %w", err)
	}
	return nil
}

// policy is what the settings say about sessions.
func (l *LoginPage) policy(accessTTL caddy.Duration) *token.BrowserPolicy {
	return &token.BrowserPolicy{
		Client: &directory.Client{
			ID: token.LoginPage, Public: true, Scopes: l.Scopes,
			Grants:         []string{},
			AccessTokenTTL: min(accessTTL, caddy.Duration(forwardedTokenTTL)),
		},
		SessionTTL:  time.Duration(l.SessionTTL),
		IdleTTL:     time.Duration(l.IdleTTL),
		RememberTTL: time.Duration(l.Remember),
	}
}

const (
	defaultPath = "/token" // of the token endpoint

	loginPath  = "/login"  // below the token endpoint
	logoutPath = "/logout" // below the login page

	defaultPageSessionTTL = 7 * 24 * time.Hour
	defaultIdleTTL        = 12 * time.Hour
	minIdleTTL            = 2 * time.Second

	// forwardedTokenTTL is how long an access token is valid that an app is given in
	// place of a session cookie.
	forwardedTokenTTL = 5 * time.Minute
)
