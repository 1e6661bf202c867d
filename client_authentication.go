package caddygrant

import (
	"context"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// authenticateClient finds out which client sends the request (RFC 6749 §2.3, §3.2.1):
// by Basic credentials, by client_id and client_secret in the body, or, for a public
// client, by client_id alone.
func (s *Server) authenticateClient(ctx context.Context, keys *token.KeySet, req *tokenRequest) error {
	presented, err := wire.ReadClient(req.params, req.header)
	req.byHeader, req.bearerIgnored = presented.ByHeader, presented.BearerIgnored
	if err != nil {
		return err
	}
	if presented.Readings[0].ID == "" {
		return s.useDefaultClient(ctx, req, presented.Readings[0])
	}
	for _, reading := range presented.All() {
		client, err := s.clients.ByID(ctx, reading.ID)
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
	reason, err := s.checkClientSecret(ctx, keys, req, presented)
	if err != nil {
		return err
	}
	if reason != "" {
		return oauth.InvalidClient(reason).OfBasic(presented.Escaped && reason == "wrong_client_secret")
	}
	req.endUserIP = endUserIP(req.client, req.header)
	return nil
}

// useDefaultClient is for a request that names no client: default_client stands for it, if
// that is a public one now and the request has no secret, which is always somebody's.
func (s *Server) useDefaultClient(ctx context.Context, req *tokenRequest, presented wire.ClientCredentials) error {
	req.unnamed = true
	if s.DefaultClient == "" || presented.Secret != "" || req.endpoint == endpointIntrospect {
		return oauth.NoClient()
	}
	client, err := s.clients.ByID(ctx, s.DefaultClient)
	if err != nil {
		return oauth.SourceUnavailable(err)
	}
	if client == nil || !client.Public {
		refusal := oauth.NoClient()
		refusal.Remedy = "default_client names no public client any more: correct it, or the file of clients"
		return refusal
	}
	req.usePublicClient(client)
	return nil
}

// usePublicClient takes a public client, which is who it says (RFC 6749 §2.1).
func (req *tokenRequest) usePublicClient(client *directory.Client) {
	req.client = client
	req.endUserIP = plainAddr(req.address) // it is its user's
}
