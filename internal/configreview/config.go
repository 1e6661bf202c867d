package configreview

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
)

// config is what is of interest in a config.
type config struct {
	handlers  []*handler
	endpoints []*endpoint
	checks    []*check
	admin     admin
	logs      map[string]log // by name
}

// admin is Caddy's admin endpoint.
type admin struct {
	Disabled bool
	Listen   string
}

// handler is an HTTP handler, at its path in the config.
type handler struct {
	name  string
	path  string
	site  string // the HTTP server and the hosts that lead to it
	hosts []string
	raw   json.RawMessage
}

// endpoint is a token_endpoint.
type endpoint struct {
	*handler
	DefinedAt string `json:"defined_at"`
	AllowHTTP bool   `json:"allow_http"`

	Name            string
	Issuer          string
	Audience        []string
	Scopes          []string
	Grants          []string
	AccessTokenTTL  caddy.Duration `json:"access_token_ttl"`
	RefreshTokenTTL caddy.Duration `json:"refresh_token_ttl"`
	SessionTTL      caddy.Duration `json:"session_ttl"`
	SigningKeys     []signingKey   `json:"signing_key"`
	UserSources     []userSource   `json:"users"`
	ClientSources   []clientSource `json:"clients"`
	APIKeys         []userSource   `json:"api_keys"`
	Sessions        engine         `json:"sessions"`
	AlsoSessions    []engine       `json:"also_sessions"`
	LoginPage       *loginPage     `json:"login_page"`
	Throttle        struct{ Off bool }
	AllowWeakHashes bool `json:"allow_weak_hashes"`

	listed []listedClient // clients of its files
	all    []listedClient // and of the config
}

type signingKey struct{ Secret, File string }

// engine is a session engine, which may be of another module.
type engine map[string]any

// text is a setting that is a text, empty if there is none.
func (e engine) text(setting string) string {
	text, _ := e[setting].(string)
	return text
}

type loginPage struct {
	CookieDomain string         `json:"cookie_domain"`
	SessionTTL   caddy.Duration `json:"session_ttl"`
	Remember     caddy.Duration
}

type userSource struct {
	Source, Path string
	Users        []directory.User
}

type clientSource struct {
	Source, Path string
	Clients      []directory.Client
}

// check is a bearer_auth.
type check struct {
	*handler
	DefinedAt string `json:"defined_at"`
	Server    string
	Scopes    []string
	Audience  []string
	Off       bool

	Issuers     []outsideIssuer
	IssuersOnly bool `json:"issuers_only"`
	Keys        *struct{ Header string }
	Clients     *struct {
		UsernamePrefix string `json:"username_prefix"`
	}
	Require []struct {
		Claim  string
		Values []string
	}
}

// outsideIssuer is another authorization server whose tokens a check takes.
type outsideIssuer struct {
	Issuer         string
	Audience       []string
	UsernamePrefix *string        `json:"username_prefix"`
	MaxLifetime    caddy.Duration `json:"max_lifetime"`
	IDTokens       bool           `json:"id_tokens"`
}

// read finds the handlers of a config.
func read(adapted []byte) (*config, error) {
	var all struct {
		Admin   admin
		Logging struct{ Logs map[string]log }
		Apps    struct {
			HTTP struct{ Servers map[string]any }
		}
	}
	if err := json.Unmarshal(adapted, &all); err != nil {
		return nil, fmt.Errorf("the config is not one of Caddy's: as JSON it must be an object with apps: %w", err)
	}
	c := &config{admin: all.Admin, logs: all.Logging.Logs}
	for _, name := range slices.Sorted(maps.Keys(all.Apps.HTTP.Servers)) {
		c.walk(all.Apps.HTTP.Servers[name], "http/servers/"+name, name, nil)
	}
	for _, h := range c.handlers {
		switch h.name {
		case "token_endpoint":
			e := &endpoint{handler: h}
			if err := json.Unmarshal(h.raw, e); err != nil {
				continue // Caddy will refuse it
			}
			if e.Name == "" {
				e.Name = defaultServer
			}
			c.endpoints = append(c.endpoints, e)
		case "bearer_auth":
			b := &check{handler: h}
			if err := json.Unmarshal(h.raw, b); err != nil {
				continue
			}
			if b.Server == "" {
				b.Server = defaultServer
			}
			c.checks = append(c.checks, b)
		}
	}
	for _, b := range c.checks { // without a token_endpoint there is nothing else to take
		if len(b.Issuers) > 0 && len(c.endpoints) == 0 && b.Server == defaultServer && b.Keys == nil {
			b.IssuersOnly = true
		}
	}
	return c, nil
}

// walk goes through a part of an HTTP server.
func (c *config) walk(part any, path, server string, hosts []string) {
	switch part := part.(type) {
	case []any:
		for i, value := range part {
			c.walk(value, path+"/"+strconv.Itoa(i), server, hosts)
		}
	case map[string]any:
		if matched := hostsOf(part["match"]); matched != nil {
			hosts = matched
		}
		if name, ok := part["handler"].(string); ok {
			if raw, err := json.Marshal(part); err == nil {
				c.handlers = append(c.handlers, &handler{name: name, path: path, site: fmt.Sprint(server, hosts), hosts: hosts, raw: raw})
			}
		}
		for _, key := range slices.Sorted(maps.Keys(part)) {
			c.walk(part[key], path+"/"+key, server, hosts)
		}
	}
}

// hostsOf are the hosts that the matchers of a route name.
func hostsOf(match any) (hosts []string) {
	sets, _ := match.([]any)
	for _, set := range sets {
		matchers, _ := set.(map[string]any)
		named, _ := matchers["host"].([]any)
		for _, host := range named {
			if host, ok := host.(string); ok {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts
}

// servers are the first endpoints of each server.
func (c *config) servers() (first []*endpoint) {
	for _, e := range c.endpoints {
		if !slices.ContainsFunc(first, func(other *endpoint) bool { return other.Name == e.Name }) {
			first = append(first, e)
		}
	}
	return first
}

// server is the first endpoint of a name, or nil.
func (c *config) server(name string) *endpoint {
	i := slices.IndexFunc(c.endpoints, func(e *endpoint) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	return c.endpoints[i]
}

// takes tells whether a check takes what a server issues.
func (c *check) takes(e *endpoint) bool { return !c.Off && !c.IssuersOnly && c.Server == e.Name }

const defaultServer = "default" // of an endpoint and a check that do not name one
