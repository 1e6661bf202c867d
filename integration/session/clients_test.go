package session

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/standin"
)

// Clients that others wrote, as users of this module have them.

// findableSite is found by its metadata: the issuer is where it listens. An access
// token is so short that x/oauth2, which allows for ten seconds, refreshes whenever it
// is asked.
const findableSite = `http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer           http://127.0.0.1:%PORT%
		access_token_ttl 10s
		client web {
			secret web-secret
			scopes read write
		}
		client "app:1 +%" {
			secret "s:e cret+%&=é"
			scopes read write
		}
		client cli {
			public
			scopes read write
		}
		user alice ` + harness.HashBcrypt + `
		%SETTINGS%
	}
	bearer_auth /app*
	respond /app "in"
}
`

func startFindable(t *testing.T, settings string) *harness.Site {
	t.Helper()
	return harness.StartCheap(t, strings.Replace(findableSite, "%SETTINGS%", settings, 1))
}

func TestRefreshByXOAuth2(t *testing.T) {
	s := startFindable(t, "")
	for _, client := range [][2]string{{"web", "web-secret"}, {"app:1 +%", "s:e cret+%&=é"}, {"cli", ""}} {
		for name, style := range map[string]oauth2.AuthStyle{
			"in the header": oauth2.AuthStyleInHeader, "in the parameters": oauth2.AuthStyleInParams, "wherever it works": oauth2.AuthStyleAutoDetect,
		} {
			t.Run(client[0]+" "+name, func(t *testing.T) {
				config := oauth2.Config{
					ClientID: client[0], ClientSecret: client[1],
					Endpoint: oauth2.Endpoint{TokenURL: s.URL("/token"), AuthStyle: style},
					Scopes:   []string{"read"},
				}
				login, err := config.PasswordCredentialsToken(t.Context(), "alice", "correct horse")
				if err != nil {
					t.Fatal(err)
				}
				source := config.TokenSource(t.Context(), login)
				before := login
				for range 4 {
					token, err := source.Token()
					if err != nil {
						t.Fatal(err)
					}
					if token.RefreshToken == "" || token.RefreshToken == before.RefreshToken || token.AccessToken == before.AccessToken {
						t.Fatalf("the token source did not rotate: %+v", token)
					}
					if token.Extra("scope") != "read" || s.Edge(token.AccessToken) != 200 {
						t.Errorf("the token is %+v", token)
					}
					before = token
				}
				app := config.Client(t.Context(), before) // refreshes on its own
				response, err := app.Get(s.URL("/app"))
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Errorf("the app answers %d", response.StatusCode)
				}
				// G9: an attacker who kept the token of the login
				if _, err := config.TokenSource(t.Context(), login).Token(); !isRetrieveError(err, "invalid_grant") {
					t.Errorf("a spent token gives %v", err)
				}
				if _, err := app.Get(s.URL("/app")); !isRetrieveError(err, "invalid_grant") {
					t.Errorf("the client whose session it was gets %v", err)
				}
			})
		}
	}
	t.Run("an error of the client is not one of the token", func(t *testing.T) {
		config := oauth2.Config{ClientID: "web", ClientSecret: "wrong", Endpoint: oauth2.Endpoint{TokenURL: s.URL("/token"), AuthStyle: oauth2.AuthStyleInHeader}}
		session := s.Web().Login(t, "alice")
		if _, err := config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: session.Refresh}).Token(); !isRetrieveError(err, "invalid_client") {
			t.Errorf("got %v", err)
		}
		s.Web().Refreshed(t, session.Refresh)
	})
}

func isRetrieveError(err error, code string) bool {
	refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
	return ok && refusal.ErrorCode == code
}

func TestRefreshByCurl(t *testing.T) {
	curl := standin.Path(t, "curl")
	s := startFindable(t, "")
	ask := func(path string, data ...string) map[string]any {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
		defer cancel()
		args := []string{"--silent", "--show-error", "--noproxy", "*", "--user", "web:web-secret"}
		for _, d := range data {
			args = append(args, "--data-urlencode", d)
		}
		output, err := exec.CommandContext(ctx, curl, append(args, s.URL(path))...).Output()
		if err != nil {
			t.Fatalf("curl: %v\n%s", err, output)
		}
		var answer map[string]any
		if err := json.Unmarshal(output, &answer); err != nil {
			t.Fatalf("curl got %s: %v", output, err)
		}
		return answer
	}
	login := ask("/token", "grant_type=password", "username=alice", "password=correct horse")
	next := ask("/token", "grant_type=refresh_token", "refresh_token="+login["refresh_token"].(string), "scope=read")
	if next["scope"] != "read" {
		t.Fatalf("a refresh gives %v", next)
	}
	if a := ask("/token/introspect", "token="+next["access_token"].(string)); a["active"] != true || a["scope"] != "read" {
		t.Errorf("introspection says %v", a)
	}
	if a := ask("/token/revoke", "token="+next["refresh_token"].(string), "token_type_hint=refresh_token"); len(a) != 0 {
		t.Errorf("J2: a revocation gets %v", a)
	}
	if a := ask("/token/introspect", "token="+next["access_token"].(string)); a["active"] != false || len(a) != 1 {
		t.Errorf("introspection says %v", a)
	}
	if a := ask("/token", "grant_type=refresh_token", "refresh_token="+next["refresh_token"].(string)); a["error"] != "invalid_grant" {
		t.Errorf("a refresh gives %v", a)
	}
}

