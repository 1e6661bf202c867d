package config

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	caddygrant "github.com/caddygrant/caddy-grant"
	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// wantConfigError fails the test unless the error has that text and none of the secrets
// of the input.
func wantConfigError(t *testing.T, err error, want, input string) {
	t.Helper()
	if err == nil {
		t.Fatalf("there was no error, want: %s", want)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("the error is: %v\nwant in it: %s", err, want)
	}
	for _, secret := range secretsIn(input) {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats a secret of the input: %v", err)
		}
	}
}

func TestWhatTheCaddyfileAdaptsToIsProvisioned(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"users.htpasswd":   "htpasswd-user:" + harness.HashBcrypt + "\n",
		"users.json":       `{"users": [{"username": "json-user", "password_hash": "` + harness.HashArgon2id + `"}]}`,
		"clients.htpasswd": "htpasswd-client:" + harness.HashBcrypt + "\n",
		"clients.json":     `{"clients": [{"id": "json-client", "secret_hash": "` + harness.HashArgon2id + `"}]}`,
		"keys.json":        `{"api_keys": [{"name": "backup", "hash": "sha256:` + strings.Repeat("0a", 32) + `", "user": "json-user"}]}`,
		"keys":             "report sha256:" + strings.Repeat("0b", 32) + " client=json-client\n",
		"login.html":       `<!DOCTYPE html><title>{{.Title}}</title>`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pem, err := os.ReadFile(repo.Path("internal/keyring/testdata/ec-p256-pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "es256.pem"), pem, 0o600); err != nil {
		t.Fatal(err)
	}

	golden, err := os.ReadFile(filepath.Join(goldenDir, "every-subdirective-at-once"+goldenExtension))
	if err != nil {
		t.Fatal(err)
	}
	_, config, _ := strings.Cut(string(golden), goldenSeparator)
	handler := findHandler(t, strings.ReplaceAll(config, "/etc/caddy", dir))

	for _, member := range jsonMembers(reflect.TypeFor[caddygrant.Handler]()) {
		if _, there := handler[member]; !there {
			t.Errorf("the golden of every subdirective lacks %s", member)
		}
	}
	encoded, err := json.Marshal(handler)
	if err != nil {
		t.Fatal(err)
	}
	if err := harness.Validate(t, harness.JSONConfig(dir, "127.0.0.1:0", string(encoded))); err != nil {
		t.Errorf("it is refused: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "storage", "grant")); !os.IsNotExist(err) {
		t.Errorf("validating left something in the storage (%v)", err)
	}

	// the adapter copies the routes of `http://a, https://a`
	if err := harness.Validate(t, harness.JSONConfig(dir, "127.0.0.1:0", string(encoded), string(encoded))); err != nil {
		t.Errorf("two equal endpoints are refused: %v", err)
	}
}

// findHandler returns the one token_endpoint of a config.
func findHandler(t *testing.T, config string) map[string]any {
	t.Helper()
	var root any
	if err := json.Unmarshal([]byte(config), &root); err != nil {
		t.Fatal(err)
	}
	var found []map[string]any
	var search func(value any)
	search = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, element := range value {
				search(element)
			}
		case map[string]any:
			if value["handler"] == "token_endpoint" {
				found = append(found, value)
				return
			}
			for _, member := range value {
				search(member)
			}
		}
	}
	search(root)
	if len(found) != 1 {
		t.Fatalf("the config has %d token_endpoints", len(found))
	}
	return found[0]
}

