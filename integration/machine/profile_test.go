package machine

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// The token of a client fits the profile of RFC 9068 as that of a user does, so any
// server that enforces it takes both.
func TestRFC9068TheTokenOfAClientFitsTheProfile(t *testing.T) {
	s := start(t, "typ at+jwt")
	raw := token(t, s.As("both"), "scope", "read write")
	header, claims := s.Verified(raw, "/token")
	if header["typ"] != "at+jwt" {
		t.Errorf("§2.1: typ is %v", header["typ"])
	}
	for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} {
		if claims[name] == nil {
			t.Errorf("§2.2: there is no %s", name)
		}
	}
	if claims["sub"] != "both" || claims["client_id"] != "both" {
		t.Errorf("§2.2: sub is %v, client_id %v", claims["sub"], claims["client_id"])
	}
	if claims["scope"] != "read write" {
		t.Errorf("§2.2.3: scope is %v", claims["scope"])
	}
	if audience, ok := claims["aud"].([]any); !ok || len(audience) != 1 || audience[0] != "https://api.example.com" {
		t.Errorf("§3: aud is %v, the default is the issuer", claims["aud"])
	}
	for _, name := range []string{"auth_time", "acr", "amr", "username", "name", "email"} {
		if _, there := claims[name]; there {
			t.Errorf("§2.2.1, §2.2.2: there is no user, but a %s", name)
		}
	}
	wantPasses(t, s, raw)
}

// What a client has to know of the grant is in the metadata.
func TestRFC8414TheMetadataHasTheGrantWhileAClientListsIt(t *testing.T) {
	s := start(t, "")
	a := s.Do(s.Request("GET", "/.well-known/oauth-authorization-server", ""))
	a.Want(t, 200, "")
	offered := make(map[any]bool)
	for _, grant := range a.JSON["grant_types_supported"].([]any) {
		offered[grant] = true
	}
	if !offered["client_credentials"] || !offered["password"] {
		t.Errorf("§2: it offers %v", offered)
	}
	// RFC 6749 §4.4.2: the ways to authenticate are those of the metadata
	for _, headers := range [][]string{{harness.Basic("both", "both-secret")}, nil} {
		form := "grant_type=client_credentials"
		if headers == nil {
			form += "&client_id=both&client_secret=both-secret"
		}
		s.Post("/token", form, headers...).Want(t, 200, "")
	}
}
