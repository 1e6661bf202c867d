package issuer

import (
	"encoding/json"
	"strings"
	"testing"
)

// RFC 9068 §2.2 lists the claims, and §4 how typ is spelled.
func TestTheProfileOfAccessTokensIsEnforcedWhereTypSaysSo(t *testing.T) {
	atClock(t, now)
	full := m{"client_id": "web"}
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT"} {
		if _, err := check(t, claims(full), m{"typ": typ}, nil); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
		for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} {
			if got, err := check(t, claims(with(full, m{name: []any{}})), m{"typ": typ}, nil); err == nil {
				t.Errorf("%s with an empty %s passes: %+v", typ, name, got)
			}
			if got, err := check(t, with(claims(full), m{name: nil}), m{"typ": typ}, nil); err == nil {
				t.Errorf("%s without %s passes: %+v", typ, name, got)
			}
		}
		// though the audience is that of another claim
		_, err := check(t, with(claims(full), m{"aud": nil}), m{"typ": typ}, func(s *Settings) { s.AudienceClaim, s.Audience = "client_id", []string{"web"} })
		if err == nil {
			t.Errorf("%s without aud passes", typ)
		}
	}
	if _, err := check(t, claims(nil), m{"typ": "at+jwt"}, nil); err == nil || !strings.Contains(err.Error(), "client_id is missing") {
		t.Errorf("without client_id: %v", err)
	}
}