func TestJSONConfigsAreAccepted(t *testing.T) {
	tests := map[string]string{
		"the bare minimum":                            ``,
		"null for what may be left out":               `"path": null, "name": null, "audience": null, "scopes": null, "leeway": null, "signing_key": null, "password_checks": null`,
		"empty for what may be left out":              `"path": "", "name": "", "issuer": "", "audience": [], "typ": "", "access_token_ttl": 0, "rotate_every": 0, "password_checks": {}, "signing_key": []`,
		"durations as text":                           `"access_token_ttl": "1d", "leeway": "1m", "rotate_every": "30d", "password_checks": {"wait": "1s"}`,
		"typ JWT with an issuer that is the audience": `"typ": "JWT", "issuer": "https://auth.example.com"`,
		"durations of sessions as text":               `"refresh_token_ttl": "7d", "session_ttl": "90d", "refresh_grace": "30s", "revocation_poll": "500ms"`,
		"no settings of sessions":                     `"grants": null, "refresh_token_ttl": 0, "session_ttl": null, "refresh_grace": "0s", "revocation_poll": 0`,
		"one grant":                                   `"grants": ["password"]`,
		"a client that may not use any grant":         `"clients": [{"source": "inline", "clients": [{"id": "web", "secret": "web-s3cret", "grants": [], "introspect": ["https://api.example.com"]}]}]`,
		"a public client with nothing to introspect":  `"clients": [{"source": "inline", "clients": [{"id": "web", "public": true, "introspect": null}]}]`,
		"durations in nanoseconds":                    `"access_token_ttl": 60000000000`,
		"no scopes at all":                            `"scopes": []`,
		"a claim of any kind":                         `"users": [{"source": "inline", "users": [{"username": "alice", "password_hash": "` + harness.HashBcrypt + `", "claims": {"groups": ["a", "b"], "level": 3, "admin": true, "address": {"city": "Oxford"}, "nickname": null}}]}]`,
		"several inline sources":                      `"users": [{"source": "inline", "users": [{"username": "alice", "password_hash": "` + harness.HashBcrypt + `"}]}, {"source": "inline", "users": [{"username": "bob", "password_hash": "` + harness.HashBcrypt + `"}]}]`,
	}
	for name, members := range tests {
		t.Run(name, func(t *testing.T) {
			handler := harness.BareHandler
			if members != "" {
				handler += ", " + members
			}
			if err := harness.ValidateHandlers(t, "{"+handler+"}"); err != nil {
				t.Errorf("it is refused: %v", err)
			}
		})
	}
}

