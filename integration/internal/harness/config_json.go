package harness

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// BareHandler is the least that a token_endpoint needs, as JSON. A test that puts a
// member after it replaces the one before, as encoding/json has it.
const BareHandler = `"handler": "token_endpoint",
	"clients": [{"source": "inline", "clients": [{"id": "web", "secret": "web-s3cret"}]}],
	"users": [{"source": "inline", "users": [{"username": "alice", "password_hash": "` + HashBcrypt + `"}]}]`

// JSONConfig is a whole config with a storage in the directory and one site that
// listens at the address and has these handlers.
func JSONConfig(dir, address string, handlers ...string) string {
	return fmt.Sprintf(`{
	"admin": {"disabled": true, "config": {"persist": false}},
	"logging": {"logs": {"default": {"writer": {"output": "discard"}}}},
	"storage": {"module": "file_system", "root": %q},
	"apps": {"http": {"servers": {"test": {
		"listen": [%q],
		"automatic_https": {"disable": true},
		"routes": [{"handle": [%s]}]
	}}}}
}`, filepath.Join(dir, "storage"), address, strings.Join(handlers, ", "))
}

// Validate does what `caddy validate` does, in this process: one at a time.
func Validate(t *testing.T, config string) error {
	t.Helper()
	var parsed caddy.Config
	if err := caddy.StrictUnmarshalJSON([]byte(config), &parsed); err != nil {
		t.Fatalf("the test's config is not one: %v\n%s", err, config)
	}
	return caddy.Validate(&parsed)
}

// ValidateHandlers does it for a site with these handlers.
func ValidateHandlers(t *testing.T, handlers ...string) error {
	t.Helper()
	return Validate(t, JSONConfig(t.TempDir(), "127.0.0.1:0", handlers...))
}
