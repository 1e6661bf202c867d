package client

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestMetadata(t *testing.T) {
	app := harness.NewApp(t)
	t.Setenv("METADATA_TEST_ISSUER", "https://env.example.com")
	for _, test := range []struct{ name, lines, path, want string }{
		{"L1, L3, L4: an issuer without a path", "issuer https://api.example.com\n" + harness.SecretClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L1: a slash at the end of the issuer is a part of its name only", "issuer https://api.example.com/\n" + harness.SecretClient, "", `{
			"issuer": "https://api.example.com/", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L1: the issuer's path comes after the well-known one", "issuer https://api.example.com:8443/tenants/One\n" + harness.SecretClient, "/tenants/One", `{
			"issuer": "https://api.example.com:8443/tenants/One", "token_endpoint": "https://api.example.com:8443/token",
			"jwks_uri": "https://api.example.com:8443/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com:8443/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com:8443/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L2: an issuer from the environment", "issuer {env.METADATA_TEST_ISSUER}\n" + harness.SecretClient, "", `{
			"issuer": "https://env.example.com", "token_endpoint": "https://env.example.com/token", "jwks_uri": "https://env.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://env.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://env.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L6: public clients do not authenticate", "issuer https://api.example.com\nscopes read write\n" + harness.PublicClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"], "scopes_supported": ["read", "write"],
			"token_endpoint_auth_methods_supported": ["none"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["none"]}`},
		{"L6: clients of both kinds", "issuer https://api.example.com\n" + harness.PublicClient + "\n" + harness.SecretClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L3: a server without refresh tokens", "issuer https://api.example.com\ngrants password\n" + harness.SecretClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L8: HMAC keys are not published, so there is no jwks_uri", "issuer https://api.example.com\nsigning_key HS256 " + harness.SharedSecret + "\n" + harness.SecretClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L8: a public key beside an HMAC key is", "issuer https://api.example.com\nsigning_key HS256 " + harness.SharedSecret + "\nsigning_key ES256\n" + harness.SecretClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := harness.Start(t, app.In(harness.MetadataSite(test.lines)))
			a := s.Do(s.Request("GET", harness.WellKnown+test.path, ""))
			a.Want(t, 200, "")
			var want map[string]any
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a.JSON, want) {
				t.Errorf("got %s, want %v", a.Body, want)
			}
			if got := a.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("L5: Content-Type %q", got)
			}
			if test.path != "" { // RFC 8414 §3.1: inserted, not appended; and not without it
				for _, other := range []string{harness.WellKnown, test.path + harness.WellKnown, harness.WellKnown + test.path + "/x"} {
					if a := s.Do(s.Request("GET", other, "")); a.Header.Get("X-App") != "yes" {
						t.Errorf("L1: %s is not left to the app: %d %s", other, a.Status, a.Body)
					}
				}
			}
		})
	}
}

// Without an issuer there is no metadata, and the path belongs to the app.
func TestWithoutAnIssuerTheWellKnownPathIsTheApps(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.Start(t, app.In(harness.MetadataSite(harness.SecretClient)))
	for _, path := range []string{harness.WellKnown, harness.WellKnown + "/x", "/.well-known/openid-configuration"} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			if a := s.Do(s.Request(method, path, "")); a.Header.Get("X-App") != "yes" {
				t.Errorf("L1: %s %s gets %d %s", method, path, a.Status, a.Body)
			}
		}
	}
}

