package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// measureCredentials compares requests with credentials of other kinds with the same
// requests with an own token where bearer_auth takes nothing else. All were checked
// before, have the same claims and scopes, and turn and turn about with the own token.
func measureCredentials(ctx context.Context, b *bench) ([]figure, error) {
	var issuers []*outsideIssuer
	for range 3 {
		issuer, err := startOutsideIssuer()
		if err != nil {
			return nil, err
		}
		defer issuer.stop()
		issuers = append(issuers, issuer)
	}
	const name = "credentials"
	dir := b.path(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	users, err := json.Marshal(map[string]any{"users": []any{map[string]any{
		"username": credentialUser, "password_hash": bcrypted(thePassword, cheapCost), "claims": map[string]any{"groups": credentialGroups},
	}}})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "users.json"), users, 0o600); err != nil {
		return nil, err
	}
	key, err := b.output(ctx, anyCore, nil, "caddy", "grant", "key", "add", "bench", "--user", credentialUser, "--scopes", credentialScope, "--file", filepath.Join(dir, "keys"))
	if err != nil {
		return nil, err
	}
	s, err := b.start(ctx, setup{name: name, pinned: true, site: credentialSite(issuers)})
	if err != nil {
		return nil, err
	}
	defer s.stop()

	own, err := newClient().logIn(ctx, s.url("/token"), login(credentialUser, thePassword))
	if err != nil {
		return nil, err
	}
	acting, err := newClient().logIn(ctx, s.url("/token"), url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"batch"}, "client_secret": {clientSecret},
	})
	if err != nil {
		return nil, err
	}
	one, err := issuers[0].token(len(own.Access))
	if err != nil {
		return nil, err
	}
	third, err := issuers[2].token(len(own.Access))
	if err != nil {
		return nil, err
	}
	kinds := []struct{ name, path, credential string }{
		{"an own token", "/own", own.Access},
		{"an outside token", "/outside", one},
		{"an own token beside 3 issuers", "/three", own.Access},
		{"an outside token of the last of 3 issuers", "/three", third},
		{"an API key", "/keys", strings.TrimSpace(string(key))},
		{"a client's token", "/clients", acting.Access},
		{"an own token, a group is required", "/group", own.Access},
		{"no token, unchecked", "/plain", own.Access},
	}
	var targets []target
	for _, kind := range kinds {
		header := map[string]string{"Authorization": "Bearer " + kind.credential}
		p := saturating(plan{Method: http.MethodGet, URL: s.url(kind.path), Header: header}, `"access_token"`)
		if err := awaitPass(ctx, p); err != nil {
			return nil, fmt.Errorf("%s: %w", kind.name, err)
		}
		targets = append(targets, target{kind.name, groupOurs, &s.process, p})
	}
	entries, err := b.speeds(ctx, targets) // beside the first
	if err != nil {
		return nil, err
	}
	figures := []figure{measured("CPU per request: "+kinds[0].name, "µs", entries[0].CPU.Values...)}
	for _, e := range entries[1:] {
		f := ratio(fmt.Sprintf("CPU per request: %s / %s", kinds[0].name, e.Name), e.Share.Values...)
		if e.Name == kinds[1].name {
			f = f.atLeast(0.97)
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// credentialSite has a path for each kind.
func credentialSite(issuers []*outsideIssuer) string {
	var blocks []string
	for _, issuer := range issuers {
		blocks = append(blocks, fmt.Sprintf("issuer %s {\n jwks_url %s/jwks\n audience %s\n }\n", issuer.url, issuer.url, credentialAudience))
	}
	site := fmt.Sprintf(`token_endpoint {
		signing_key EdDSA
		scopes %s
		users json users.json
		api_keys lines keys
		import client
		client batch {
			secret %s
			scopes %[1]s
			grants client_credentials
		}
	}
	`, credentialScope, clientSecret)
	for _, at := range []struct{ path, takes string }{
		{"/own", ""},
		{"/outside", blocks[0]},
		{"/three", strings.Join(blocks, "")},
		{"/keys", "keys\n"},
		{"/clients", "clients\n"},
		{"/group", "require groups staff\n"},
	} {
		site += fmt.Sprintf("handle %s {\nbearer_auth {\nscopes %s\n%s}\n%s\n}\n", at.path, credentialScope, at.takes, respondJSON())
	}
	return site + fmt.Sprintf("handle /plain {\n%s\n}\n", respondJSON())
}

const (
	credentialUser     = "user0"
	credentialScope    = "read"
	credentialAudience = "contacts"
)

var credentialGroups = []string{"contacts", "operators", "staff"}
