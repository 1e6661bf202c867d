package caddygrant

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// metadata describes the server to clients (RFC 8414 §2). Only what works is in it.
type metadata struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	JWKSURI               string   `json:"jwks_uri,omitempty"`
	ScopesSupported       []string `json:"scopes_supported,omitempty"`
	ResponseTypes         []string `json:"response_types_supported"` // required, and empty without an authorization endpoint
	GrantTypes            []string `json:"grant_types_supported"`
	ClientAuthMethods     []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	RevocationAuthMethods []string `json:"revocation_endpoint_auth_methods_supported,omitempty"`

	// without public clients, which may not introspect; absent if all clients are
	// public
	IntrospectionEndpoint    string   `json:"introspection_endpoint,omitempty"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported,omitempty"`
}

// serveMetadata answers with the server's metadata (RFC 8414 §3.2).
func serveMetadata(x *exchange) error {
	keys := x.server.keys.current(x.r.Context())
	if keys == nil {
		return x.refuse(oauth.NoKeys())
	}
	endpoint := issuerOrigin(x.server.Issuer) + x.path
	secret, none := x.server.clients.AuthMethods()
	m := metadata{
		Issuer:                x.server.Issuer,
		TokenEndpoint:         endpoint,
		ScopesSupported:       x.server.Scopes,
		ResponseTypes:         []string{},
		GrantTypes:            x.server.offered(),
		ClientAuthMethods:     append(slices.Clone(secret), none...),
		RevocationEndpoint:    endpoint + revokePath,
		RevocationAuthMethods: append(slices.Clone(secret), none...),
	}
	if len(secret) > 0 {
		m.IntrospectionEndpoint, m.IntrospectionAuthMethods = endpoint+introspectPath, secret
	}
	if keys.Ring.Public() {
		m.JWKSURI = endpoint + jwksPath
	}
	return wire.WriteCacheable(x.w, "application/json", m)
}

// issuerOrigin is the issuer without its path.
func issuerOrigin(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer // not reached: the issuer was validated
	}
	return u.Scheme + "://" + u.Host
}

// serveJWKS answers with the public keys (RFC 7517 §5), which anyone may cache for a
// while.
func serveJWKS(x *exchange) error {
	keys := x.server.keys.current(x.r.Context())
	if keys == nil {
		return x.refuse(oauth.NoKeys())
	}
	return wire.WriteCacheable(x.w, "application/jwk-set+json", json.RawMessage(keys.Ring.JWKS()))
}

// metadataPath is where the metadata of an issuer is: the well-known path inserted
// before the issuer's own (RFC 8414 §3.1).
func metadataPath(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return wellKnownPath
	}
	return wellKnownPath + strings.TrimSuffix(u.EscapedPath(), "/")
}

// The paths of endpoints, below that of the token endpoint, and of the metadata.
const (
	wellKnownPath  = "/.well-known/oauth-authorization-server"
	jwksPath       = "/jwks"
	revokePath     = "/revoke"
	introspectPath = "/introspect"
)
