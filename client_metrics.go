package caddygrant

import (
	"sync"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// clientRequests tells which clients use which grant. Only requests of clients that have
// authenticated count, so no stranger makes a series; and a source may have any number of
// clients, so there is a bound.
var clientRequests = counter("client_requests_total",
	"Token requests of clients that have authenticated, by client and grant, and by outcome: success, or refused. client_id is empty for clients beyond the first 500 of a server.",
	"server", "client_id", "grant_type", "outcome")

// countedClients are those that have series, by server.
var countedClients = struct {
	sync.RWMutex
	of map[string]map[string]bool
}{of: make(map[string]map[string]bool)}

// labelOfClient is the label of a client.
func labelOfClient(server, id string) string {
	countedClients.RLock()
	counted, full := countedClients.of[server][id], len(countedClients.of[server]) >= maxCountedClients
	countedClients.RUnlock()
	switch {
	case counted:
		return id
	case full:
		return ""
	}
	countedClients.Lock()
	defer countedClients.Unlock()
	ids := countedClients.of[server]
	if ids == nil {
		ids = make(map[string]bool)
		countedClients.of[server] = ids
	}
	if !ids[id] && len(ids) >= maxCountedClients {
		return ""
	}
	ids[id] = true
	return id
}

// countClientRequest counts a token request of a client that has authenticated.
func countClientRequest(server, id, grantType, outcome string) {
	if outcome != outcomeSuccess {
		outcome = outcomeRefused
	}
	clientRequests.WithLabelValues(server, labelOfClient(server, id), grantType, outcome).Inc()
}

// startClients creates the series of the clients that are known, for the grants that
// they may use.
func (s *Server) startClients() {
	known := 0
	for client := range s.clients.Known() {
		if known++; known > maxCountedClients {
			return
		}
		for _, grantType := range s.Grants {
			if client.ID != token.LoginPage && client.MayUse(grantType) {
				for _, outcome := range []string{outcomeSuccess, outcomeRefused} {
					clientRequests.WithLabelValues(s.Name, labelOfClient(s.Name, client.ID), grantType, outcome)
				}
			}
		}
	}
}

const (
	maxCountedClients = 500
	outcomeRefused    = "refused"
)