func TestJSONConfigsAreRefused(t *testing.T) {
	client := func(members string) string {
		return `"clients": [{"source": "inline", "clients": [{` + members + `}]}]`
	}
	user := func(members string) string {
		return `"users": [{"source": "inline", "users": [{` + members + `}]}]`
	}
	tests := []struct{ name, members, want string }{
		{"an unknown member", `"token_lifetime": "1h"`, `unknown field "token_lifetime"`},
		{"the Caddyfile's name for the users of a file", `"user": []`, `unknown field "user"`},
		{"an unknown member of password_checks", `"password_checks": {"workers": 1}`, `unknown field "workers"`},
		{"an unknown member of a signing key", `"signing_key": [{"alg": "ES256"}]`, `unknown field "alg"`},
		{"an unknown member of a user", user(`"username": "alice", "password": "my-s3cret"`), `unknown field "password"`},
		{"an unknown member of a client", client(`"id": "web", "redirect_uris": []`), `unknown field "redirect_uris"`},
		{"an unknown member of a source", `"users": [{"source": "json", "path": "x", "poll": 1}]`, `unknown field "poll"`},

		{"no users", `"users": []`, `no users: add`},
		{"null for the users", `"users": null`, `no users: add`},
		{"no clients", `"clients": []`, `no clients: add`},
		{"null for a source of users", `"users": [null]`, `loading users: position 0: module name not specified with key 'source'`},
		{"null for a source of clients", `"clients": [null]`, `loading clients: position 0: module name not specified with key 'source'`},
		{"a source without a name", `"users": [{}]`, `loading users: position 0: module name not specified with key 'source'`},
		{"a source that does not exist", `"users": [{"source": "ldap"}]`, `grant.users.ldap`},
		{"a source of clients that does not exist", `"clients": [{"source": "ldap"}]`, `grant.clients.ldap`},
		{"sources as an object", `"users": {"source": "inline"}`, `users`},
		{"a file without a path", `"users": [{"source": "htpasswd"}]`, `users htpasswd: it needs the path of a file`},
		{"a clients file without a path", `"clients": [{"source": "json"}]`, `clients json: it needs the path of a file`},
		{"a file that does not exist", `"users": [{"source": "json", "path": "/does/not/exist"}]`, `/does/not/exist`},

		{"a path without a slash", `"path": "token"`, `path "token": it must start with a slash, such as /token`},
		{"a path with a star", `"path": "/token*"`, `path "/token*": it must be a path, not a matcher`},
		{"the root as the path", `"path": "/"`, `path "/": it must name one place below the root`},
		{"a path with a placeholder", `"path": "/{env.HOME}"`, `it must be a literal path`},
		{"a bad name", `"name": "Main"`, `name "Main": it must be 1 to 32 of the characters`},
		{"a bad typ", `"typ": "jwt"`, `typ "jwt": it must be JWT or at+jwt`},
		{"at+jwt without an issuer", `"typ": "at+jwt"`, `typ at+jwt (RFC 9068) needs an issuer`},
		{"an issuer without TLS", `"issuer": "http://auth.example.com"`, `it must begin with https://`},
		{"an issuer from an empty placeholder", `"issuer": "{env.CADDY_GRANT_EMPTY}"`, `issuer: `},
		{"an audience from an empty placeholder", `"audience": ["https://a.example.com", "{env.CADDY_GRANT_EMPTY}"]`, `audience: `},
		{"a key file from an empty placeholder", `"signing_key": [{"algorithm": "ES256", "file": "{env.CADDY_GRANT_EMPTY}"}]`, `signing_key 1: file: `},
		{"an empty audience", `"audience": [""]`, `audience: a value is empty`},
		{"an empty scope", `"scopes": [""]`, `scopes: a value is empty`},
		{"a scope twice", `"scopes": ["a", "a"]`, `scopes: duplicate scope "a"`},

		{"a negative access_token_ttl", `"access_token_ttl": -1000000000`, `access_token_ttl: it must be whole seconds`},
		{"a number without a unit", `"access_token_ttl": 15`, `access_token_ttl: it must be whole seconds, at least 1s and at most 10 years; in JSON a number without a unit is nanoseconds: write "15s"`},
		{"a poll without a unit", `"revocation_poll": 5`, `revocation_poll: it must be 100ms to 5m; in JSON a number without a unit is nanoseconds: write "5s"`},
		{"fractions of a second", `"access_token_ttl": 1500000000`, `access_token_ttl: it must be whole seconds`},
		{"an access_token_ttl of text that is no duration", `"access_token_ttl": "long"`, `invalid duration "long"`},
		{"a negative leeway", `"leeway": -1`, `leeway: it must be 0s to 5m`},
		{"no grants", `"grants": []`, `grants: an empty list would offer nothing: leave it out for all grants`},
		{"an unknown grant", `"grants": ["password", "implicit"]`, `grants: no such grant type "implicit": there are password, refresh_token and client_credentials`},
		{"an empty grant", `"grants": [""]`, `grants: no such grant type ""`},
		{"a grant twice", `"grants": ["password", "password"]`, `grants: duplicate grant type password`},
		{"a negative refresh_token_ttl", `"refresh_token_ttl": -1000000000`, `refresh_token_ttl: it must be whole seconds`},
		{"a refresh_token_ttl over ten years", `"refresh_token_ttl": "3651d"`, `refresh_token_ttl: it must be whole seconds, at least 1s and at most 10 years`},
		{"a negative session_ttl", `"session_ttl": -1000000000`, `session_ttl: it must be whole seconds`},
		{"a session_ttl in fractions of a second", `"session_ttl": "1500ms"`, `session_ttl: it must be whole seconds`},
		{"a negative refresh_grace", `"refresh_grace": -1`, `refresh_grace: it must be 0s to 10m`},
		{"a refresh_grace over ten minutes", `"refresh_grace": "11m"`, `refresh_grace: it must be 0s to 10m`},
		{"a revocation_poll that is too short", `"revocation_poll": "1ms"`, `revocation_poll: it must be 100ms to 5m`},
		{"a revocation_poll that is too long", `"revocation_poll": "1h"`, `revocation_poll: it must be 100ms to 5m`},
		{"a negative rotate_every", `"rotate_every": -1`, `rotate_every: it must be at least 1h`},
		{"rotate_every where no key is generated", `"rotate_every": "30d", "signing_key": [{"algorithm": "HS256", "secret": "hmac-s3cret-of-at-least-32-bytes"}]`, `rotate_every: it is for generated keys`},
		{"a negative concurrency", `"password_checks": {"concurrency": -1}`, `password_checks: concurrency -1: it must be 1 to 1024`},
		{"a negative queue", `"password_checks": {"queue": -1}`, `password_checks: queue -1: it must be 1 to 65536`},
		{"a negative wait", `"password_checks": {"wait": -1}`, `password_checks: wait: it must be more than zero`},
		{"a wait as long as the throttle counts an attempt", `"password_checks": {"wait": "1m"}`, `password_checks: wait: it must be more than zero and at most 50s; where logins wait longer, raise concurrency`},

		{"a signing key without an algorithm", `"signing_key": [{"secret": "hmac-s3cret-of-at-least-32-bytes"}]`, `signing_key 1: unrecognized signing algorithm`},
		{"a signing key with a secret and a file", `"signing_key": [{"algorithm": "HS256", "secret": "hmac-s3cret-of-at-least-32-bytes", "file": "x"}]`, `signing_key 1: it has a secret and a file: keep one of them`},
		{"a secret that is too short", `"signing_key": [{"algorithm": "HS512", "secret": "hmac-s3cret-of-at-least-32-bytes"}]`, `signing_key 1: `},
		{"a secret from an empty placeholder", `"signing_key": [{"algorithm": "HS256", "secret": "{env.CADDY_GRANT_EMPTY}"}]`, `signing_key 1: secret: `},
		{"a secret with a brace", `"signing_key": [{"algorithm": "HS256", "secret": "hmac-s3cret-of-{at-least}-32-bytes"}]`, `a literal { is written \{`},
		{"a key file that does not exist", `"signing_key": [{"algorithm": "ES256", "file": "/does/not/exist"}]`, `signing_key 1: reading the private key: `},
		{"a key file that is not a key", `"signing_key": [{"algorithm": "ES256", "file": "json_test.go"}]`, `signing_key 1: private key json_test.go: `},
		{"one secret twice", `"signing_key": [{"algorithm": "HS256", "secret": "hmac-s3cret-of-at-least-32-bytes"}, {"algorithm": "HS256", "secret": "hmac-s3cret-of-at-least-32-bytes"}]`, `signing_key: `},
		{"two generated keys of one algorithm", `"signing_key": [{"algorithm": "ES256"}, {"algorithm": "ES256"}]`, `signing_key 2: a generated ES256 key is already listed`},

		{"a user without a name", user(`"password_hash": "` + harness.HashBcrypt + `"`), `user 1 "": username: it must have 1 to 255 bytes`},
		{"a user without a hash", user(`"username": "alice"`), `user 1 "alice": it has no password_hash: make one with`},
		{"a password in place of the hash", user(`"username": "alice", "password_hash": "my-s3cret"`), `user 1 "alice": `},
		{"a claim that id sets", user(`"username": "alice", "password_hash": "` + harness.HashBcrypt + `", "claims": {"sub": "x"}`), `claims: "sub" is the user's "id": set that instead`},
		{"a claim with a reserved name", user(`"username": "alice", "password_hash": "` + harness.HashBcrypt + `", "claims": {"aud": "x"}`), `claims: "aud" has a meaning of its own`},
		{"a user with an empty scope", user(`"username": "alice", "password_hash": "` + harness.HashBcrypt + `", "scopes": [""]`), `scopes`},
		{"a username with a newline", user(`"username": "al\nice", "password_hash": "` + harness.HashBcrypt + `"`), `username: it must be without control characters`},
		{"a client without an id", client(`"public": true`), `client 1 "": client id: it must have 1 to 255 bytes`},
		{"a client without a secret", client(`"id": "web"`), `client 1 "web": it has no secret`},
		{"a client that is public and has a secret", client(`"id": "web", "public": true, "secret": "web-s3cret"`), `secret, secret_hash and public exclude each other`},
		{"a client secret with a NUL", client(`"id": "web", "secret": "web-s3cret\u0000"`), `secret: it holds a NUL character`},
		{"a client secret from an empty placeholder", client(`"id": "web", "secret": "{env.CADDY_GRANT_EMPTY}"`), `client 1 "web": secret: `},
		{"a client with a negative access_token_ttl", client(`"id": "web", "public": true, "access_token_ttl": -1`), `access_token_ttl: it must be whole seconds`},
		{"a client with a refresh_token_ttl under a second", client(`"id": "web", "public": true, "refresh_token_ttl": 1`), `client 1 "web": refresh_token_ttl: it must be whole seconds`},
		{"a client with a grant twice", client(`"id": "web", "public": true, "grants": ["password", "password"]`), `grants: duplicate grant type password`},
		{"a public client that introspects", client(`"id": "web", "public": true, "introspect": ["https://api.example.com"]`), `introspect: a public client may not ask about tokens`},
		{"a client that introspects an empty audience", client(`"id": "web", "secret": "web-s3cret", "introspect": [""]`), `introspect: a value is empty`},
		{"a client that introspects an empty placeholder", client(`"id": "web", "secret": "web-s3cret", "introspect": ["{env.CADDY_GRANT_EMPTY}"]`), `introspect: `},
		{"a client with an unknown grant", client(`"id": "web", "public": true, "grants": ["implicit"]`), `grants: no such grant type "implicit"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := harness.ValidateHandlers(t, "{"+harness.BareHandler+", "+test.members+"}")
			wantConfigError(t, err, test.want, harness.BareHandler+test.members)
		})
	}

	t.Run("one name with different settings", func(t *testing.T) {
		err := harness.ValidateHandlers(t, "{"+harness.BareHandler+"}", "{"+harness.BareHandler+`, "log_usernames": true}`)
		wantConfigError(t, err, `two token endpoints named "default", in two places, have different settings: make them equal, or give one of them a name of its own, such as "name people", and write "bearer_auth people" on its sites`, harness.BareHandler)
	})
	t.Run("two names with different bounds on hashing", func(t *testing.T) {
		err := harness.ValidateHandlers(t,
			"{"+harness.BareHandler+`, "name": "one", "password_checks": {"queue": 5}}`,
			"{"+harness.BareHandler+`, "name": "two", "password_checks": {"queue": 6}}`)
		wantConfigError(t, err, `password_checks: queue of server "two" differs from that of server "one"`, harness.BareHandler)
	})
	t.Run("one name with equal settings at two paths is fine", func(t *testing.T) {
		err := harness.ValidateHandlers(t, "{"+harness.BareHandler+"}", "{"+harness.BareHandler+`, "path": "/other", "allow_http": true, "name": "default"}`)
		if err != nil {
			t.Errorf("it is refused: %v", err)
		}
	})
}

// What the adapter lets pass, since it does not look at what only the start can know.
func TestErrorsOfACaddyfileThatOnlyProvisioningFinds(t *testing.T) {
	const alice = "user alice " + harness.HashBcrypt + "\n"
	const web = "client web {\n secret web-s3cret\n}\n"
	tests := []struct{ name, sites, want string }{
		{
			"one name with different settings in a named route and in a site",
			"&(tokens) {\n token_endpoint {\n" + web + alice + "}\n}\nexample.com {\n invoke tokens\n token_endpoint /other {\n log_usernames\n" + web + alice + "}\n}", `two token endpoints named "default", at Caddyfile:`,
		},
		{
			"a placeholder that stands for nothing",
			"example.com {\n token_endpoint {\n issuer {env.NO_SUCH_ISSUER}\n" + web + alice + "}\n}", `issuer: `,
		},
		{
			"a secret from a placeholder that is too short",
			"example.com {\n token_endpoint {\n signing_key HS256 {env.HOME}\n" + web + alice + "}\n}", `signing_key 1: HS256 needs a secret of at least 32 bytes`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			options := fmt.Sprintf("{\n admin off\n persist_config off\n auto_https off\n storage file_system %q\n log {\n output discard\n}\n}\n", filepath.Join(t.TempDir(), "storage"))
			config, err := harness.Adapt(options + test.sites)
			if err != nil {
				t.Fatalf("the adapter finds it already, which is better: %v", err)
			}
			wantConfigError(t, harness.Validate(t, string(config)), test.want, test.sites)
		})
	}
}

// An empty list is not an absent one: who has lost the last scope has none.
func TestAnEmptyListInJSONMeansNoneAndAnAbsentOneMeansNoRestriction(t *testing.T) {
	const read, none = `, "scopes": ["read"]`, `, "scopes": []`
	tests := []struct {
		name                 string
		server, client, user string // more members
		status               int
		want                 string // the scope, or the error code
	}{
		{"a client without scopes has the server's", read, ``, ``, 200, "read"},
		{"a client with empty scopes has none", read, none, ``, 200, ""},
		{"a server without scopes has none", ``, ``, ``, 200, ""},
		{"a server with empty scopes has none", none, ``, ``, 200, ""},
		{"a client may have scopes that the server lacks", none, read, ``, 200, "read"},
		{"empty default_scopes are none", read, `, "default_scopes": []`, ``, 200, ""},
		{"a client with empty grants may use none", read, `, "grants": []`, ``, 400, "unauthorized_client"},
		{"a user without scopes has the client's", ``, read, ``, 200, "read"},
		{"a user with empty scopes has none", ``, read, none, 400, "invalid_scope"},
	}
	// a server for each, all of them on one site
	var handlers []string
	for i, test := range tests {
		handlers = append(handlers, fmt.Sprintf(`{
			"handler": "token_endpoint", "name": "server-%d", "path": "/%d"%s,
			"clients": [{"source": "inline", "clients": [{"id": "web", "secret": "web-secret"%s}]}],
			"users": [{"source": "inline", "users": [{"username": "alice", "password_hash": %q%s}]}]
		}`, i, i, test.server, test.client, harness.HashBcrypt, test.user))
	}
	s := harness.NewSite(t)
	if err := s.Load([]byte(harness.JSONConfig(s.Dir, s.Address(), handlers...))); err != nil {
		t.Fatal(err)
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := s.Post(fmt.Sprintf("/%d", i), "grant_type=password&username=alice&password=correct+horse&client_id=web&client_secret=web-secret")
			if test.status != 200 {
				a.Want(t, test.status, test.want)
				return
			}
			a.Want(t, 200, "")
			if got := a.Text(t, "scope"); got != test.want {
				t.Errorf("got the scope %q, want %q", got, test.want)
			}
		})
	}
}

// configTypes are the types whose fields are settings.
var configTypes = []reflect.Type{
	reflect.TypeFor[caddygrant.Handler](),
	reflect.TypeFor[caddygrant.Config](),
	reflect.TypeFor[caddygrant.SigningKey](),
	reflect.TypeFor[caddygrant.PasswordChecks](),
	reflect.TypeFor[directory.User](),
	reflect.TypeFor[directory.Client](),
	reflect.TypeFor[caddygrant.InlineUsers](),
	reflect.TypeFor[caddygrant.HtpasswdUsers](),
	reflect.TypeFor[caddygrant.JSONUsers](),
	reflect.TypeFor[caddygrant.InlineClients](),
	reflect.TypeFor[caddygrant.HtpasswdClients](),
	reflect.TypeFor[caddygrant.JSONClients](),
}

// Caddy's documentation is made of these comments.
func TestEverySettingHasANameInSnakeCaseAndSaysItsDefault(t *testing.T) {
	for _, typ := range configTypes {
		t.Run(typ.Name(), func(t *testing.T) {
			comments := fieldComments(t, typ.PkgPath())
			if comments[typ.Name()] == "" {
				t.Errorf("%s has no comment", typ.Name())
			}
			settings := 0
			for field := range typ.Fields() {
				if field.Anonymous || !field.IsExported() || field.Tag.Get("json") == "-" {
					continue
				}
				settings++
				name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
				if !snakeCase.MatchString(name) {
					t.Errorf("%s: the name in JSON is %q", field.Name, name)
				}
				comment := comments[typ.Name()+"."+field.Name]
				if comment == "" {
					t.Errorf("%s has no comment", field.Name)
				}
				optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
				if optional && !saysDefault.MatchString(comment) {
					t.Errorf("%s may be left out, but its comment does not end with \"Default: ….\" or \"Required.\": %s", field.Name, comment)
				}
			}
			if settings == 0 {
				t.Errorf("%s has no settings", typ.Name())
			}
		})
	}
}

var (
	snakeCase   = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	saysDefault = regexp.MustCompile(`(?:Default: [^:]+|Required)\.$`)
)

// jsonMembers are the settings of a type, with those of the types embedded in it.
func jsonMembers(typ reflect.Type) []string {
	var members []string
	for _, field := range reflect.VisibleFields(typ) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			members = append(members, name)
		}
	}
	return members
}

// fieldComments returns the comments of the types in a package and of their fields,
// under "Type" and "Type.Field", each on one line.
func fieldComments(t *testing.T, pkg string) map[string]string {
	t.Helper()
	comments := make(map[string]string)
	for _, source := range repo.Sources(t) {
		if source.Package() != pkg {
			continue
		}
		for _, declaration := range source.AST.Decls {
			group, ok := declaration.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range group.Specs {
				typ, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				comments[typ.Name.Name] = oneLine(group.Doc.Text() + typ.Doc.Text())
				structure, ok := typ.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, field := range structure.Fields.List {
					for _, name := range field.Names {
						comments[typ.Name.Name+"."+name.Name] = oneLine(field.Doc.Text())
					}
				}
			}
		}
	}
	return comments
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
