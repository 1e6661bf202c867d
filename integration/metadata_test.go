package integration

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
)

// metadataSite is a site with an endpoint that has these lines more, and an app after it.
func metadataSite(lines string) string {
	return `http://127.0.0.1:%PORT% {
	token_endpoint {
		user alice ` + hashBcrypt + `
		` + lines + `
	}
	reverse_proxy %APP%
}
`
}

const (
	wellKnown    = "/.well-known/oauth-authorization-server"
	secretClient = "client web {\n\t\t\tsecret web-secret\n\t\t}"
	publicClient = "client cli {\n\t\t\tpublic\n\t\t}"
)

func TestMetadata(t *testing.T) {
	app := newEdgeApp(t)
	t.Setenv("METADATA_TEST_ISSUER", "https://env.example.com")
	for _, test := range []struct{ name, lines, path, want string }{
		{"L1, L3, L4: an issuer without a path", "issuer https://api.example.com\n" + secretClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L1: a slash at the end of the issuer is a part of its name only", "issuer https://api.example.com/\n" + secretClient, "", `{
			"issuer": "https://api.example.com/", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L1: the issuer's path comes after the well-known one", "issuer https://api.example.com:8443/tenants/One\n" + secretClient, "/tenants/One", `{
			"issuer": "https://api.example.com:8443/tenants/One", "token_endpoint": "https://api.example.com:8443/token",
			"jwks_uri": "https://api.example.com:8443/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com:8443/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com:8443/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L2: an issuer from the environment", "issuer {env.METADATA_TEST_ISSUER}\n" + secretClient, "", `{
			"issuer": "https://env.example.com", "token_endpoint": "https://env.example.com/token", "jwks_uri": "https://env.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://env.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://env.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L6: public clients do not authenticate", "issuer https://api.example.com\nscopes read write\n" + publicClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"], "scopes_supported": ["read", "write"],
			"token_endpoint_auth_methods_supported": ["none"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["none"]}`},
		{"L6: clients of both kinds", "issuer https://api.example.com\n" + publicClient + "\n" + secretClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L3: a server without refresh tokens", "issuer https://api.example.com\ngrants password\n" + secretClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L8: HMAC keys are not published, so there is no jwks_uri", "issuer https://api.example.com\nsigning_key HS256 " + sharedSecret + "\n" + secretClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
		{"L8: a public key beside an HMAC key is", "issuer https://api.example.com\nsigning_key HS256 " + sharedSecret + "\nsigning_key ES256\n" + secretClient, "", `{
			"issuer": "https://api.example.com", "token_endpoint": "https://api.example.com/token", "jwks_uri": "https://api.example.com/token/jwks",
			"response_types_supported": [], "grant_types_supported": ["password", "refresh_token"],
			"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"revocation_endpoint": "https://api.example.com/token/revoke", "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
			"introspection_endpoint": "https://api.example.com/token/introspect", "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, app.in(metadataSite(test.lines)))
			a := s.do(s.request("GET", wellKnown+test.path, ""))
			a.want(t, 200, "")
			var want map[string]any
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a.json, want) {
				t.Errorf("got %s, want %v", a.body, want)
			}
			if got := a.header.Get("Content-Type"); got != "application/json" {
				t.Errorf("L5: Content-Type %q", got)
			}
			if test.path != "" { // RFC 8414 §3.1: inserted, not appended; and not without it
				for _, other := range []string{wellKnown, test.path + wellKnown, wellKnown + test.path + "/x"} {
					if a := s.do(s.request("GET", other, "")); a.header.Get("X-App") != "yes" {
						t.Errorf("L1: %s is not left to the app: %d %s", other, a.status, a.body)
					}
				}
			}
		})
	}
}

// Without an issuer there is no metadata, and the path is the app's.
func TestWithoutAnIssuerTheWellKnownPathIsTheApps(t *testing.T) {
	app := newEdgeApp(t)
	s := start(t, app.in(metadataSite(secretClient)))
	for _, path := range []string{wellKnown, wellKnown + "/x", "/.well-known/openid-configuration"} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			if a := s.do(s.request(method, path, "")); a.header.Get("X-App") != "yes" {
				t.Errorf("L1: %s %s gets %d %s", method, path, a.status, a.body)
			}
		}
	}
}

func TestMethodsAndTransportOfMetadata(t *testing.T) {
	app := newEdgeApp(t)
	s := start(t, app.in(metadataSite("issuer https://api.example.com\n"+secretClient)))
	get := s.do(s.request("GET", wellKnown, ""))
	t.Run("HEAD is GET without the body", func(t *testing.T) {
		a := s.do(s.request("HEAD", wellKnown, ""))
		if a.status != 200 || len(a.body) > 0 || a.header.Get("Content-Length") != fmt.Sprint(len(get.body)) {
			t.Errorf("got %d %v", a.status, a.header)
		}
	})
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "get"} {
		t.Run(method+" is no way to ask", func(t *testing.T) {
			a := s.do(s.request(method, wellKnown, ""))
			a.want(t, 405, "invalid_request")
			if got := a.header.Get("Allow"); got != "GET, HEAD" {
				t.Errorf("Allow %q", got)
			}
		})
	}
	t.Run("OPTIONS is for the app to answer", func(t *testing.T) {
		if a := s.do(s.request("OPTIONS", wellKnown, "")); a.header.Get("X-App") != "yes" {
			t.Errorf("got %d", a.status)
		}
	})
	t.Run("the path is matched as Caddy matches paths", func(t *testing.T) {
		for _, path := range []string{strings.ToUpper(wellKnown), "/" + wellKnown, wellKnown + "?x=1", wellKnown + "/", wellKnown + "//"} {
			if a := s.do(s.request("GET", path, "")); string(a.body) != string(get.body) {
				t.Errorf("%s: got %d %s", path, a.status, a.body)
			}
		}
		for _, path := range []string{wellKnown + "/x", wellKnown + "x", wellKnown + "x/"} {
			if a := s.do(s.request("GET", path, "")); a.header.Get("X-App") != "yes" {
				t.Errorf("%s: got %d %s", path, a.status, a.body)
			}
		}
	})
	t.Run("it is not served to who came by plain HTTP", func(t *testing.T) {
		s.do(s.request("GET", wellKnown, "", "X-Forwarded-Proto: http")).want(t, 400, "invalid_request")
		s.do(s.request("GET", wellKnown, "", "X-Forwarded-Proto: https")).want(t, 200, "")
	})
}

// A client that knows nothing but the metadata can verify the tokens.
func TestTokensMatchTheMetadata(t *testing.T) {
	app := newEdgeApp(t)
	for _, algorithm := range []string{"ES256", "RS256", "EdDSA", "HS256 " + sharedSecret} {
		for _, issuer := range []string{"https://api.example.com", "https://api.example.com/", "http://localhost:1234/a"} {
			t.Run("L2: "+strings.Fields(algorithm)[0]+" of "+issuer, func(t *testing.T) {
				s := start(t, app.in(metadataSite("issuer "+issuer+"\n\t\tsigning_key "+algorithm+"\n\t\t"+secretClient)))
				_, path, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(issuer, "https://"), "http://"), "/")
				if path != "" {
					path = "/" + path
				}
				metadata := s.do(s.request("GET", wellKnown+path, ""))
				if got := metadata.text(t, "issuer"); got != issuer {
					t.Errorf("the metadata's issuer is %q", got)
				}
				token := s.token("alice")
				payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
				if err != nil {
					t.Fatal(err)
				}
				var claims struct{ Iss string }
				if err := json.Unmarshal(payload, &claims); err != nil || claims.Iss != issuer {
					t.Errorf("the token's issuer is %q", claims.Iss)
				}
				set := s.do(s.request("GET", "/token/jwks", ""))
				wantPublicKeys(t, set)
				if strings.HasPrefix(algorithm, "HS") {
					return
				}
				verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(t.Context(), s.url("/token/jwks")),
					&oidc.Config{ClientID: issuer, SupportedSigningAlgs: []string{algorithm}})
				if _, err := verifier.Verify(t.Context(), token); err != nil {
					t.Errorf("L7: %v", err)
				}
			})
		}
	}
}

// wantPublicKeys holds L7 and L8.
func wantPublicKeys(t *testing.T, a answer) {
	t.Helper()
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(a.body, &set); err != nil || set.Keys == nil {
		t.Fatalf("L7: %v in %s", err, a.body)
	}
	for _, key := range set.Keys {
		for _, member := range []string{"kty", "use", "alg", "kid"} {
			if text, ok := key[member].(string); !ok || text == "" {
				t.Errorf("L7: %s is %v", member, key[member])
			}
		}
		for _, member := range slices.Collect(maps.Keys(key)) {
			if slices.Contains([]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}, member) || key["kty"] == "oct" {
				t.Errorf("L8: a key has %s: %s", member, a.body)
			}
		}
	}
}
