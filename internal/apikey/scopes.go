package apikey

import (
	"iter"
	"slices"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Settings are those of a server, as its config has them, that say which scopes the
// owners of keys have.
type Settings struct {
	Scopes    []string
	Grants    []string                   // nil: all
	LoginPage *struct{ Scopes []string } `json:"login_page"`
}

// Allowed are the scopes that a user, or else a client, can have. clients are all of the
// server.
func (s Settings) Allowed(user *directory.User, client *directory.Client, clients iter.Seq[*directory.Client]) []string {
	p := token.Policy{Scopes: s.Scopes, Passwords: s.Grants == nil || slices.Contains(s.Grants, oauth.GrantTypePassword)}
	switch {
	case user == nil:
		return p.AllowedScopes(client)
	case user.Scopes != nil:
		return user.Scopes
	case s.LoginPage == nil:
		return p.ScopesOfUsers(clients)
	}
	p.Browser = new(token.BrowserPolicy)
	return p.ScopesOfUsers(func(yield func(*directory.Client) bool) {
		if yield(&directory.Client{ID: token.LoginPage, Scopes: s.LoginPage.Scopes}) {
			clients(yield)
		}
	})
}

// Lacking are those of some scopes that are not among the allowed ones.
func Lacking(scopes, allowed []string) (lacking []string) {
	for _, scope := range scopes {
		if !slices.Contains(allowed, scope) {
			lacking = append(lacking, scope)
		}
	}
	return lacking
}
