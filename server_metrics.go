package caddygrant

import "github.com/caddygrant/caddy-grant/internal/oauth"

// This file says what the parts of a server mean for the metrics, which know plain
// values alone.

// startMetrics makes the series of a server.
func startMetrics(s *Server) {
	for endpoint, outcomes := range endpointOutcomes {
		if endpoint != oauth.EndpointMetadata || s.Issuer != "" {
			startRequests(s.Name, endpoint, "", outcomes)
		}
	}
	for grantType := range s.grants {
		startRequests(s.Name, oauth.EndpointToken, grantType, grantOutcomes)
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
	oauth.EndpointToken:      {oauth.CodeInvalidRequest, oauth.CodeUnsupportedGrantType},
	oauth.EndpointRevoke:     {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeInvalidClient, oauth.CodeInvalidGrant, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError},
	oauth.EndpointIntrospect: {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeInvalidClient, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError},
	oauth.EndpointJWKS:       {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeTemporarilyUnavailable},
	oauth.EndpointMetadata:   {outcomeSuccess, oauth.CodeInvalidRequest},
	oauth.EndpointNone:       {oauth.CodeInvalidRequest},
}

// grantOutcomes are how token requests of a grant end.
var grantOutcomes = []string{
	outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeInvalidClient, oauth.CodeInvalidGrant, oauth.CodeInvalidScope,
	oauth.CodeUnauthorizedClient, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError,
}
