package issuers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// needReal skips a test where the real servers are not to be installed: .ci/run has a
// step for them, and fails if one did not run.
func needReal(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_ISSUERS") == "" {
		t.Skip("set CADDY_GRANT_ISSUERS=1 to run real issuers, with node and npm")
	}
}

// realIssuer is a server that these tests did not write.
type realIssuer struct {
	url string

	// start runs it. It stops with the test, or before that with the process's Kill.
	start func() *harness.Process

	// rotate has it sign with another key when it starts again, while the old one stays
	// published, or does so at once and returns true.
	rotate func() (live bool)

	// machine is an access token of the client machine, for a resource.
	machine func(t *testing.T) string
}

// withRealIssuer is what all real issuers are asked: their tokens pass, the keys outlive
// an outage and a reload, and a rotation is seen.
func withRealIssuer(t *testing.T, issuer realIssuer, lines ...string) edge {
	t.Helper()
	block := "issuer " + issuer.url + " {\n\taudience " + outside.Audience + "\n" + strings.Join(lines, "\n") + "\n}"
	config := bearer("", block, "clients", "scopes contacts.read", copied)
	e := startSite(t, config)
	process := issuer.start()
	first := issuer.machine(t)
	e.eventually(first, 200)
	e.app.Take()
	e.get("/contacts", first).Want(t, 200, "")
	received := e.app.One(t)
	received.WantIdentity(t, "X-Client", issuer.url+"#machine")
	received.WantIdentity(t, "X-Issuer", issuer.url)
	received.WantIdentity(t, "X-User", "")
	e.refuses(t, []attack{{"without its signature", first[:strings.LastIndexByte(first, '.')+1], ""}})

	e.serve(bearer("", block, copied))
	if a := e.get("/contacts", first); a.Status == 200 {
		t.Error("a machine passes where clients may not")
	}
	e.serve(config)

	process.Kill() // an outage, and a reload during it
	e.serve(config)
	e.want(t, first, 200)

	live := issuer.rotate()
	issuer.start()
	if live {
		issuer.rotate()
	}
	second := issuer.machine(t)
	if kidOf(t, second) == kidOf(t, first) {
		t.Fatal("the issuer signs with the same key as before")
	}
	e.eventually(second, 200)
	return e
}

func kidOf(t *testing.T, token string) string {
	t.Helper()
	header, _ := harness.Decoded(t, token)
	kid, _ := header["kid"].(string)
	return kid
}

// Node's oidc-provider: JWT access tokens of RFC 9068 by resource indicators (RFC 8707).
// openid-client logs a user in, and oauth4webapi gets a machine's token and calls the app
// with it.
func TestRealOIDCProvidersTokensPass(t *testing.T) {
	needReal(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(repo.Path("integration/issuers/testdata/npm"))); err != nil {
		t.Fatal(err)
	}
	execute(t, dir, nil, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	port := fmt.Sprint(harness.FreePort(t))
	keys := []*outside.Key{outside.NewKey(t, "ES256")}
	issuer := realIssuer{url: "http://127.0.0.1:" + port}
	issuer.start = func() *harness.Process {
		file := filepath.Join(dir, "keys.json")
		if err := os.WriteFile(file, outside.PrivateSet(t, keys...), 0o600); err != nil {
			t.Fatal(err)
		}
		return harness.StartDaemon(t, dir, "127.0.0.1:"+port, "node", "issuer.mjs", port, outside.Audience, file)
	}
	issuer.rotate = func() bool {
		keys = append([]*outside.Key{outside.NewKey(t, "ES256")}, keys...)
		return false
	}
	app := issuer.url + "/.well-known/openid-configuration" // until there is an edge
	type machine struct {
		Token  string `json:"access_token"`
		Status int    `json:"status"`
	}
	run := func(t *testing.T) (printed machine) {
		t.Helper()
		script(t, dir, &printed, "machine.mjs", issuer.url, outside.Audience, app)
		return printed
	}
	issuer.machine = func(t *testing.T) string { t.Helper(); return run(t).Token }

	e := withRealIssuer(t, issuer)
	app = e.URL("/contacts")
	if status := run(t).Status; status != 200 {
		t.Errorf("oauth4webapi's request is answered %d", status)
	}
	e.serve(bearer("", "issuer "+issuer.url+" {\n\taudience "+outside.Audience+" page\n}", "scopes contacts.write"))
	if status := run(t).Status; status != 401 && status != 403 {
		t.Errorf("oauth4webapi's request without its scope is answered %d", status)
	}

	var user struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
	}
	script(t, dir, &user, "user.mjs", issuer.url, outside.Audience, "alice")
	block := func(lines ...string) string {
		return "issuer " + issuer.url + " {\n\taudience " + outside.Audience + " page\n" + strings.Join(lines, "\n") + "\n}"
	}
	e.serve(bearer("", block(), "scopes contacts.read", copied))
	e.app.Take()
	e.get("/contacts", user.Access).Want(t, 200, "")
	received := e.app.One(t)
	received.WantIdentity(t, "X-User", issuer.url+"#alice")
	received.WantIdentity(t, "X-Client", issuer.url+"#page")
	e.serve(bearer("", block(), copied))
	e.refuses(t, []attack{{"an ID token, although its client is named as an audience", user.ID, "ID token"}})
	e.serve(bearer("", block("id_tokens"), copied))
	e.want(t, user.ID, 200)
}

