package caddygrant

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/browser"
	"github.com/caddygrant/caddy-grant/internal/loginpage"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// loginPage is the login page of a server.
type loginPage struct {
	LoginPage
	server  *Server
	pages   *loginpage.Page
	cookies *sessionCookies
	apps    *browser.Origins // which pages may send a request to an app
	own     *browser.Origins // which pages may send a login: no others

	allowHTTP bool // as an endpoint of the server says
}

// newLoginPage reads the template, and lays out the paths.
func newLoginPage(s *Server) (*loginPage, error) {
	settings := *s.LoginPage
	options := loginpage.Options{Title: settings.Title, Remember: settings.Remember > 0}
	if settings.Template != "" {
		content, err := os.ReadFile(settings.Template)
		if err != nil {
			return nil, fmt.Errorf("login_page: reading the template: %w", err)
		}
		options.Template = string(content)
	}
	pages, err := loginpage.New(options)
	if err != nil {
		if settings.Template != "" {
			err = fmt.Errorf("template %s: %w", settings.Template, err)
		}
		return nil, fmt.Errorf("login_page: %w", err)
	}
	p := &loginPage{
		LoginPage: settings, server: s, pages: pages,
		cookies: newSessionCookies(settings.CookieName, settings.CookieDomain),
	}
	if p.apps, err = browser.NewOrigins(settings.TrustedOrigins); err != nil {
		return nil, fmt.Errorf("login_page: %w", err)
	}
	if p.own, err = browser.NewOrigins(nil); err != nil {
		return nil, fmt.Errorf("login_page: %w", err)
	}
	return p, nil
}

// endpoint is which page is at a path, as it came and decoded, or empty.
func (p *loginPage) endpoint(path string) string {
	if len(path) < len(p.Path) {
		return ""
	}
	path = strings.TrimSuffix(caddyhttp.CleanPath(path, true), "/")
	switch {
	case strings.EqualFold(path, p.Path):
		return oauth.EndpointLogin
	case strings.EqualFold(path, p.Path+logoutPath):
		return oauth.EndpointLogout
	}
	return ""
}

// askedFor is which page a request is for, by its path as it came, or empty. OPTIONS is
// for whatever answers for the site.
func (p *loginPage) askedFor(r *http.Request) string {
	if r.Method == http.MethodOptions {
		return ""
	}
	_, asked := original(r)
	return p.endpoint(asked.Path)
}

// isAt tells whether a path is that of the page, to log in or out.
func (p *loginPage) isAt(path string) bool { return p.endpoint(path) != "" }
