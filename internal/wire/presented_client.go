package wire

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// ClientCredentials are an id and a secret as a request presents them; either may be
// empty.
type ClientCredentials struct{ ID, Secret string }

// PresentedClient is what a request says about its client, in one reading or in two.
// Both readings of a header have an id and a secret, or both lack the same of them.
type PresentedClient struct {
	Readings [2]ClientCredentials
	n        int
	Escaped  bool // a Basic header with a + or % in it, whatever that is meant to be

	ByHeader      bool // the client is named in the Authorization header
	BearerIgnored bool // there is an Authorization header that does not name the client
}

// All returns the readings.
func (p *PresentedClient) All() []ClientCredentials { return p.Readings[:p.n] }

func (p *PresentedClient) add(reading ClientCredentials) {
	p.Readings[p.n] = reading
	p.n++
}

// of keeps the readings with that id.
func (p PresentedClient) of(id string) PresentedClient {
	left := PresentedClient{Escaped: p.Escaped, ByHeader: p.ByHeader}
	for _, reading := range p.All() {
		if reading.ID == id {
			left.add(reading)
		}
	}
	return left
}

// ReadClient finds what a request says about its client. An id and a secret are in the
// header or in the body, never in both. What it returns with an error describes the
// header.
func ReadClient(params Params, header http.Header) (PresentedClient, error) {
	id, secret := params.Get("client_id"), params.Get("client_secret")
	authorization, bearer, err := clientHeader(header["Authorization"])
	inBody := PresentedClient{Readings: [2]ClientCredentials{{id, secret}}, n: 1, BearerIgnored: bearer}
	if err != nil {
		return PresentedClient{}, err
	}
	if authorization == "" {
		return inBody, nil
	}
	presented, ok := parseBasic(authorization)
	if ok && presented.Readings[0] == (ClientCredentials{}) {
		return inBody, nil // a colon alone: sent by programs whose user left both fields empty
	}
	presented.ByHeader = true
	switch {
	case secret != "":
		return presented, oauth.InvalidRequest("two_client_authentications", "the client must authenticate in one way only")
	case !ok:
		return presented, oauth.InvalidClient("basic_malformed").OfBasic(presented.Escaped)
	case id != "":
		if presented = presented.of(id); presented.n == 0 {
			return presented, oauth.InvalidRequest("two_client_ids", "the client_id is not that of the Authorization header")
		}
	}
	return presented, nil
}

// clientHeader is the Authorization header, by which clients authenticate, or empty. A
// header of the scheme Bearer does not say who the client is: programs add it to all
// their requests, and it is ignored.
func clientHeader(values []string) (header string, bearer bool, err error) {
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
	default: // also if one of them is empty: it is unclear which of them others would read
		return "", false, oauth.InvalidRequest("two_client_authentications", "at most one Authorization header may be sent")
	}
	header = strings.Trim(values[0], " \t")
	if hasScheme(header, "Bearer") {
		return "", true, nil
	}
	return header, false, nil
}

// hasScheme tells whether an Authorization header is of the scheme (RFC 9110 §11.1).
func hasScheme(header, scheme string) bool {
	is, _, _ := strings.Cut(header, " ")
	return strings.EqualFold(is, scheme)
}

// parseBasic reads a Basic Authorization header. The id ends at the first colon. Both
// halves are form-urlencoded below the base64 (RFC 6749 §2.3.1), or neither is: curl
// and many libraries leave that out. Where that makes a difference there are two
// readings, that of the RFC first.
func parseBasic(header string) (presented PresentedClient, ok bool) {
	_, encoded, found := strings.Cut(header, " ")
	if !found || !hasScheme(header, "Basic") || len(encoded) > maxBasicLength {
		return PresentedClient{}, false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(strings.Trim(encoded, " "))
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return PresentedClient{}, false
	}
	var raw ClientCredentials
	presented.Escaped = strings.ContainsAny(string(decoded), "+%")
	if raw.ID, raw.Secret, found = strings.Cut(string(decoded), ":"); !found {
		return presented, false
	}
	if presented.Escaped {
		id, errID := url.QueryUnescape(raw.ID)
		secret, errSecret := url.QueryUnescape(raw.Secret)
		if errID == nil && errSecret == nil && validText(id) && validText(secret) {
			presented.add(ClientCredentials{id, secret})
		}
	}
	if validText(raw.ID) && validText(raw.Secret) {
		presented.add(raw)
	}
	return presented, presented.n > 0
}

// maxBasicLength has room for an id and a secret of their greatest lengths, both
// encoded.
const maxBasicLength = 8 << 10