// RFC 7515 §4.1.9.
func TestATypeMayHaveItsWholeNameInAnyCase(t *testing.T) {
	atClock(t, now)
	for typ, ok := range map[string]bool{
		"jwt": true, "application/jwt": true, "application/JWT": true, "Application/Jwt": true,
		"application/": false, "application/application/jwt": false, "text/jwt": false, "application/json": false,
	} {
		if _, err := check(t, claims(nil), m{"typ": typ}, nil); (err == nil) != ok {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

func TestIDTokensAreRefusedUnlessTheyAreAskedFor(t *testing.T) {
	atClock(t, now)
	for name, mark := range map[string]m{
		"nonce (OpenID Connect Core §2)":               {"nonce": "n"},
		"nonce null":                                   {"nonce": json.RawMessage("null")},
		"at_hash (OpenID Connect Core §3.1.3.6)":       {"at_hash": "h"},
		"c_hash (OpenID Connect Core §3.3.2.11)":       {"c_hash": "h"},
		"s_hash (FAPI)":                                {"s_hash": "h"},
		"Keycloak":                                     {"typ": "ID"},
		"Cognito":                                      {"token_use": "id"},
		"Dex, of which nothing but at_hash is typical": {"at_hash": "h", "federated_claims": m{"connector_id": "ldap"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := check(t, claims(mark), nil, nil)
			wantRefused(t, got, err, "ID token")
			idTokens := func(s *Settings) { s.IDTokens = true }
			if _, err := check(t, claims(mark), nil, idTokens); err != nil {
				t.Errorf("with id_tokens: %v", err)
			}
			if got, err := check(t, claims(with(mark, m{"aud": "https://other.example.com"})), nil, idTokens); err == nil {
				t.Errorf("an ID token of another client passes: %+v", got)
			}
			// id_tokens lets no other kind pass
			for _, other := range []m{{"events": m{}}, {"typ": "Refresh"}, {"token_use": "refresh"}, {"cnf": m{}}} {
				if got, err := check(t, claims(with(mark, other)), nil, idTokens); err == nil {
					t.Errorf("with %v it passes: %+v", other, got)
				}
			}
		})
	}
}

func TestAnAccessTokenOfKeycloakMayHaveTheNonceOfItsLogin(t *testing.T) {
	atClock(t, now)
	if _, err := check(t, claims(m{"typ": "Bearer", "nonce": "n"}), nil, nil); err != nil {
		t.Error(err)
	}
	for _, other := range []m{{"nonce": "n", "typ": "ID"}, {"nonce": "n", "typ": "Bearer", "at_hash": "h"}, {"nonce": "n", "typ": "bearer "}} {
		got, err := check(t, claims(other), nil, nil)
		wantRefused(t, got, err, "ID token")
	}
}

func TestATokenOfAClientIsKnownAsOne(t *testing.T) {
	atClock(t, now)
	for _, test := range []struct {
		name   string
		claims m
		client string // empty: a user's
		want   string // part of the error; empty: it passes
	}{
		{"a user's", m{"client_id": "web"}, "", ""},
		{"sub is client_id (RFC 9068 §2.2)", m{"sub": "svc", "client_id": "svc"}, "svc", ""},
		{"sub is azp", m{"sub": "svc", "azp": "svc"}, "svc", ""},
		{"sub is azp, beside another client_id", m{"sub": "svc", "azp": "svc", "client_id": "other"}, "other", ""},
		{"Okta", m{"sub": "svc", "azp": nil, "cid": "svc"}, "svc", ""},
		{"Auth0", m{"sub": "svc@clients", "azp": "svc", "gty": "client-credentials"}, "svc", ""},
		{"gty with an underscore", m{"sub": "x", "azp": "svc", "gty": "client_credentials"}, "svc", ""},
		{"Auth0's profile of RFC 9068, which has no gty", m{"sub": "svc@clients", "client_id": "svc"}, "svc", ""},
		{"a user of an address that ends like it", m{"sub": "other@clients", "client_id": "svc"}, "", ""},
		{"gty with capitals", m{"sub": "x", "azp": "svc", "gty": "Client-Credentials"}, "svc", ""},
		{"gty in a list", m{"sub": "x", "azp": "svc", "gty": []string{"client-credentials"}}, "svc", ""},
		{"Entra, with capitals", m{"sub": "x", "azp": "app", "idtyp": "APP"}, "app", ""},
		{"Entra, in a list", m{"sub": "x", "azp": "app", "idtyp": []string{"app"}}, "app", ""},
		{"Keycloak, without a username", m{"sub": "x", "azp": "svc", "client_id": "svc", "clientHost": "192.0.2.1", "clientAddress": "192.0.2.1"}, "svc", ""},
		{"Keycloak, with capitals", m{"azp": "svc", "preferred_username": "Service-Account-Svc"}, "svc", ""},
		{"gty of a user", m{"gty": "password"}, "", ""},
		{"Entra, version 2", m{"sub": "oid", "azp": "app", "idtyp": "app"}, "app", ""},
		{"Entra, version 1", m{"sub": "oid", "azp": nil, "appid": "app", "idtyp": "app"}, "app", ""},
		{"Entra, a user's", m{"idtyp": "user"}, "", ""},
		{"Entra, without idtyp", m{"sub": "oid", "oid": "oid", "azp": "app", "scope": nil}, "app", ""},
		{"Entra, version 1 without idtyp", m{"sub": "oid", "oid": "oid", "azp": nil, "appid": "app", "scope": nil}, "app", ""},
		{"Entra, a user's without idtyp", m{"sub": "pairwise", "oid": "oid", "azp": "app", "scope": nil, "scp": "read"}, "", ""},
		{"Azure B2C, a user's", m{"sub": "oid", "oid": "oid", "azp": "app", "scope": nil, "scp": "read"}, "", ""},
		{"Azure B2C, an ID token of a user", m{"sub": "oid", "oid": "oid", "azp": nil, "scope": nil}, "", ""},
		{"Keycloak", m{"azp": "svc", "preferred_username": "service-account-svc"}, "svc", ""},
		{"Keycloak, of a client with capitals", m{"azp": "Svc", "preferred_username": "service-account-svc"}, "Svc", ""},
		{"a user who is named like the service account of another client", m{"azp": "web", "preferred_username": "service-account-svc"}, "", "service account of another"},
		{"a service account without a client", m{"azp": nil, "preferred_username": "service-account-"}, "", "does not say which"},
		{"gty without a client", m{"azp": nil, "gty": "client-credentials"}, "", "does not say which"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := check(t, claims(test.claims), nil, nil)
			if test.want != "" {
				wantRefused(t, got, err, test.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.IsClient() != (test.client != "") {
				t.Errorf("a client's: %v", got.IsClient())
			}
			if test.client == "" {
				return
			}
			if got.Claim("client_id") != staff+"#"+test.client || got.Claim("cid") != staff+"#"+test.client || got.Claim("username") != "" {
				t.Errorf("client %v, username %v", got.Claim("client_id"), got.Claim("username"))
			}
		})
	}
	// A client has no e-mail address, and need not have one.
	got, err := check(t, claims(m{"sub": "svc", "client_id": "svc"}), nil, func(s *Settings) { s.UsernameClaim = "email" })
	if err != nil || !got.IsClient() {
		t.Error(err)
	}
}