// Ory Hydra: access tokens of typ JWT, with scp as a list, by RS256.
func TestRealHydrasTokensPass(t *testing.T) {
	needReal(t)
	binary := filepath.Join(t.TempDir(), "hydra")
	execute(t, repo.Path("integration/issuers/testdata/hydra"), []string{"CGO_ENABLED=1", "GOFLAGS=-buildvcs=false"},
		"go", "build", "-tags", "sqlite,sqlite_omit_load_extension", "-o", binary, "github.com/ory/hydra/v2")
	public, admin := fmt.Sprint(harness.FreePort(t)), fmt.Sprint(harness.FreePort(t))
	dir := t.TempDir()
	env := []string{
		"DSN=sqlite://" + filepath.Join(dir, "hydra.sqlite") + "?_fk=true", "SECRETS_SYSTEM=a-secret-of-the-tests-of-32-chars", "STRATEGIES_ACCESS_TOKEN=jwt",
		"URLS_SELF_ISSUER=http://127.0.0.1:" + public, "SERVE_PUBLIC_HOST=127.0.0.1", "SERVE_PUBLIC_PORT=" + public,
		"SERVE_ADMIN_HOST=127.0.0.1", "SERVE_ADMIN_PORT=" + admin, "SQA_OPT_OUT=true", "LOG_LEVEL=warn",
	}
	execute(t, dir, env, binary, "migrate", "sql", "-e", "--yes")
	issuer := realIssuer{url: "http://127.0.0.1:" + public}
	issuer.start = func() *harness.Process {
		return harness.StartDaemon(t, dir, "127.0.0.1:"+public, append(append([]string{"env"}, env...), binary, "serve", "all", "--dev")...)
	}
	client := &adminAPI{t, "http://127.0.0.1:" + admin}
	created := false
	issuer.machine = func(t *testing.T) string {
		t.Helper()
		if !created {
			created = true
			client.post("/admin/clients", map[string]any{
				"client_id": "machine", "client_secret": "machine-secret", "grant_types": []string{"client_credentials"},
				"scope": "contacts.read", "audience": []string{outside.Audience}, "token_endpoint_auth_method": "client_secret_basic",
			})
		}
		return clientCredentials(t, issuer.url+"/oauth2/token")
	}
	rotations := 0
	issuer.rotate = func() bool {
		if rotations++; rotations == 2 { // it runs again
			client.post("/admin/keys/hydra.jwt.access-token", map[string]any{"alg": "RS256", "use": "sig", "kid": "another"})
		}
		return true
	}
	withRealIssuer(t, issuer)
}

// script runs one of the programs of testdata/npm, and reads the JSON that it prints.
func script(t *testing.T, dir string, printed any, args ...string) {
	t.Helper()
	output := execute(t, dir, nil, append([]string{"node"}, args...)...)
	if err := json.Unmarshal(output, printed); err != nil {
		t.Fatalf("%s prints %s", args[0], output)
	}
}

// execute runs a program in a directory, and returns what it prints.
func execute(t *testing.T, dir string, env []string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "NO_PROXY=*", "no_proxy=*"), env...)
	if args[0] == "npm" || args[0] == "go" {
		cmd.Env = append(os.Environ(), env...)
	}
	var failed bytes.Buffer
	cmd.Stderr = &failed
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, output, failed.String())
	}
	return output
}
