package harness

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Verified checks an access token as an app does, with the keys that the server
// publishes below its endpoint, and returns its header and claims.
func (s *Site) Verified(token, endpoint string) (header, claims map[string]any) {
	s.T.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(s.JWKS(endpoint).Body, &set); err != nil {
		s.T.Fatalf("reading the keys of %s: %v", endpoint, err)
	}
	header, claims = Decoded(s.T, token)
	kid, _ := header["kid"].(string)
	keys := set.Key(kid)
	if len(keys) != 1 {
		s.T.Fatalf("%d keys with kid %q at %s", len(keys), kid, endpoint)
	}
	algorithm := jose.SignatureAlgorithm(header["alg"].(string))
	signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		s.T.Fatalf("parsing a token: %v", err)
	}
	if _, err := signed.Verify(keys[0]); err != nil {
		s.T.Fatalf("verifying a token: %v", err)
	}
	return header, claims
}

// Decoded decodes a token without checking it. Numbers stay as they are written.
func Decoded(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts in token %s", len(parts), token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		decoded, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(strings.NewReader(string(decoded)))
		decoder.UseNumber()
		if err := decoder.Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// JWKS gets the public keys of an endpoint, and asks again like [Site.Relogin].
func (s *Site) JWKS(endpoint string) Answer {
	s.T.Helper()
	var failed error
	for range 50 {
		response, err := s.Client.Get(s.URL(endpoint + "/jwks"))
		if err == nil {
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			return Answer{Status: response.StatusCode, Header: response.Header, Body: body}
		}
		failed = err
		s.Client.CloseIdleConnections()
	}
	s.T.Fatalf("no request for the keys gets an answer: %v", failed)
	return Answer{}
}

// TextClaim is one that must be a string.
func TextClaim(t *testing.T, token, name string) string {
	t.Helper()
	_, claims := Decoded(t, token)
	value, ok := claims[name].(string)
	if !ok {
		t.Fatalf("%s is %v", name, claims[name])
	}
	return value
}

// Payload is the claims of a token, without a look at its signature.
func Payload(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	decoded, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(decoded, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
