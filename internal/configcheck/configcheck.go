// Package configcheck warns of what an HTTP config leaves open or closes, probably
// against the operator's intent. That takes the whole config, so it is done once
// everything is provisioned: at a start, a reload and `caddy validate`. It knows about
// the bearer_auth and token_endpoint handlers only what they say about themselves.
package configcheck

import (
	"cmp"
	"fmt"
	"iter"
	"net/http"
	"reflect"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Config is what the handlers and the authorization servers of a config say about
// themselves.
type Config struct {
	Checks    []Check
	Endpoints []Endpoint
	Servers   []Server // by name

	// ListenerHasGap tells whether clients' identity headers get past the guard of an
	// HTTP server that has a bearer_auth.
	ListenerHasGap func(*caddyhttp.Server) bool

	// Alias is what a header's name has in common with all that an app may take for it.
	Alias func(header string) string
}

// Check is a bearer_auth.
type Check struct {
	Handler   caddyhttp.MiddlewareHandler // a pointer, as in the routes
	DefinedAt string                      // the line of the Caddyfile; empty if it has none

	Server                string // the name of the authorization server
	Issuers               int    // how many outside issuers there are whose tokens are taken, too
	Referenced            int    // how many of these are defined by another check, with their audience
	IssuersOnly           bool   // tokens of outside issuers alone; there need be no server
	Keys                  bool   // API keys are taken
	Clients               bool   // clients that act for themselves may pass
	Off, Shadow, Optional bool
	Scopes                []string
	Audience              []string // nil for the server's
	Require               []string // claims that must have some value
	Claims                []Claim
	Matchers              caddyhttp.MatcherSets

	// Applies tells whether a request is checked.
	Applies func(*http.Request) bool
}

// Claim is a claim that a bearer_auth gives the app in a header.
type Claim struct{ Name, Header string }

// Endpoint is a token_endpoint.
type Endpoint struct {
	Handler   caddyhttp.MiddlewareHandler // a pointer, as in the routes
	DefinedAt string                      // the line of the Caddyfile; empty if it has none
	Path      string
	LoginPage bool // it serves one

	// Matches tells whether a request is for the endpoint.
	Matches func(*http.Request) bool
}

// Server is an authorization server.
type Server struct {
	Name      string
	Issuer    string // empty if tokens have none
	LoginPage bool   // browsers have sessions with it
	Scopes    []string
	Audience  []string

	APIKeys   bool   // it has files of API keys
	ClientKey string // one of the keys that a client owns; empty if there is none

	Clients    iter.Seq[Client]
	UserClaims iter.Seq[string] // names of the users' own claims, as often as users have them

	// MoreClients and MoreUsers say that there may be others, in a source that has to
	// be asked.
	MoreClients, MoreUsers bool
}

// Client is a client of an authorization server.
type Client struct {
	ID         string
	MayLogIn   bool     // and so get a first token
	Acts       bool     // it may get tokens for itself
	Scopes     []string // nil for the server's
	Audience   []string // nil for the server's
	Introspect []string // the audiences whose tokens it may ask about
}

func (c *Check) isOn() bool { return !c.Off }

// refusesAnonymous tells whether a request without a token is refused, if it is
// checked.
func (c *Check) refusesAnonymous() bool { return !c.Off && !c.Shadow && !c.Optional }

// appliesTo tells whether a made-up request has to be checked.
func (c *Check) appliesTo(r *http.Request) (applies bool) {
	defer func() {
		if recover() != nil { // a matcher that needs more of a request than there is
			applies = false
		}
	}()
	return c.Applies(r)
}

// MissingServer is an error for the first check of a server that does not exist.
func MissingServer(checks []Check, names []string) error {
	for _, c := range checks {
		if c.Off || c.IssuersOnly || slices.Contains(names, c.Server) {
			continue
		}
		if len(names) > 0 {
			return fmt.Errorf("%s: there is no token_endpoint named %q, only %q%s", Place(c.DefinedAt), c.Server, names, matcherHint(c.Server))
		}
		return fmt.Errorf("%s: there is no token_endpoint named %q: add one, to any site, or name another%s", Place(c.DefinedAt), c.Server, matcherHint(c.Server))
	}
	return nil
}

// matcherHint is for a server name that may be meant as a matcher.
func matcherHint(server string) string {
	if server == defaultServer {
		return ""
	}
	return fmt.Sprintf("; if %s is a matcher, write @%s: the name of a matcher begins with @", server, server)
}

// Place says where a bearer_auth is, for an error or a warning before there are routes.
func Place(definedAt string) string { return "bearer_auth at " + cmp.Or(definedAt, "the config") }

// handlers finds what a handler in a route has said about itself.
type handlers struct {
	checks    map[caddyhttp.MiddlewareHandler]*Check
	endpoints map[caddyhttp.MiddlewareHandler]*Endpoint
}

func newHandlers(config *Config) *handlers {
	h := &handlers{
		checks:    make(map[caddyhttp.MiddlewareHandler]*Check, len(config.Checks)),
		endpoints: make(map[caddyhttp.MiddlewareHandler]*Endpoint, len(config.Endpoints)),
	}
	for i := range config.Checks {
		h.checks[config.Checks[i].Handler] = &config.Checks[i]
	}
	for i := range config.Endpoints {
		h.endpoints[config.Endpoints[i].Handler] = &config.Endpoints[i]
	}
	return h
}

func (h *handlers) find(handler caddyhttp.MiddlewareHandler) (*Check, *Endpoint) {
	// the redirect to HTTPS is a value, of a type that cannot be a key
	if reflect.TypeOf(handler).Kind() != reflect.Pointer {
		return nil, nil
	}
	return h.checks[handler], h.endpoints[handler]
}

// defaultServer is the server of a bearer_auth that does not name one.
const defaultServer = "default"
