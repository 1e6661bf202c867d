package clienttools

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// The recipes of docs/machines.md: services that get tokens for themselves.

const backupSecret, prometheusSecret = "backup & +%=secret", "prometheus-secret" // the first is what a client that does not encode gets wrong

// startMachines serves the site of the page with an app that says who asks, and returns
// the directory that stands for /etc/caddy and for that of the service.
func startMachines(t *testing.T) (s *harness.Site, dir string) {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			fmt.Fprintln(w, "app_answers_total 42")
			return
		}
		fmt.Fprintf(w, "hello client %q user %q", r.Header.Get("X-Client"), r.Header.Get("X-User"))
	}))
	t.Cleanup(app.Close)
	dir = etc(t)
	for name, content := range map[string]string{
		"users.htpasswd":    "alice:" + harness.CheapHash(t, password) + "\n",
		"backup.secret":     backupSecret,
		"prometheus.secret": prometheusSecret,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = harness.NewSite(t)
	s.Reload("", recipe(t, "machine-site", "https://api.example.com", "http://127.0.0.1:%PORT%",
		"api.example.com {", "http://127.0.0.1:%PORT% {\n\tlog", "/etc/caddy", dir, "localhost:9000", app.Listener.Addr().String()))
	return s, dir
}

const helloBackup = `hello client "backup" user ""`

// greeted fails the test unless a program has reached the app as the client, with one
// token, and printed no secret.
func greeted(t *testing.T, s *harness.Site, printed string, err error) {
	t.Helper()
	if err != nil || !strings.Contains(printed, helloBackup) || strings.Contains(printed, backupSecret) {
		t.Errorf("%v: it printed %s", err, printed)
	}
	if n := logins(s); n != 1 || len(s.Refusals()) > 0 {
		t.Errorf("it asked for %d tokens, refused: %v", n, s.Refusals())
	}
}

func TestCurlGetsATokenForAService(t *testing.T) {
	need(t, "curl", "jq")
	s, dir := startMachines(t)
	short(t, "machine-curl")
	printed, err := command(t, dir, nil, "sh", "-eu", "-c", recipe(t, "machine-curl", "https://api.example.com", origin(s)))
	greeted(t, s, printed, err)
}

