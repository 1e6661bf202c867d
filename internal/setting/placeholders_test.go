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
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("http://localhost {\n\trespond {file.secret}\n}\n"), nil)
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
