package command

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/configreview"
)

const (
	siteSecret = "\t\t\tsecret {file.%DIR%/secret}\n"
	siteUsers  = "\t\tusers htpasswd %DIR%/users\n"
	siteScopes = "\tbearer_auth {\n\t\tscopes read\n"
	siteProxy  = "\treverse_proxy app:9000\n"
	siteIssuer = "\t\tissuer https://example.com\n"
	siteCheck  = "\tbearer_auth {\n\t\tscopes read\n\t}\n"
)

// checkCases are one config, or more, for each rule.
func checkCases(t *testing.T, weak string) []checkCase {
	another := harness.CheapHash(t, "another")
	sha := harness.HashWith(t, "{SHA}", "correct horse")
	return append(outsideCases(), []checkCase{
		// whether it starts
		{name: "a users file that does not exist", rule: "config-refused",
			bad: []string{"\ttoken_endpoint {", "\ttoken_endpoint { # HERE", "%DIR%/users", "%DIR%/nobody"}, says: "no such file"},
		{name: "a users file with a mistake", rule: "config-refused",
			files: map[string]string{"users": "alice:" + harness.HashBcrypt + "\n\nbob\n"}, at: "%DIR%/users:3", says: "no colon"},
		{name: "a users file without a hash", rule: "config-refused",
			files: map[string]string{"users": "alice:" + harness.HashBcrypt + "\nbob:\n"}, at: "%DIR%/users:2", says: `no hash after the colon "caddy grant user passwd bob --file %DIR%/users" sets`},
		{name: "a users file without users", rule: "config-refused",
			bad:   []string{"\ttoken_endpoint {", "\ttoken_endpoint { # HERE"},
			files: map[string]string{"users": "# nobody\n"}, says: `no entries in it add one with "caddy grant user add"`},
		{name: "a variable that is not set", rule: "config-refused",
			bad: []string{"example.com {", "example.com {\n\thandle /a* {\n\t\trespond a\n\t\tbearer_auth { # HERE\n\t\t\taudience {env.NO_SUCH_VARIABLE}\n\t\t\tscopes read\n\t\t}\n\t}"}, says: "NO_SUCH_VARIABLE"},
		{name: "a proxy with a certificate that does not exist", rule: "config-refused",
			bad: []string{siteProxy, siteProxy + "\thandle_errors {\n\t\trewrite * /{err.status_code}\n\t\treverse_proxy app:9000 { # HERE\n\t\t\ttransport http {\n\t\t\t\ttls_trusted_ca_certs /no/such/file\n\t\t\t}\n\t\t}\n\t}\n"}, says: "/no/such/file"},
		{name: "a server that no endpoint defines", rule: "unknown-server",
			bad: []string{"\tbearer_auth {", "\tbearer_auth staff { # HERE"}, says: `no token_endpoint named "staff"`},
		{name: "another server that no endpoint defines", rule: "unknown-server",
			bad: []string{"example.com {", "example.com {\n\thandle /staff* {\n\t\tbearer_auth staff # HERE\n\t\trespond staff\n\t}\n"}, says: "caddy validate"},

		{name: "a config of another site", rule: "nothing-to-check", at: "Caddyfile",
			bad: []string{checkedSite, "example.com {\n\treverse_proxy app:9000\n}\n"}, says: "no token_endpoint and no bearer_auth"},

		// hashes
		{name: "weak hashes of an htpasswd file", rule: "weak-hash",
			files: map[string]string{"users": "# staff\nalice:" + weak + "\ncarol:" + another + "\n"},
			at:    "%DIR%/users:2", says: `alice" (line 2), "carol" (line 3)`},
		{name: "a hash that a thief guesses at once", rule: "weak-hash",
			bad:   []string{siteUsers, siteUsers + "\t\tallow_weak_hashes\n"},
			files: map[string]string{"users": "alice:" + sha + "\n"}, at: "%DIR%/users:1", says: "guessed almost at once"},
		{name: "a weak hash of a JSON file", rule: "weak-hash",
			bad:   []string{"users htpasswd %DIR%/users", "users json %DIR%/users.json"},
			files: map[string]string{"users.json": "{\"users\": [\n{\"username\": \"dave\", \"password_hash\": \"" + weak + "\"}\n]}"},
			at:    "%DIR%/users.json:2", says: `"caddy grant user passwd dave --file %DIR%/users.json"`},
		{name: "a weak hash of a JSON file of clients", rule: "weak-hash",
			bad:   []string{siteUsers, siteUsers + "\t\tclients json %DIR%/clients.json\n", "secret {file.%DIR%/secret}", "secret_hash " + weak},
			files: map[string]string{"clients.json": "{\"clients\": [{\"id\": \"app\",\n\"secret_hash\": \"" + weak + "\"}]}"},
			at:    "%DIR%/clients.json:1", says: `"caddy grant client rotate-secret app --file %DIR%/clients.json"`, also: []string{"file-readable"}},
		{name: "a weak hash in the config", rule: "weak-hash",
			bad: []string{siteUsers, "\t\tuser alice " + weak + " # HERE\n"}, says: "alice"},
		{name: "a weak hash of a client in the config", rule: "weak-hash",
			bad: []string{"\t\tclient web {", "\t\tclient web { # HERE", "secret {file.%DIR%/secret}", "secret_hash " + weak}, says: "web"},
		{name: "hashes of two kinds", rule: "mixed-hashes",
			bad:   []string{siteUsers, "\t\tusers htpasswd %DIR%/users # HERE\n"},
			files: map[string]string{"users": "alice:" + harness.HashBcrypt + "\nbob:" + harness.HashArgon2id + "\n"}, says: "bcrypt cost 10: 1"},
		{name: "allow_weak_hashes without weak hashes", rule: "weak-hashes-allowed",
			bad: []string{siteUsers, siteUsers + "\t\tallow_weak_hashes # HERE\n"}},

		// secrets
		{name: "a secret of a client in the config", rule: "plaintext-secret",
			bad: []string{siteSecret, "\t\t\tsecret long-enough-secret # HERE\n"}, says: "secret {file./path/to/secret}"},
		{name: "a secret of a client in an imported file", rule: "plaintext-secret",
			bad:   []string{siteSecret, "\t\t\timport %DIR%/parts/secret.caddy\n"},
			files: map[string]string{"parts/secret.caddy": "# the secret\nsecret long-enough-secret\n"}, at: "%DIR%/parts/secret.caddy:2"},
		{name: "a secret of a client in a snippet", rule: "plaintext-secret",
			bad: []string{"example.com {", "(web) {\n\tclient web {\n\t\tsecret {args[0]} # HERE\n\t}\n}\nexample.com {", "\t\tclient web {\n" + siteSecret + "\t\t}\n", "\t\timport web long-enough-secret\n"}},
		{name: "a secret of a client that the adapter puts in", rule: "plaintext-secret",
			bad: []string{siteSecret, "\t\t\tsecret {$NO_SUCH_VARIABLE:long-enough-secret} # HERE\n"}, says: "{env.NAME}"},
		{name: "a secret that signs, in the config", rule: "plaintext-secret",
			bad:  []string{siteUsers, siteUsers + "\t\tsigning_key ES256\n\t\tsigning_key HS256 0123456789abcdef0123456789abcdef # HERE\n"},
			says: "signs tokens"},
		{name: "a short secret", rule: "short-secret",
			bad: []string{siteSecret, "\t\t\tsecret {file.%DIR%/short} # HERE\n"}, files: map[string]string{"short": "123456789"}, says: "openssl rand"},
		{name: "a secret with a blank after it", rule: "padded-secret",
			bad: []string{siteSecret, "\t\t\tsecret {file.%DIR%/padded} # HERE\n"}, files: map[string]string{"padded": "long-enough-secret \n"}, says: "blanks after it"},

		// files
		{name: "a users file that others can read", rule: "file-readable",
			files: map[string]string{"users": "alice:" + harness.HashBcrypt + "\n", "users.mode": "644"}, at: "%DIR%/users", says: "chmod o-r"},
		{name: "a secret that others can read", rule: "file-readable",
			files: map[string]string{"secret": "long-enough-secret", "secret.mode": "604"}, at: "%DIR%/secret", says: "the secret of client web"},
		{name: "a private key that others can read", rule: "file-readable",
			bad:   []string{siteUsers, siteUsers + "\t\tsigning_key ES256\n\t\tsigning_key EdDSA file %DIR%/key.pem\n"},
			files: map[string]string{"key.pem": privateKey(t), "key.pem.mode": "644"}, at: "%DIR%/key.pem", says: "private key"},
		{name: "a config with a hash that others can read", rule: "file-readable",
			bad:   []string{siteUsers, "\t\tuser alice " + harness.HashBcrypt + "\n"},
			files: map[string]string{"Caddyfile.mode": "644"}, at: "Caddyfile", says: "password hashes"},
		{name: "a users file that others can write", rule: "file-writable",
			files: map[string]string{"users": "alice:" + harness.HashBcrypt + "\n", "users.mode": "660"}, at: "%DIR%/users", says: "chmod go-w %DIR%/users"},
		{name: "a directory that others can write", rule: "file-writable",
			bad:   []string{"%DIR%/users", "%DIR%/open/users"},
			files: map[string]string{"open/users": "alice:" + harness.HashBcrypt + "\n", "open.mode": "777"}, at: "%DIR%/open/users", says: "chmod go-w %DIR%/open"},
		{name: "a file without users", rule: "empty-file",
			bad:   []string{siteUsers, siteUsers + "\t\tusers json %DIR%/nobody.json\n"},
			files: map[string]string{"nobody.json": `{"users": []}`}, at: "%DIR%/nobody.json"},
		{name: "a file without clients", rule: "empty-file",
			bad:   []string{siteUsers, siteUsers + "\t\tclients json %DIR%/none.json\n"},
			files: map[string]string{"none.json": `{"clients": []}`}, at: "%DIR%/none.json"},
		{name: "a user with the id of another", rule: "config-refused",
			bad:   []string{"\ttoken_endpoint {", "\ttoken_endpoint { # HERE", siteUsers, siteUsers + "\t\tusers json %DIR%/users.json\n"},
			files: map[string]string{"users.json": `{"users": [{"username": "bob", "id": "alice", "password_hash": "` + harness.HashBcrypt + `"}]}`}},

		// the server
		{name: "an access token that outlives the refresh token", rule: "lifetime-order",
			bad: []string{siteIssuer, siteIssuer + "\t\taccess_token_ttl 2h # HERE\n\t\trefresh_token_ttl 1h\n"}, says: "valid for 2h, and the refresh token that renews it for 1h only"},
		{name: "a refresh token that ends before an access token does", rule: "lifetime-order",
			bad: []string{siteIssuer, siteIssuer + "\t\trefresh_token_ttl 30m # HERE\n"}},
		{name: "an access token of a client that outlives the refresh token", rule: "lifetime-order",
			bad: []string{"\t\tclient web {", "\t\tclient web { # HERE\n\t\t\taccess_token_ttl 20d2h"}, says: "482h, and the refresh token that renews it for 14d only"},
		{name: "a login that is remembered for a shorter time", rule: "lifetime-order",
			bad: []string{siteUsers, siteUsers + "\t\tlogin_page {\n\t\t\tremember 2d # HERE\n\t\t}\n"}, says: "logged out earlier"},
		{name: "a refresh token beyond its session", rule: "lifetime-beyond-session",
			bad: []string{siteIssuer, siteIssuer + "\t\trefresh_token_ttl 40d # HERE\n"}, says: "raise session_ttl"},
		{name: "an access token of a client beyond its session", rule: "lifetime-beyond-session",
			bad: []string{siteIssuer, siteIssuer + "\t\tsession_ttl 1h\n", siteSecret, siteSecret + "\t\t\taccess_token_ttl 2h # HERE\n"}},
		{name: "a token of a client in a file beyond its session", rule: "lifetime-beyond-session",
			bad:   []string{siteUsers, siteUsers + "\t\tclients json %DIR%/clients.json\n"},
			files: map[string]string{"clients.json": "{\"clients\": [\n{\"id\": \"app\", \"public\": true, \"refresh_token_ttl\": \"40d\"}]}"}, at: "%DIR%/clients.json:2"},
		{name: "two apps and no audience", rule: "no-audience",
			bad:  []string{"\ttoken_endpoint {", "\ttoken_endpoint { # HERE", siteIssuer, "", siteScopes, "\tbearer_auth {\n", "scopes read write", "", siteProxy + "}\n", siteProxy + "}\nb.example.com {\n\tbearer_auth\n\treverse_proxy b:9000\n}\n"},
			good: []string{siteScopes, "\tbearer_auth {\n", "scopes read write", "", siteProxy + "}\n", siteProxy + "}\nb.example.com {\n\tbearer_auth\n\treverse_proxy b:9000\n}\n"},
			says: "2 sites", also: []string{"no-scopes"}},
		{name: "one app and no audience", rule: "no-audience",
			bad: []string{"\ttoken_endpoint {", "\ttoken_endpoint { # HERE", siteIssuer, ""}, says: "an app elsewhere"},
		{name: "an app that checks tokens itself and no audience", rule: "no-audience",
			bad:  []string{"\ttoken_endpoint {", "\ttoken_endpoint { # HERE", siteIssuer, "", siteCheck, ""},
			good: []string{siteCheck, ""}, says: "check aud"},
		{name: "an http issuer", rule: "http-issuer",
			bad: []string{siteIssuer, "\t\tissuer http://localhost:8080 # HERE\n"}, says: "example.com"},
		{name: "an http issuer on this machine", rule: "http-issuer",
			bad: []string{"example.com {", "http://localhost:8080 {", siteIssuer, "\t\tissuer http://localhost:8080 # HERE\n"}, says: "for trying things out"},
		{name: "allow_http", rule: "allow-http", bad: []string{siteUsers, siteUsers + "\t\tallow_http # HERE\n"}},
		{name: "no throttle", rule: "throttle-off", bad: []string{siteUsers, siteUsers + "\t\tthrottle off # HERE\n"}},
		{name: "a grant that the server does not offer", rule: "unoffered-grant",
			bad:  []string{siteIssuer, siteIssuer + "\t\tgrants password\n", siteSecret, siteSecret + "\t\t\tgrants password refresh_token # HERE\n"},
			good: []string{siteIssuer, siteIssuer + "\t\tgrants password\n"}},
		{name: "a client that is named like a user", rule: "client-named-like-user",
			bad: []string{siteUsers, siteUsers + "\t\tclient alice { # HERE\n\t\t\tsecret {file.%DIR%/secret}\n\t\t\tgrants client_credentials\n\t\t}\n"}, says: "no user has", also: []string{"refused-clients"}},
		{name: "a client after its sunset", rule: "past-sunset",
			bad: []string{"\t\tclient web {", "\t\tclient web { # HERE\n\t\t\tdeprecation 2020-01-01\n\t\t\tsunset 2020-02-01"}, says: "web"},
		{name: "default scopes that a client may not ask for", rule: "unobtainable-default-scopes",
			bad:  []string{siteSecret, "\t\t\tdefault_scopes read reed # HERE\n" + siteSecret},
			good: []string{siteSecret, "\t\t\tdefault_scopes read\n" + siteSecret}, says: "scopes: reed"},
		{name: "scopes with a comma", rule: "scope-with-comma",
			bad: []string{"\t\tscopes read write\n", "\t\tscopes read read,write # HERE\n"}},
		{name: "scopes of a client with a comma", rule: "scope-with-comma",
			bad: []string{siteSecret, "\t\t\tscopes read a,b # HERE\n" + siteSecret}},

		// what is open
		{name: "an app that another site proxies", rule: "unchecked-upstream",
			bad:  []string{siteProxy + "}\n", siteProxy + "}\nadmin.example.com {\n\treverse_proxy app:9000 # HERE\n}\n"},
			good: []string{siteProxy + "}\n", siteProxy + "}\nadmin.example.com {\n\treverse_proxy other:9000\n}\n"}, says: "app:9000"},
		{name: "an app that another port proxies", rule: "unchecked-upstream",
			bad: []string{siteProxy + "}\n", siteProxy + "}\n:9999 {\n\treverse_proxy {\n\t\tto other:9000\n\t}\n\thandle_path /app/* {\n\t\treverse_proxy app:9000 { # HERE\n\t\t\theader_up Host a\n\t\t}\n\t}\n}\n"}},
		{name: "an app that another file proxies", rule: "unchecked-upstream",
			bad:   []string{siteProxy + "}\n", siteProxy + "}\nimport %DIR%/sites/*\n"},
			files: map[string]string{"sites/b": "b.example.com {\n\tencode\n\treverse_proxy app:9000\n}\n"}, at: "%DIR%/sites/b:3"},
		{name: "a route without a check", rule: "open-route",
			bad:  []string{siteCheck + siteProxy, "\thandle /api/* {\n\t\tbearer_auth {\n\t\t\tscopes read\n\t\t}\n\t\treverse_proxy app:9000\n\t}\n\thandle {\n\t\treverse_proxy other:9000 # HERE\n\t}\n"},
			good: []string{siteCheck + siteProxy, "\tbearer_auth {\n\t\tscopes read\n\t}\n\thandle /api/* {\n\t\treverse_proxy app:9000\n\t}\n\thandle {\n\t\treverse_proxy other:9000\n\t}\n"}, says: "bearer_auth, at Caddyfile:11"},
		{name: "files without a check", rule: "open-route",
			bad: []string{siteCheck + siteProxy, "\thandle /api/* {\n\t\tbearer_auth {\n\t\t\tscopes read\n\t\t}\n\t\treverse_proxy app:9000\n\t}\n\thandle {\n\t\troot /srv\n\t\tfile_server browse # HERE\n\t}\n"}},
		{name: "a check of some paths", rule: "open-rest",
			bad:  []string{"\tbearer_auth {", "\tbearer_auth /api* { # HERE"},
			good: []string{"\tbearer_auth {", "\t@closed not path /healthz /assets*\n\tbearer_auth @closed {", "/healthz", "/healthz*"}},
		{name: "a check that a header turns off", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m not header X-Skip 1\n\tbearer_auth @m { # HERE"},
			severity: configreview.Error, says: "the header X-Skip, which a client chooses"},
		{name: "a check that a header turns on", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m header Authorization *\n\tbearer_auth @m { # HERE"},
			severity: configreview.Error, says: "the header Authorization"},
		{name: "a check that the query turns off", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m not query preview=*\n\tbearer_auth @m { # HERE"},
			severity: configreview.Error, says: "the query parameter preview"},
		{name: "a check that a cookie turns off", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m expression {cookie.preview} != 'yes'\n\tbearer_auth @m { # HERE"},
			severity: configreview.Error, says: "a cookie"},
		{name: "a check of a part that a header turns off", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m {\n\t\tpath /api*\n\t\tnot header X-Skip 1\n\t}\n\tbearer_auth @m { # HERE"},
			severity: configreview.Error, says: "the header X-Skip"},
		{name: "a check that a protocol turns off", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m not protocol grpc\n\tbearer_auth @m { # HERE"},
			severity: configreview.Error, says: "the protocol grpc"},
		{name: "a check of a method", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m method POST\n\tbearer_auth @m { # HERE"},
			severity: configreview.Warning, says: "GET, HEAD, PUT, PATCH, DELETE, OPTIONS and others"},
		{name: "a check of a method in an expression", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m expression {method} == 'POST'\n\tbearer_auth @m { # HERE"},
			severity: configreview.Warning, says: "GET, HEAD, PUT"},
		{name: "checks that leave a method out", rule: "open-rest",
			bad:  []string{siteCheck, "\t@read method GET HEAD\n\tbearer_auth @read { # HERE\n\t\tscopes read\n\t}\n\t@write not method GET HEAD TRACE DELETE\n\tbearer_auth @write {\n\t\tscopes write\n\t}\n"},
			good: []string{siteCheck, "\t@read method GET HEAD\n\tbearer_auth @read {\n\t\tscopes read\n\t}\n\t@write not method GET HEAD\n\tbearer_auth @write {\n\t\tscopes write\n\t}\n"}, says: "with the method DELETE: they reach"},
		{name: "a check of all but what browsers ask first", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m not method OPTIONS\n\tbearer_auth @m { # HERE"},
			severity: configreview.Note, says: "OPTIONS"},
		{name: "a check of all but some addresses", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m not remote_ip 10.0.0.0/8\n\tbearer_auth @m { # HERE"},
			severity: configreview.Note, says: "leaves out requests by the address"},
		{name: "a check by a variable", rule: "open-rest", bad: []string{"\tbearer_auth {", "\t@m not vars open yes\n\tbearer_auth @m { # HERE"},
			severity: configreview.Note, says: "not about paths"},
		{name: "a check of another host", rule: "open-rest",
			bad:  []string{"example.com {", "example.com, a.example.com {", "\tbearer_auth {", "\t@m host a.example.com\n\tbearer_auth @m { # HERE"},
			good: []string{"\tbearer_auth {", "\t@m host example.com\n\tbearer_auth @m {"}},
		{name: "a header and then all", rule: "open-rest",
			bad:  []string{siteCheck, "\t@m not header X-Skip 1\n\tbearer_auth @m { # HERE\n\t\tscopes read\n\t}\n"},
			good: []string{siteCheck, siteCheck + "\t@m header X-More 1\n\tbearer_auth @m {\n\t\tscopes write\n\t}\n"}},
		{name: "a check that is off", rule: "check-off",
			bad:  []string{siteProxy + "}\n", siteProxy + "}\nb.example.com {\n\tbearer_auth { # HERE\n\t\toff\n\t}\n\treverse_proxy b:9000\n}\n"},
			good: []string{siteProxy + "}\n", siteProxy + "}\nb.example.com {\n\treverse_proxy b:9000\n}\n"}},
		{name: "a check in shadow mode", rule: "check-shadow", bad: []string{siteScopes, "\tbearer_auth { # HERE\n\t\tscopes read\n\t\tshadow\n"}},
		{name: "a check that is optional", rule: "check-optional", bad: []string{siteScopes, "\tbearer_auth { # HERE\n\t\tscopes read\n\t\toptional\n"}},
		{name: "a check of nothing", rule: "dead-check", bad: []string{"\tbearer_auth {", "\t@a path admin/*\n\tbearer_auth @a { # HERE"},
			also: []string{"open-rest", "half-path"}},
		{name: "half of a path", rule: "half-path", bad: []string{siteScopes, "\tbearer_auth /api/* { # HERE\n\t\tscopes read\n"}, says: "names /api/*, but not /api:", also: []string{"open-rest"}},
		{name: "handle_errors that proxies", rule: "error-route",
			bad:  []string{siteProxy, siteProxy + "\thandle_errors {\n\t\treverse_proxy errors:9000 # HERE\n\t}\n"},
			good: []string{siteProxy, siteProxy + "\thandle_errors {\n\t\trewrite * /{err.status_code}.html\n\t\treverse_proxy errors:9000\n\t}\n"}, says: "rewrite"},
		{name: "handle_errors that serves files", rule: "error-route",
			bad: []string{siteProxy, siteProxy + "\thandle_errors {\n\t\troot /srv\n\t\tfile_server { # HERE\n\t\t\thide .git\n\t\t}\n\t}\n"}},
		{name: "an endpoint behind its own check", rule: "endpoint-behind-check",
			bad:  []string{"\n" + siteCheck, "\n\t}\n", "\ttoken_endpoint {", "\troute {\n" + siteCheck + "\ttoken_endpoint { # HERE"},
			says: "write token_endpoint before bearer_auth"},
		{name: "a login page without a check", rule: "unchecked-sessions",
			bad: []string{siteUsers, siteUsers + "\t\tlogin_page # HERE\n", siteCheck, ""}},

		// tokens
		{name: "a check without scopes", rule: "no-scopes", bad: []string{siteScopes, "\tbearer_auth { # HERE\n"}, says: "scopes read"},
		{name: "a check without scopes, of a server whose scopes have a comma", rule: "no-scopes",
			bad: []string{"\t\tscopes read write\n", "\t\tscopes read,write\n", siteScopes, "\tbearer_auth { # HERE\n"}, says: `as in "scopes read"`, also: []string{"scope-with-comma"}},
		{name: "a check without scopes, of a client that has them", rule: "no-scopes",
			bad: []string{"\t\tscopes read write\n", "", siteSecret, siteSecret + "\t\t\tscopes read\n", siteScopes, "\tbearer_auth { # HERE\n"}},
		{name: "a check without scopes, of a server without them", rule: "no-scopes",
			bad: []string{"\t\tscopes read write\n", "", siteScopes, "\tbearer_auth { # HERE\n"}, says: "has none: every user may do all"},
		{name: "a check without scopes that takes clients", rule: "no-scopes",
			bad: []string{"\t\tscopes read write\n", "", siteScopes, "\tbearer_auth { # HERE\n\t\tclients\n"}, says: "every user, and every client that acts for itself, may do all"},
		{name: "a scope that no client may ask for", rule: "unobtainable-scopes", bad: []string{siteScopes, "\tbearer_auth { # HERE\n\t\tscopes admin\n"}, says: "admin"},
		{name: "a claim that no token has", rule: "unknown-claim", bad: []string{siteScopes, "\tbearer_auth { # HERE\n\t\tscopes read\n\t\tcopy_claims user_id>X-User\n"}, says: "write sub instead"},
		{name: "an audience that no check asks for", rule: "unasked-audience",
			bad: []string{siteIssuer, siteIssuer + "\t\taudience files # HERE\n", siteScopes, siteScopes + "\t\taudience contacts\n"}, says: "files"},

		// the surroundings
		{name: "identity headers that get past", rule: "identity-header-gap",
			bad: []string{"example.com {", "&(check) {\n\tbearer_auth { # HERE\n\t\tscopes read\n\t\tcopy_claims sub>X-User\n\t}\n}\n" +
				"http://:8080 {\n\trequest_header X-Site a\n\tinvoke check\n\treverse_proxy other:9000\n}\nexample.com {"},
			good: []string{"example.com {", "http://:8080 {\n\trequest_header X-Site a\n\tbearer_auth {\n\t\tscopes read\n\t\tcopy_claims sub>X-User\n\t}\n\treverse_proxy other:9000\n}\nexample.com {"}},
		{name: "an identity header that the client overwrites", rule: "identity-header-gap", severity: configreview.Error,
			bad:  []string{siteScopes, "\tbearer_auth {\n\t\tscopes read\n\t\tcopy_claims sub>X-User\n", siteProxy, "\treverse_proxy app:9000 {\n\t\theader_up X-Site {http.request.host}\n\t\theader_up X-User {header.X-Other} # HERE\n\t}\n"},
			good: []string{siteScopes, "\tbearer_auth {\n\t\tscopes read\n\t\tcopy_claims sub>X-User\n", siteProxy, "\treverse_proxy app:9000 {\n\t\theader_up X-User {http.auth.user.id}\n\t\theader_up X-Email {header.X-Other}\n\t\theader_up X-Name {header.X-User}\n\t}\n"}, says: "{http.request.header.X-Other}, which the client chooses"},
		{name: "an identity header under another name that apps take for it", rule: "identity-header-gap", severity: configreview.Error,
			bad: []string{siteScopes, "\tbearer_auth {\n\t\tscopes read\n\t\tcopy_claims sub>X-User\n", siteProxy, "\treverse_proxy app:9000 {\n\t\theader_up +X_User {query.user} # HERE\n\t}\n"}},
		{name: "an identity header that a directive overwrites", rule: "identity-header-gap", severity: configreview.Error,
			bad:  []string{siteScopes, "\trequest_header X-User {cookie.user} # HERE\n\tbearer_auth {\n\t\tscopes read\n\t\tcopy_claims sub>X-User\n"},
			good: []string{siteCheck, "\troute {\n\t\trequest_header X-User {cookie.user}\n\t\tbearer_auth {\n\t\t\tscopes read\n\t\t\tcopy_claims sub>X-User\n\t\t}\n\t}\n"}},
		{name: "an identity header that is the same for all", rule: "identity-header-gap", severity: configreview.Warning,
			bad: []string{siteScopes, "\tbearer_auth {\n\t\tscopes read\n\t\tcopy_claims sub>X-User\n", siteProxy, "\treverse_proxy app:9000 {\n\t\theader_up X-User admin # HERE\n\t}\n"}, says: "does not see who the user is"},
		{name: "an admin endpoint for everyone", rule: "open-admin",
			bad:  []string{"example.com {", "{\n\tadmin 0.0.0.0:2019 # HERE\n}\nexample.com {"},
			good: []string{"example.com {", "{\n\tadmin unix//run/caddy/admin.sock\n}\nexample.com {"}, says: "0.0.0.0:2019"},
		{name: "an admin endpoint on all addresses, with origins", rule: "open-admin",
			bad:  []string{"example.com {", "{\n\tadmin :2019 { # HERE\n\t\torigins example.com\n\t}\n}\nexample.com {"},
			good: []string{"example.com {", "{\n\tadmin 127.0.0.1:2020\n}\nexample.com {"}},
		{name: "an admin endpoint on an address of a network", rule: "open-admin",
			bad:  []string{"example.com {", "{\n\tadmin tcp/192.0.2.1:2019 # HERE\n}\nexample.com {"},
			good: []string{"example.com {", "{\n\tadmin off\n}\nexample.com {"}},
		{name: "trusted proxies that are not strict", rule: "spoofed-address",
			bad:  []string{"example.com {", "{\n\tservers {\n\t\ttrusted_proxies static 10.0.0.0/8 # HERE\n\t}\n}\nexample.com {"},
			good: []string{"example.com {", "{\n\tservers {\n\t\ttrusted_proxies static 10.0.0.0/8\n\t\ttrusted_proxies_strict\n\t}\n}\nexample.com {"}, says: "add trusted_proxies_strict"},
		{name: "a cookie of a domain without a site", rule: "foreign-cookie-domain",
			bad:  []string{siteUsers, siteUsers + "\t\tlogin_page {\n\t\t\tcookie_domain example.org # HERE\n\t\t}\n"},
			good: []string{siteUsers, siteUsers + "\t\tlogin_page {\n\t\t\tcookie_domain example.com\n\t\t}\n"}, says: "domain example.org: every login is refused"},
		{name: "pages that caches may keep", rule: "cacheable-pages",
			bad: []string{"example.com {", "example.com {\n\theader X-Robots-Tag none\n\theader { # HERE\n\t\tCache-Control \"public, max-age=60\"\n\t\t-Server\n\t}\n", siteUsers, siteUsers + "\t\tlogin_page\n"}},
	}...)
}

func privateKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}
