package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// toolGroups are recipes for other programs. integration/clienttools executes them,
// where the programs are.
var toolGroups = []group{
	byTools("tools at a prompt", "type-password", "curl-login", "httpie-login", "newman-run"),
	byTools("libraries", "requests-login", "requests-oauthlib-login", "axios-login", "x-oauth2-login", "java-login", "spring-resource-server"),
	byTools("caches", "private-answers"),
	byTools("apps that verify tokens", "verify-pyjwt", "verify-jose", "verify-jsonwebtoken"),
	byTools("monitoring", "metrics-site", "prometheus-scrape", "blackbox-module"),
	byTools("services without a user", "machine-site", "machine-curl", "machine-authlib", "machine-go", "machine-openid-client", "machine-prometheus", "machine-kind"),
	byTools("nginx and Traefik in front", "nginx-caddy", "nginx-server", "traefik-caddy", "traefik-dynamic"),
}

// byTools fails the test unless a test there takes each block by its name.
func byTools(name string, blocks ...string) group {
	return group{name, blocks, func(t *testing.T, _ map[string]block) {
		files, err := filepath.Glob(repo.Path("integration/clienttools/*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var sources strings.Builder
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(content)
		}
		for _, name := range blocks {
			if !strings.Contains(sources.String(), `"`+name+`"`) {
				t.Errorf("no test of integration/clienttools executes the block %q", name)
			}
		}
	}}
}

// testTokenRequest sends the request as it is written.
func testTokenRequest(t *testing.T, blocks map[string]block) {
	s := harness.StartCheap(t, harness.BasicSite)
	head, body, _ := strings.Cut(blocks["token-request"].text, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	head = strings.Replace(head, "Host: api.example.com", "Host: "+s.Address(), 1)
	head = strings.ReplaceAll(head, "\n", "\r\n")
	w := s.Dial()
	w.Send(fmt.Sprintf("%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", head, len(body), body))
	w.Receive().Want(t, 200, "")
}