func TestMethodsAndTransportOfMetadata(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.Start(t, app.In(harness.MetadataSite("issuer https://api.example.com\n"+harness.SecretClient)))
	get := s.Do(s.Request("GET", harness.WellKnown, ""))
	t.Run("HEAD is GET without the body", func(t *testing.T) {
		a := s.Do(s.Request("HEAD", harness.WellKnown, ""))
		if a.Status != 200 || len(a.Body) > 0 || a.Header.Get("Content-Length") != fmt.Sprint(len(get.Body)) {
			t.Errorf("got %d %v", a.Status, a.Header)
		}
	})
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "get"} {
		t.Run(method+" is no way to ask", func(t *testing.T) {
			a := s.Do(s.Request(method, harness.WellKnown, ""))
			a.Want(t, 405, "invalid_request")
			if got := a.Header.Get("Allow"); got != "GET, HEAD" {
				t.Errorf("Allow %q", got)
			}
		})
	}
	t.Run("OPTIONS is for the app to answer", func(t *testing.T) {
		if a := s.Do(s.Request("OPTIONS", harness.WellKnown, "")); a.Header.Get("X-App") != "yes" {
			t.Errorf("got %d", a.Status)
		}
	})
	t.Run("the path is matched as Caddy matches paths", func(t *testing.T) {
		for _, path := range []string{strings.ToUpper(harness.WellKnown), "/" + harness.WellKnown, harness.WellKnown + "?x=1", harness.WellKnown + "/", harness.WellKnown + "//"} {
			if a := s.Do(s.Request("GET", path, "")); string(a.Body) != string(get.Body) {
				t.Errorf("%s: got %d %s", path, a.Status, a.Body)
			}
		}
		for _, path := range []string{harness.WellKnown + "/x", harness.WellKnown + "x", harness.WellKnown + "x/"} {
			if a := s.Do(s.Request("GET", path, "")); a.Header.Get("X-App") != "yes" {
				t.Errorf("%s: got %d %s", path, a.Status, a.Body)
			}
		}
	})
	t.Run("it is not served to who came by plain HTTP", func(t *testing.T) {
		s.Do(s.Request("GET", harness.WellKnown, "", "X-Forwarded-Proto: http")).Want(t, 400, "invalid_request")
		s.Do(s.Request("GET", harness.WellKnown, "", "X-Forwarded-Proto: https")).Want(t, 200, "")
	})
}

// A client that knows nothing but the metadata can verify the tokens.
func TestTokensMatchTheMetadata(t *testing.T) {
	app := harness.NewApp(t)
	for _, algorithm := range []string{"ES256", "RS256", "EdDSA", "HS256 " + harness.SharedSecret} {
		for _, issuer := range []string{"https://api.example.com", "https://api.example.com/", "http://localhost:1234/a"} {
			t.Run("L2: "+strings.Fields(algorithm)[0]+" of "+issuer, func(t *testing.T) {
				s := harness.Start(t, app.In(harness.MetadataSite("issuer "+issuer+"\n\t\tsigning_key "+algorithm+"\n\t\t"+harness.SecretClient)))
				_, path, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(issuer, "https://"), "http://"), "/")
				if path != "" {
					path = "/" + path
				}
				metadata := s.Do(s.Request("GET", harness.WellKnown+path, ""))
				if got := metadata.Text(t, "issuer"); got != issuer {
					t.Errorf("the metadata's issuer is %q", got)
				}
				token := s.Token("alice")
				payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
				if err != nil {
					t.Fatal(err)
				}
				var claims struct{ Iss string }
				if err := json.Unmarshal(payload, &claims); err != nil || claims.Iss != issuer {
					t.Errorf("the token's issuer is %q", claims.Iss)
				}
				set := s.Do(s.Request("GET", "/token/jwks", ""))
				wantPublicKeys(t, set)
				if strings.HasPrefix(algorithm, "HS") {
					return
				}
				verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(t.Context(), s.URL("/token/jwks")),
					&oidc.Config{ClientID: issuer, SupportedSigningAlgs: []string{algorithm}})
				if _, err := verifier.Verify(t.Context(), token); err != nil {
					t.Errorf("L7: %v", err)
				}
			})
		}
	}
}

// wantPublicKeys holds L7 and L8.
func wantPublicKeys(t *testing.T, a harness.Answer) {
	t.Helper()
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(a.Body, &set); err != nil || set.Keys == nil {
		t.Fatalf("L7: %v in %s", err, a.Body)
	}
	for _, key := range set.Keys {
		for _, member := range []string{"kty", "use", "alg", "kid"} {
			if text, ok := key[member].(string); !ok || text == "" {
				t.Errorf("L7: %s is %v", member, key[member])
			}
		}
		for _, member := range slices.Collect(maps.Keys(key)) {
			if slices.Contains([]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}, member) || key["kty"] == "oct" {
				t.Errorf("L8: a key has %s: %s", member, a.Body)
			}
		}
	}
}
