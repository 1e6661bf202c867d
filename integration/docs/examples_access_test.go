package docs

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// Examples of who else may pass: outside issuers, services, and keys for scripts.

func exampleOutsideIssuer(t *testing.T, e *example) {
	const config = "examples/outside-issuer/issuer.Caddyfile"
	if !strings.Contains(repo.Read(t, "examples/outside-issuer/Caddyfile"), "#     go run ./cmd/caddy run --config "+config+"\n") {
		t.Errorf("the example does not say how to run %s", config)
	}
	address := "localhost:" + e.second
	e.Write(config, strings.ReplaceAll(repo.Read(t, config), "8081", e.second))
	other := harness.StartProcess(t, e.Dir, config)
	login := func(user string) string {
		form := url.Values{"grant_type": {"password"}, "username": {user}, "password": {user + "-password"}}
		a := e.Do(e.Request("POST", "http://"+address+"/token", form.Encode(), harness.Basic("web", "demo-secret")))
		a.Want(t, 200, "")
		return harness.Bearer(a.Text(t, "access_token"))
	}
	alice, bob := login("alice"), login("bob")
	harness.Eventually(t, "the keys are there", func() bool { return e.ask("localhost", "GET", "/contacts", "", alice).Status != 503 })
	if got, want := e.comments("outside-issuer")[0], "You are sso:alice, by http://"+address+".\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e.ask("localhost", "GET", "/contacts", "", bob).Want(t, 403, "")
	e.ask("localhost", "GET", "/contacts", "").Want(t, 401, "")
	other.Stop()
	if a := e.ask("localhost", "GET", "/contacts", "", alice); a.Status != 200 {
		t.Errorf("without the other server: %d", a.Status)
	}
}

func exampleServices(t *testing.T, e *example) {
	if got := e.comments("services")[0]; got != "A client: backup.\n" {
		t.Errorf("got %q", got)
	}
	// what Prometheus does by its config
	var prometheus struct {
		Scrapes []struct {
			OAuth2 struct {
				TokenURL   string   `yaml:"token_url"`
				ClientID   string   `yaml:"client_id"`
				SecretFile string   `yaml:"client_secret_file"`
				Scopes     []string `yaml:"scopes"`
			} `yaml:"oauth2"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(repo.Read(t, "examples/services/prometheus.yml")), &prometheus); err != nil {
		t.Fatal(err)
	}
	config := prometheus.Scrapes[0].OAuth2
	if config.TokenURL != "http://localhost:8080/token" {
		t.Errorf("Prometheus asks %s for tokens", config.TokenURL)
	}
	token := func(client, secret, scope string) string {
		a := e.ask("localhost", "POST", "/token", url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}.Encode(), harness.Basic(client, secret))
		a.Want(t, 200, "")
		return harness.Bearer(a.Text(t, "access_token"))
	}
	secret := strings.TrimSpace(repo.Read(t, filepath.Join("examples/services", config.SecretFile)))
	metrics, backup := token(config.ClientID, secret, strings.Join(config.Scopes, " ")), token("backup", "backup-demo-secret", "")
	a := e.token("localhost", "web", "web-demo-secret", "alice", "")
	a.Want(t, 200, "")
	alice := harness.Bearer(a.Text(t, "access_token"))
	for _, test := range []struct {
		name, path, token string
		status            int
		body              string
	}{
		{"Prometheus reads the metrics", "/metrics", metrics, 200, "caddy_grant_requests_total"},
		{"the backup does not", "/metrics", backup, 403, ""},
		{"nor does alice", "/metrics", alice, 403, ""},
		{"the backup is not a user", "/contacts", backup, 403, ""},
		{"alice is a user", "/contacts", alice, 200, "A user: alice.\n"},
		{"Prometheus makes no backups", "/backups", metrics, 403, ""},
	} {
		if a := e.ask("localhost", "GET", test.path, "", test.token); a.Status != test.status || !strings.Contains(string(a.Body), test.body) {
			t.Errorf("%s: %d %.100q", test.name, a.Status, a.Body)
		}
	}
	e.ask("localhost", "POST", "/token", "grant_type=client_credentials", harness.Basic("web", "web-demo-secret")).Want(t, 400, "unauthorized_client")
}

func exampleAPIKeys(t *testing.T, e *example) {
	var add, revoke string
	for _, paragraph := range e.paragraphs("api-keys") {
		switch {
		case strings.Contains(paragraph, " key add "):
			add = paragraph
		case strings.Contains(paragraph, " key revoke "):
			revoke = paragraph
		}
	}
	shell(t, e.Dir, add, "")
	content, err := os.ReadFile(e.Path("examples/api-keys/report.key"))
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(string(content))
	harness.Eventually(t, "the key is good", func() bool { return e.ask("localhost", "GET", "/contacts", "", harness.Bearer(key)).Status == 200 })
	for i, want := range []string{"You are alice, by the key report.\n", "alice calls the webhook by report.\n"} {
		if got := e.comments("api-keys")[i]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	e.ask("localhost", "GET", "/webhook", "", harness.Bearer(key)).Want(t, 401, "")
	e.ask("localhost", "GET", "/contacts", "", "X-API-Key: "+key).Want(t, 401, "")
	shell(t, e.Dir, revoke, "")
	harness.Eventually(t, "the key has ended", func() bool { return e.ask("localhost", "GET", "/contacts", "", harness.Bearer(key)).Status == 401 })
	if strings.Contains(e.Printed(), key) {
		t.Error("the log has the key")
	}
}
