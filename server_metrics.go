package caddygrant

import "github.com/caddygrant/caddy-grant/internal/oauth"

// This file says what the parts of a server mean for the metrics, which know plain
// values alone.

// startMetrics makes the series of a server.
func startMetrics(s *Server) {
	for endpoint, outcomes := range endpointOutcomes {
		if endpoint != endpointMetadata || s.Issuer != "" {
			startRequests(s.Name, endpoint, "", outcomes)
		}
	}
	for grantType := range s.grants {
		startRequests(s.Name, endpointToken, grantType, grantOutcomes)
	}
	startThrottled(s.Name)
	startRefreshReuse(s.Name)
	startPasswordChecks()
	for _, mix := range append(s.users.Hashes(), s.clients.Hashes()...) {
		for params := range mix.All() {
			if !params.Cheap() {
				startHashDuration(string(params.Scheme))
			}
		}
	}
}

// endpointOutcomes are how requests usually end, apart from grants.
var endpointOutcomes = map[string][]string{
	endpointToken:      {oauth.CodeInvalidRequest, oauth.CodeUnsupportedGrantType},
	endpointRevoke:     {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeInvalidClient, oauth.CodeInvalidGrant, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError},
	endpointIntrospect: {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeInvalidClient, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError},
	endpointJWKS:       {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeTemporarilyUnavailable},
	endpointMetadata:   {outcomeSuccess, oauth.CodeInvalidRequest},
	endpointNone:       {oauth.CodeInvalidRequest},
}

// grantOutcomes are how token requests of a grant end.
var grantOutcomes = []string{
	outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeInvalidClient, oauth.CodeInvalidGrant, oauth.CodeInvalidScope,
	oauth.CodeUnauthorizedClient, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError,
}