// Rows L3 and L6: what the metadata says of sessions, and that it works as it says.
func TestRefreshRevokeAndIntrospectInTheMetadata(t *testing.T) {
	secret, all := []any{"client_secret_basic", "client_secret_post"}, []any{"client_secret_basic", "client_secret_post", "none"}
	for _, test := range []struct {
		name, settings, clients string
		grants, revoke, ask     []any // ask is nil where there is no introspection
	}{
		{"L3, L6: clients of both kinds", "", harness.SecretClient + "\n" + harness.PublicClient, []any{"password", "refresh_token"}, all, secret},
		{"L6: public clients may revoke and not introspect", "", harness.PublicClient, []any{"password", "refresh_token"}, []any{"none"}, nil},
		{"L6: confidential clients", "", harness.SecretClient, []any{"password", "refresh_token"}, secret, secret},
		{"L3: a server without refresh tokens revokes and introspects too", "grants password", harness.SecretClient, []any{"password"}, secret, secret},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := harness.StartCheap(t, strings.Replace(harness.MetadataSite("issuer https://api.example.com/tenant\n"+test.settings+"\n"+test.clients), "reverse_proxy %APP%", "", 1))
			a := s.Do(s.Request("GET", harness.WellKnown+"/tenant", ""))
			a.Want(t, 200, "")
			for member, want := range map[string]any{
				"grant_types_supported":                         test.grants,
				"revocation_endpoint":                           "https://api.example.com/token/revoke",
				"revocation_endpoint_auth_methods_supported":    test.revoke,
				"introspection_endpoint":                        "https://api.example.com/token/introspect",
				"introspection_endpoint_auth_methods_supported": test.ask,
				"token_endpoint_auth_methods_supported":         test.revoke,
			} {
				got, there := a.JSON[member]
				if test.ask == nil && strings.HasPrefix(member, "introspection") {
					if there {
						t.Errorf("L6: %s is %v", member, got)
					}
					continue
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s is %v, want %v", member, got, want)
				}
			}
		})
	}
	t.Run("L6: a client that knows nothing but the metadata can do it all, in every way that is listed", func(t *testing.T) {
		s := startFindable(t, "")
		m := s.Do(s.Request("GET", harness.WellKnown, ""))
		methods := func(member string) []string {
			var names []string
			for _, name := range m.JSON[member].([]any) {
				names = append(names, name.(string))
			}
			return names
		}
		// the request that a method of client authentication makes
		post := func(target, method, form string) harness.Answer {
			switch method {
			case "client_secret_basic":
				return s.Post(target, form, harness.Basic("web", "web-secret"))
			case "client_secret_post":
				return s.Post(target, form+"&client_id=web&client_secret=web-secret")
			}
			return s.Post(target, form+"&client_id=cli")
		}
		const login = "grant_type=password&username=alice&password=correct+horse"
		if !slices.Equal(methods("grant_types_supported"), []string{"password", "refresh_token"}) {
			t.Errorf("L3: %s", m.Body)
		}
		for _, method := range methods("token_endpoint_auth_methods_supported") {
			session := harness.TokensOf(t, post(m.Text(t, "token_endpoint"), method, login))
			harness.TokensOf(t, post(m.Text(t, "token_endpoint"), method, "grant_type=refresh_token&refresh_token="+session.Refresh))
		}
		for _, method := range methods("introspection_endpoint_auth_methods_supported") {
			session := harness.TokensOf(t, post(m.Text(t, "token_endpoint"), method, login))
			if a := post(m.Text(t, "introspection_endpoint"), method, "token="+session.Refresh); a.JSON["active"] != true {
				t.Errorf("%s: introspection says %s", method, a.Body)
			}
		}
		for _, method := range methods("revocation_endpoint_auth_methods_supported") {
			session := harness.TokensOf(t, post(m.Text(t, "token_endpoint"), method, login))
			post(m.Text(t, "revocation_endpoint"), method, "token="+session.Refresh).Want(t, 200, "")
			if got := s.Edge(session.Access); got != 401 {
				t.Errorf("%s: the edge answers %d after a revocation", method, got)
			}
		}
	})
}
