package setting

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// Caddy reads {file.secret}, without a slash, as a part of the request's path.
func TestAFileNamedWithoutASlashIsExplained(t *testing.T) {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("http://localhost {\n\ttoken_endpoint {\n\t\tuser alice $2y$10$9xXU5xX5WnmzEo3hQW8wOuGzbXyZyqBcCvDLdQgI2ZPXoTjcwcZbe\n\t\tclient app {\n\t\t\tsecret {file.secret}\n\t\t}\n\t}\n}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	const read = "{http.request.uri.path.file.secret}"
	if !strings.Contains(string(adapted), read) {
		t.Fatalf("Caddy reads it otherwise now: %s", adapted)
	}
	_, err = ResolveSecret(caddy.NewReplacer(), "secret", read)
	if err == nil || !strings.Contains(err.Error(), "write {file./path/to/secret}, or {file../secret}") {
		t.Errorf("got %v", err)
	}
}
