package caddygrant

import (
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/configcheck"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// What the check of a whole config is told, see internal/configcheck.

// warn reports what the config as a whole leaves open, or closes.
func (a *App) warn() {
	app, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return
	}
	http, ok := app.(*caddyhttp.App)
	if !ok || len(a.checks)+len(a.endpoints) == 0 {
		return
	}
	config := configcheck.Config{
		Checks: a.checks, Endpoints: a.endpoints,
		ListenerHasGap: func(s *caddyhttp.Server) bool { return len(a.identityHeaders) > 0 && a.guards.HasGap(s) },
		Alias:          bearer.HeaderAlias,
	}
	for _, name := range a.names() {
		config.Servers = append(config.Servers, describe(a.servers[name]))
		if a.pages[name] != nil && !a.isChecked(name) {
			a.logger.Warn("no bearer_auth takes the sessions of a login page", zap.String("server", name),
				zap.String("advice", "write \""+checkOf(name)+"\" in the sites in front of your apps, or remove login_page"))
		}
	}
	configcheck.Warn(a.logger, http, config)
}

// checkOf is the directive that takes what a server issues.
func checkOf(server string) string {
	if server == defaultName {
		return "bearer_auth"
	}
	return "bearer_auth " + server
}

// mayLogIn tells whether a client can get a first token, for a user or for itself.
func mayLogIn(s *Server, client *directory.Client) bool {
	return s.policy.MayLogIn(client) || client.ID != token.LoginPage && s.policy.MayAct(client)
}

// describe is what the check of the config needs to know of a server.
func describe(s *Server) configcheck.Server {
	return configcheck.Server{
		Name: s.Name, Issuer: s.Issuer, LoginPage: s.LoginPage != nil, Scopes: s.Scopes, Audience: s.Audience,
		Clients: func(yield func(configcheck.Client) bool) {
			for client := range s.clients.Known() {
				if !yield(configcheck.Client{
					ID:         client.ID,
					MayLogIn:   mayLogIn(s, client),
					Acts:       s.policy.MayAct(client),
					Scopes:     client.Scopes,
					Audience:   client.Audience,
					Introspect: client.Introspect,
				}) {
					return
				}
			}
		},
		MoreClients: s.clients.IsLive(),
		UserClaims: func(yield func(string) bool) {
			for user := range s.users.Known() {
				for name := range user.Claims {
					if !yield(name) {
						return
					}
				}
			}
		},
		MoreUsers: s.users.IsLive(),
		APIKeys:   len(s.APIKeys) > 0,
		ClientKey: keyOfAnyClient(s.keyFiles),
	}
}
