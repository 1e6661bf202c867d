package caddygrant

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/credential"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// clientAuthenticator finds out which clients send requests.
type clientAuthenticator struct {
	clients       *directory.ClientDirectory
	credentials   *credential.Checker
	defaultClient string // the id of a public client, for requests that name none; empty if there is none
}

// authenticate finds out which client sends the request (RFC 6749 §2.3, §3.2.1): by
// Basic credentials, by client_id and client_secret in the body, or, for a public
// client, by client_id alone.
func (a *clientAuthenticator) authenticate(ctx context.Context, keys *token.KeySet, req *clientRequest) error {
	presented, err := wire.ReadClient(req.params, req.header)
	req.byHeader, req.bearerIgnored = presented.ByHeader, presented.BearerIgnored
	if err != nil {
		return err
	}
	if presented.Readings[0].ID == "" {
		return a.useDefaultClient(ctx, req, presented.Readings[0])
	}
	for _, reading := range presented.All() {
		if reading.Secret != "" && a.clients.IsLive() {
			continue // an attempt, which is counted before the client is looked up
		}
		client, err := a.clients.ByID(ctx, reading.ID)
		if err != nil {
			return oauth.SourceUnavailable(err)
		}
		if client != nil && req.client == nil {
			req.client = client
		}
		if reading.Secret == "" && client != nil && client.Public {
			req.usePublicClient(client)
			return nil
		}
	}
	if presented.Readings[0].Secret == "" {
		return oauth.InvalidClient("no_client_secret")
	}
	checked, err := a.checkSecret(ctx, keys, req, presented)
	req.client, req.repeated = cmp.Or(req.client, checked.Found), checked.Repeated
	switch {
	case err != nil:
		return err
	case checked.Accepted == nil:
		return oauth.InvalidClient(checked.Reason).OfBasic(presented.Escaped && checked.Reason == "wrong_client_secret")
	}
	req.client = checked.Accepted
	req.endUserIP = endUserIP(req.client, req.header)
	return nil
}

// checkSecret checks the secret of a request, in its one reading or in both.
func (a *clientAuthenticator) checkSecret(ctx context.Context, keys *token.KeySet, req *clientRequest, presented wire.PresentedClient) (credential.CheckedClient, error) {
	readings := presented.All()
	var or *credential.ClientSecret
	if len(readings) == 2 {
		or = (*credential.ClientSecret)(&readings[1])
	}
	return a.credentials.CheckClient(ctx, keys.Decoy, credential.ClientSecret(readings[0]), or, req.sender(addressOf(req.address)))
}

// useDefaultClient handles a request that names no client: it uses default_client, if
// that is a public client now and the request has no secret. A secret always belongs to
// a particular client.
func (a *clientAuthenticator) useDefaultClient(ctx context.Context, req *clientRequest, presented wire.ClientCredentials) error {
	req.unnamed = true
	if a.defaultClient == "" || presented.Secret != "" || req.endpoint == oauth.EndpointIntrospect {
		return oauth.NoClient()
	}
	client, err := a.clients.ByID(ctx, a.defaultClient)
	if err != nil {
		return oauth.SourceUnavailable(err)
	}
	if client == nil || !client.Public {
		refusal := oauth.NoClient()
		refusal.Remedy = "default_client no longer names a public client: correct it, or the clients file"
		return refusal
	}
	req.usePublicClient(client)
	return nil
}

// endUserIP is the address that a client gives as that of its user, if it may and does.
func endUserIP(c *directory.Client, header http.Header) netip.Addr {
	values := header.Values(c.EndUserIP)
	if c.EndUserIP == "" || len(values) != 1 {
		return netip.Addr{}
	}
	return plainAddr(strings.TrimSpace(values[0]))
}
