package caddygrant

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddygrant/caddy-grant/internal/caddyargs"
	"github.com/caddygrant/caddy-grant/internal/pathreading"
)

// parseLoginPage parses the subdirective login_page of token_endpoint. The path and
// what is in the block can be left out.
func parseLoginPage(d *caddyfile.Dispenser) (*LoginPage, error) {
	page := new(LoginPage)
	if d.NextArg() {
		page.Path = d.Val()
		if err := pathreading.ValidateLiteral(page.Path); err != nil {
			return nil, d.Errf("login_page: %v", err)
		}
	}
	if d.NextArg() {
		return nil, d.Errf("login_page takes one path, and %s is one too many", d.Val())
	}
	settings := caddyargs.NewBlock("login_page")
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := parsePageSetting(d, page, settings); err != nil {
			return nil, err
		}
	}
	return page, caddyargs.Wrap(d, page.checkEarly(defaultName))
}

// parsePageSetting parses one subdirective of login_page.
func parsePageSetting(d *caddyfile.Dispenser, page *LoginPage, settings *caddyargs.Block) error {
	if err := settings.Enter(d); err != nil {
		return err
	}
	var err error
	switch d.Val() {
	case "title":
		page.Title, err = caddyargs.One(d)
	case "template":
		page.Template, err = caddyargs.One(d)
	case "scopes":
		page.Scopes, err = caddyargs.Scopes(d, "those of the server")
	case "session_ttl":
		page.SessionTTL, err = caddyargs.Lifetime(d)
	case "idle_ttl":
		page.IdleTTL, err = caddyargs.Lifetime(d)
	case "remember":
		page.Remember, err = caddyargs.Lifetime(d)
	case "cookie_domain":
		page.CookieDomain, err = caddyargs.One(d)
	case "cookie_name":
		page.CookieName, err = caddyargs.One(d)
	case "after_logout":
		page.AfterLogout, err = caddyargs.One(d)
	case "trusted_origins":
		page.TrustedOrigins, err = caddyargs.List(d, "the site's own alone")
	default:
		err = settings.Unrecognized(d)
	}
	if err == nil && page.SessionTTL == 0 && page.IdleTTL == 0 { // which are compared once both can be there
		err = caddyargs.Wrap(d, page.checkEarly(defaultName))
	}
	return err
}
