package configcheck

import "go.uber.org/zap"

// What API keys need, and a config does not have.

// ofKeys is about a bearer_auth that takes API keys of a server without any.
func (w *warnings) ofKeys(c *Check, p placement, server *Server) {
	if c.Keys && !server.APIKeys {
		w.warn("bearer_auth takes API keys, and its server has none", p.where(),
			"every key is refused: name the file of keys with api_keys in the token_endpoint, or remove keys", zap.String("server", server.Name))
	}
}

// ofUntakenKeys is about API keys of a server that every bearer_auth refuses.
func (w *warnings) ofUntakenKeys(server *Server) {
	if !server.APIKeys {
		return
	}
	taken, ofClients := false, server.ClientKey == ""
	for _, p := range w.placements {
		if !p.takes(server) || !p.check.Keys {
			continue
		}
		taken, ofClients = true, ofClients || p.check.Clients
	}
	switch {
	case !taken:
		w.warn("no bearer_auth takes the API keys of a server", "server "+server.Name+", api_keys",
			"add keys to the bearer_auth of each app that scripts may call, or remove api_keys", zap.String("server", server.Name))
	case !ofClients:
		w.warn("no bearer_auth lets the API keys of clients pass", "server "+server.Name+", keys of clients",
			"add clients to a bearer_auth that has keys, or make the key for a user", zap.String("server", server.Name), zap.String("api_key", server.ClientKey))
	}
}
