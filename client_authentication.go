package caddygrant

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// authenticateClient finds out which client sends the request (RFC 6749 §2.3, §3.2.1):
// by Basic credentials, by client_id and client_secret in the body, or, for a public
// client, by client_id alone.
func (s *Server) authenticateClient(ctx context.Context, keys *keySet, req *tokenRequest) error {
	presented, err := req.presentedClient()
	if err != nil {
		return err
	}
	if presented.readings[0].id == "" {
		return s.useDefaultClient(req, presented.readings[0])
	}
	for _, reading := range presented.all() {
		client := s.clients.byID(reading.id)
		if client != nil && req.client == nil {
			req.client = client
		}
		if reading.secret == "" && client != nil && client.Public {
			req.usePublicClient(client)
			return nil
		}
	}
	if presented.readings[0].secret == "" {
		return oauth.InvalidClient("no_client_secret")
	}
	reason, err := s.checkClientSecret(ctx, keys, req, presented)
	if err != nil {
		return err
	}
	if reason != "" {
		return oauth.InvalidClient(reason).OfBasic(presented.escaped && reason == "wrong_client_secret")
	}
	req.endUserIP = req.client.endUserIP(req.header)
	return nil
}

// useDefaultClient is for a request that names no client: default_client stands for it, if
// that is a public one now and the request has no secret, which is always somebody's.
func (s *Server) useDefaultClient(req *tokenRequest, presented clientCredentials) error {
	req.unnamed = true
	if s.DefaultClient == "" || presented.secret != "" || req.endpoint == endpointIntrospect {
		return oauth.NoClient()
	}
	client := s.clients.byID(s.DefaultClient)
	if client == nil || !client.Public {
		refusal := oauth.NoClient()
		refusal.Remedy = "default_client names no public client any more: correct it, or the file of clients"
		return refusal
	}
	req.usePublicClient(client)
	return nil
}

// usePublicClient takes a public client, which is who it says (RFC 6749 §2.1).
func (req *tokenRequest) usePublicClient(client *Client) {
	req.client = client
	req.endUserIP = plainAddr(req.address) // it is its user's
}

// clientCredentials are an id and a secret as a request presents them; either may be empty.
type clientCredentials struct{ id, secret string }

// presentedClient is what a request says of its client, in the one reading or the two that
// it has. Both readings of a header have an id and a secret, or both lack the same of them.
type presentedClient struct {
	readings [2]clientCredentials
	n        int
	escaped  bool // a Basic header with a + or % in it, whatever that is meant to be
}

func (p *presentedClient) all() []clientCredentials { return p.readings[:p.n] }

func (p *presentedClient) add(reading clientCredentials) {
	p.readings[p.n] = reading
	p.n++
}

// of leaves the readings with that id.
func (p presentedClient) of(id string) presentedClient {
	left := presentedClient{escaped: p.escaped}
	for _, reading := range p.all() {
		if reading.id == id {
			left.add(reading)
		}
	}
	return left
}

// presentedClient finds what the request says of its client. An id and a secret are in the
// header or in the body, never in both.
func (req *tokenRequest) presentedClient() (presentedClient, error) {
	id, secret := req.params.Get("client_id"), req.params.Get("client_secret")
	inBody := presentedClient{readings: [2]clientCredentials{{id, secret}}, n: 1}
	header, err := req.clientHeader()
	if err != nil {
		return presentedClient{}, err
	}
	if header == "" {
		return inBody, nil
	}
	presented, ok := parseBasic(header)
	if ok && presented.readings[0] == (clientCredentials{}) {
		return inBody, nil // a colon: what programs send whose user left both fields empty
	}
	req.byHeader = true
	switch {
	case secret != "":
		return presentedClient{}, oauth.InvalidRequest("two_client_authentications", "the client must authenticate in one way only")
	case !ok:
		return presentedClient{}, oauth.InvalidClient("basic_malformed").OfBasic(presented.escaped)
	case id != "":
		if presented = presented.of(id); presented.n == 0 {
			return presentedClient{}, oauth.InvalidRequest("two_client_ids", "the client_id is not that of the Authorization header")
		}
	}
	return presented, nil
}

// clientHeader is the Authorization header, by which clients authenticate, or empty. One
// of the scheme Bearer does not say who the client is: programs add it to all that they
// send, and it is left alone.
func (req *tokenRequest) clientHeader() (string, error) {
	values := req.header["Authorization"]
	switch len(values) {
	case 0:
		return "", nil
	case 1:
	default: // also where one of them is empty: who reads the other is anybody's guess
		return "", oauth.InvalidRequest("two_client_authentications", "there must be one Authorization header at most")
	}
	header := strings.Trim(values[0], " \t")
	if hasScheme(header, "Bearer") {
		req.bearerIgnored = true
		return "", nil
	}
	return header, nil
}

// hasScheme tells whether an Authorization header is of the scheme (RFC 9110 §11.1).
func hasScheme(header, scheme string) bool {
	is, _, _ := strings.Cut(header, " ")
	return strings.EqualFold(is, scheme)
}

// parseBasic reads a Basic Authorization header. The id ends at the first colon. Both
// halves are form-urlencoded below the base64 (RFC 6749 §2.3.1), or neither is: curl and
// many libraries leave that out. Where that makes a difference there are two readings, the
// one of the RFC first.
func parseBasic(header string) (presented presentedClient, ok bool) {
	_, encoded, found := strings.Cut(header, " ")
	if !found || !hasScheme(header, "Basic") || len(encoded) > maxBasicLength {
		return presentedClient{}, false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(strings.Trim(encoded, " "))
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return presentedClient{}, false
	}
	var raw clientCredentials
	presented.escaped = strings.ContainsAny(string(decoded), "+%")
	if raw.id, raw.secret, found = strings.Cut(string(decoded), ":"); !found {
		return presented, false
	}
	if presented.escaped {
		id, errID := url.QueryUnescape(raw.id)
		secret, errSecret := url.QueryUnescape(raw.secret)
		if errID == nil && errSecret == nil && validText(id) && validText(secret) {
			presented.add(clientCredentials{id, secret})
		}
	}
	if validText(raw.id) && validText(raw.secret) {
		presented.add(raw)
	}
	return presented, presented.n > 0
}

// maxBasicLength has room for an id and a secret of their greatest lengths, both encoded.
const maxBasicLength = 8 << 10
