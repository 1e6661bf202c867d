package caddygrant

import (
	"net/http"
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

	// without public clients, which may not introspect; absent where there are no others
	IntrospectionEndpoint    string   `json:"introspection_endpoint,omitempty"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported,omitempty"`
}

// serveMetadata answers with the server's metadata (RFC 8414 §3.2).
func (h *Handler) serveMetadata(w http.ResponseWriter, r *http.Request, req *tokenRequest) error {
	keys := h.server.keys.current(r.Context())
	if keys == nil {
		return h.refuse(w, r, req, oauth.NoKeys())
	}
	endpoint := issuerOrigin(h.server.Issuer) + h.Path
	secret, none := h.server.clients.AuthMethods()
	m := metadata{
		Issuer:                h.server.Issuer,
		TokenEndpoint:         endpoint,
		ScopesSupported:       h.server.Scopes,
		ResponseTypes:         []string{},
		GrantTypes:            h.server.Grants,
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
	return wire.WriteCacheable(w, "application/json", m)
}

// issuerOrigin is the issuer without its path.
func issuerOrigin(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer // not reached: the issuer was validated
	}
	return u.Scheme + "://" + u.Host
}

// metadataPath is where the metadata of an issuer is: the well-known path inserted before
// the issuer's own (RFC 8414 §3.1).
func metadataPath(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return wellKnownPath
	}
	return wellKnownPath + strings.TrimSuffix(u.EscapedPath(), "/")
}

const (
	wellKnownPath  = "/.well-known/oauth-authorization-server"
	jwksPath       = "/jwks"
	revokePath     = "/revoke"
	introspectPath = "/introspect"
)