func TestAuthlibGetsTokensForAService(t *testing.T) {
	need(t, python)
	s, dir := startMachines(t)
	short(t, "machine-authlib")
	source := recipe(t, "machine-authlib", "https://api.example.com", origin(s))
	run := func(source string) (string, error) {
		if err := os.WriteFile(filepath.Join(dir, "service.py"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		return command(t, dir, nil, python, "service.py")
	}
	printed, err := run(source)
	greeted(t, s, printed, err)

	// it gets another token by itself, which is not a refresh
	expire := fmt.Sprintf("\nbefore = session.token['access_token']\nsession.token['expires_at'] = 1\nprint('later', session.get(%q).status_code, session.token['access_token'] != before)\n", origin(s)+"/backups")
	if printed, err := run(source + expire); err != nil || !strings.Contains(printed, "later 200 True") {
		t.Errorf("%v: %s", err, printed)
	}
}

func TestLibrariesOfNodeGetTokensForAService(t *testing.T) {
	need(t, "node", "npm")
	s, dir := startMachines(t)
	if err := os.Symlink(filepath.Join(npm(t), "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	run := func(source string) (string, error) {
		if err := os.WriteFile(filepath.Join(dir, "service.mjs"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		return command(t, dir, nil, "node", "service.mjs")
	}
	short(t, "machine-openid-client")
	printed, err := run(recipe(t, "machine-openid-client", "https://api.example.com", origin(s),
		`algorithm: "oauth2"`, `algorithm: "oauth2", execute: [client.allowInsecureRequests]`)) // it is not https here
	greeted(t, s, printed, err)

	// what that library is made of checks each answer by RFC 6749 and RFC 9207
	for name, authentication := range map[string]string{"in the body": "ClientSecretPost", "in the header": "ClientSecretBasic"} {
		printed, err := run(strings.NewReplacer("ORIGIN", origin(s), "AUTHENTICATION", authentication).Replace(oauth4webapi))
		if err != nil || !strings.Contains(printed, "bearer backups.write undefined 200") {
			t.Errorf("oauth4webapi %s: %v: %s", name, err, printed)
		}
	}
	printed, err = run(strings.NewReplacer("ORIGIN", origin(s), "AUTHENTICATION", "ClientSecretPost", `"backups.write"`, `"admin"`).Replace(oauth4webapi))
	if err == nil || !strings.Contains(printed, "invalid_scope") {
		t.Errorf("oauth4webapi with a scope of others: %v: %s", err, printed)
	}
}

const oauth4webapi = `import { readFileSync } from "node:fs";
import * as oauth from "oauth4webapi";

const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL("ORIGIN");
const server = await oauth.processDiscoveryResponse(issuer,
  await oauth.discoveryRequest(issuer, { ...insecure, algorithm: "oauth2" }));
if (!server.grant_types_supported.includes("client_credentials")) throw new Error("not offered");
const client = { client_id: "backup" };
const tokens = await oauth.processClientCredentialsResponse(server, client, await oauth.clientCredentialsGrantRequest(
  server, client, oauth.AUTHENTICATION(readFileSync("backup.secret", "utf8")), new URLSearchParams({ scope: "backups.write" }), insecure));
const answer = await oauth.protectedResourceRequest(tokens.access_token, "GET", new URL("ORIGIN/backups"), undefined, undefined, insecure);
console.log(tokens.token_type, tokens.scope, tokens.refresh_token, answer.status);
`

// This one needs Go alone, so it is never skipped.
func TestXOAuth2GetsTokensForAService(t *testing.T) {
	s, dir := startMachines(t)
	short(t, "machine-go")
	source := strings.NewReplacer("RECIPE", recipe(t, "machine-go", "https://api.example.com", origin(s)),
		`"errors"`+"\n", "", `"golang.org/x/oauth2"`, `"golang.org/x/oauth2"`+"\n"+`"golang.org/x/oauth2/clientcredentials"`,
		`"net/http"`+"\n", "").Replace(goProgram)
	file, binary := filepath.Join(t.TempDir(), "main.go"), filepath.Join(dir, "service")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if printed, err := command(t, repo.Path("."), []string{"GOFLAGS=-buildvcs=false"}, "go", "build", "-o", binary, file); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	printed, err := command(t, dir, nil, binary)
	greeted(t, s, printed, err)

	for style := range map[oauth2.AuthStyle]bool{oauth2.AuthStyleAutoDetect: true, oauth2.AuthStyleInHeader: true, oauth2.AuthStyleInParams: true} {
		config := clientcredentials.Config{ClientID: "backup", ClientSecret: backupSecret, TokenURL: s.URL("/token"), AuthStyle: style, Scopes: []string{"backups.write"}}
		token, err := config.Token(t.Context())
		if err != nil || token.Type() != "Bearer" || token.RefreshToken != "" || token.Extra("scope") != "backups.write" {
			t.Errorf("style %d: %v %+v", style, err, token)
		}
	}
}

// Prometheus gets one token for all its scrapes, and its configuration page shows no
// secret.
func TestPrometheusScrapesAsAService(t *testing.T) {
	need(t, "prometheus")
	s, dir := startMachines(t)
	short(t, "machine-prometheus")
	config := "global: {scrape_interval: 1s}\n" + recipe(t, "machine-prometheus", "https://api.example.com", origin(s), "scheme: https", "scheme: http",
		"[api.example.com]", "["+s.Address()+"]", "/etc/prometheus", dir)
	prometheus := startPrometheus(t, dir, config)
	harness.Eventually(t, "it has scraped three times", func() bool {
		return query(t, prometheus, "app_answers_total") == "42" && query(t, prometheus, `count_over_time(up{job="app"}[5m]) >= 3`) != ""
	})
	if up := query(t, prometheus, `min_over_time(up{job="app"}[5m])`); up != "1" {
		t.Errorf("up is %s", up)
	}
	if n := logins(s); n != 1 {
		t.Errorf("it asked for %d tokens", n)
	}
	if shown := get(t, prometheus+"/api/v1/status/config"); strings.Contains(shown, prometheusSecret) {
		t.Errorf("its configuration page shows the secret: %s", shown)
	}
}

// An app that verifies tokens itself tells a service from a user as the page says.
func TestAnAppTellsAServiceFromAUser(t *testing.T) {
	need(t, python)
	s, dir := startMachines(t)
	a := s.Post("/token", "grant_type=client_credentials", harness.Basic("backup", "backup+%26+%2B%25%3Dsecret"))
	a.Want(t, 200, "")
	source := fmt.Sprintf("token = %q\n%s\n%s\nprint('user', user)\n", a.Text(t, "access_token"),
		recipe(t, "verify-pyjwt", "https://api.example.com", origin(s)), recipe(t, "machine-kind"))
	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if printed, err := command(t, dir, nil, python, "app.py"); err == nil || !strings.Contains(printed, "PermissionError: a service, not a user") {
		t.Errorf("%v: %s", err, printed)
	}
}
