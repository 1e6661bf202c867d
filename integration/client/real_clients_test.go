package client

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/standin"
)

// realSite has a client whose credentials no client library may get wrong.
const realSite = `http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer http://localhost
		client web {
			secret web-secret
			scopes read write
		}
		client "app:1 +%" {
			secret "s:e cret+%&=é"
			scopes read
		}
		client cli {
			public
			scopes read
		}
		user alice ` + harness.HashBcrypt + `
	}
}
`

func TestXOAuth2GetsATokenThatVerifies(t *testing.T) {
	s := harness.StartCheap(t, realSite)
	styles := []struct {
		name  string
		style oauth2.AuthStyle
	}{
		{"in the header", oauth2.AuthStyleInHeader},
		{"in the parameters", oauth2.AuthStyleInParams},
		{"wherever it works", oauth2.AuthStyleAutoDetect},
	}
	for _, client := range [][2]string{{"web", "web-secret"}, {"app:1 +%", "s:e cret+%&=é"}, {"cli", ""}} {
		for _, style := range styles {
			t.Run(client[0]+" "+style.name, func(t *testing.T) {
				config := oauth2.Config{
					ClientID: client[0], ClientSecret: client[1],
					Endpoint: oauth2.Endpoint{TokenURL: s.URL("/token"), AuthStyle: style.style},
					Scopes:   []string{"read"},
				}
				token, err := config.PasswordCredentialsToken(t.Context(), "alice", "correct horse")
				if err != nil {
					t.Fatal(err)
				}
				if token.Type() != "Bearer" || token.RefreshToken == "" || token.ExpiresIn != 3600 || token.Extra("scope") != "read" {
					t.Errorf("the token is %+v", token)
				}
				verifyWithGoJose(s, t, token.AccessToken, client[0])
				verifyWithGolangJWT(s, t, token.AccessToken, client[0])
			})
		}
	}
}

// The library refreshes by itself, and keeps the token that it gets in place of the old
// one.
func TestXOAuth2Refreshes(t *testing.T) {
	s := harness.StartCheap(t, realSite)
	for _, client := range [][2]string{{"web", "web-secret"}, {"app:1 +%", "s:e cret+%&=é"}, {"cli", ""}} {
		t.Run(client[0], func(t *testing.T) {
			config := oauth2.Config{
				ClientID: client[0], ClientSecret: client[1],
				Endpoint: oauth2.Endpoint{TokenURL: s.URL("/token")},
			}
			token, err := config.PasswordCredentialsToken(t.Context(), "alice", "correct horse")
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				before := *token
				token.Expiry = time.Now().Add(-time.Minute)
				if token, err = config.TokenSource(t.Context(), token).Token(); err != nil {
					t.Fatal(err)
				}
				if token.AccessToken == before.AccessToken || token.RefreshToken == before.RefreshToken || token.RefreshToken == "" {
					t.Fatal("a token is the same as before")
				}
				verifyWithGoJose(s, t, token.AccessToken, client[0])
			}
		})
	}
}

func TestXOAuth2UnderstandsRefusals(t *testing.T) {
	s := harness.StartCheap(t, realSite)
	for style, status := range map[oauth2.AuthStyle]int{oauth2.AuthStyleInHeader: 401, oauth2.AuthStyleInParams: 400} {
		config := oauth2.Config{
			ClientID: "web", ClientSecret: "web-secret",
			Endpoint: oauth2.Endpoint{TokenURL: s.URL("/token"), AuthStyle: style},
		}
		_, err := config.PasswordCredentialsToken(t.Context(), "alice", "wrong")
		refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
		if !ok || refusal.ErrorCode != "invalid_grant" || refusal.Response.StatusCode != 400 {
			t.Errorf("a wrong password gives %v", err)
		}
		config.ClientSecret = "wrong"
		_, err = config.PasswordCredentialsToken(t.Context(), "alice", "correct horse")
		refusal, ok = errors.AsType[*oauth2.RetrieveError](err)
		if !ok || refusal.ErrorCode != "invalid_client" || refusal.Response.StatusCode != status {
			t.Errorf("a wrong secret gives %v", err)
		}
	}
}

func TestCurlGetsAToken(t *testing.T) {
	curl := standin.Path(t, "curl")
	s := harness.StartCheap(t, realSite)
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, curl, "--silent", "--show-error", "--fail-with-body", "--noproxy", "*",
		"--user", "web:web-secret",
		"--data", "grant_type=password", "--data", "username=alice", "--data-urlencode", "password=correct horse",
		s.URL("/token"))
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl: %v\n%s", err, output)
	}
	var response struct {
		AccessToken string `json:"access_token"`
		Scope       string `json:"scope"`
	}
	if err := json.Unmarshal(output, &response); err != nil || response.Scope != "read write" {
		t.Fatalf("curl got %s, %v", output, err)
	}
	verifyWithGoJose(s, t, response.AccessToken, "web")
}

// keySet fetches the public keys, as an app would.
func keySet(s *harness.Site, t *testing.T) jose.JSONWebKeySet {
	t.Helper()
	a := s.Do(s.Request("GET", "/token/jwks", ""))
	a.Want(t, 200, "")
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(a.Body, &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys.Keys {
		if !key.IsPublic() || !key.Valid() {
			t.Errorf("key %s is not a valid public one", key.KeyID)
		}
	}
	return keys
}

func verifyWithGoJose(s *harness.Site, t *testing.T, raw, client string) {
	t.Helper()
	token, err := josejwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims josejwt.Claims
	var own struct {
		ClientID string `json:"client_id"`
		Scope    string `json:"scope"`
	}
	if err := token.Claims(keySet(s, t), &claims, &own); err != nil {
		t.Fatalf("go-jose does not verify it: %v", err)
	}
	expected := josejwt.Expected{Issuer: "http://localhost", Subject: "alice", AnyAudience: josejwt.Audience{"http://localhost"}}
	if err := claims.Validate(expected); err != nil {
		t.Error(err)
	}
	if own.ClientID != client || own.Scope == "" {
		t.Errorf("claims: %+v", own)
	}
}

func verifyWithGolangJWT(s *harness.Site, t *testing.T, raw, client string) {
	t.Helper()
	keys := keySet(s, t)
	var claims struct {
		jwt.RegisteredClaims
		CID string `json:"cid"`
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer("http://localhost"),
		jwt.WithAudience("http://localhost"), jwt.WithSubject("alice"), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	token, err := parser.ParseWithClaims(raw, &claims, func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		i := slices.IndexFunc(keys.Keys, func(key jose.JSONWebKey) bool { return key.KeyID == kid })
		if i < 0 {
			return nil, errors.New("the kid is not among the published keys")
		}
		return keys.Keys[i].Key, nil
	})
	if err != nil {
		t.Fatalf("golang-jwt does not verify it: %v", err)
	}
	if token.Header["typ"] != "JWT" || claims.CID != client {
		t.Errorf("header %v, cid %q", token.Header, claims.CID)
	}
}
