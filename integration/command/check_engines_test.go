package command

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/configreview"
)

// The engines are of other modules, so this Caddy refuses the configs.
func TestThePasswordOfAnEngineInTheConfigIsFound(t *testing.T) {
	for settings, plain := range map[string]bool{
		`"sessions": {"engine": "redis", "url": "redis://caddy:hunter2@127.0.0.1:6379/0"}`:                                                true,
		`"sessions": {"engine": "redis", "url": "redis://:hunter2@127.0.0.1:6379/0"}`:                                                     true,
		`"sessions": {"engine": "redis", "url": "redis://127.0.0.1:6379/0", "password": "hunter2"}`:                                       true,
		`"sessions": {"engine": "storage"}, "also_sessions": [{"engine": "postgres", "url": "postgres://caddy:hunter2@127.0.0.1/caddy"}]`: true,
		`"sessions": {"engine": "redis", "url": "redis://caddy:{env.REDIS_PASSWORD}@127.0.0.1:6379/0"}`:                                   false,
		`"sessions": {"engine": "redis", "url": "redis://caddy@127.0.0.1:6379/0", "password": "{file./run/secrets/redis}"}`:               false,
		`"sessions": {"engine": "redis", "url": "{env.REDIS_URL}"}`:                                                                       false,
		`"sessions": {"engine": "nats", "url": 7, "password": ["x"]}`:                                                                     false,
	} {
		dir := t.TempDir()
		config := fmt.Sprintf(`{"apps": {"http": {"servers": {"site": {"listen": ["127.0.0.1:0"], "routes": [{"handle": [{"handler": "token_endpoint", %s,
			"clients": [{"source": "inline", "clients": [{"id": "web", "public": true}]}],
			"users": [{"source": "inline", "users": [{"username": "alice", "password_hash": %q}]}]}]}]}}}}}`, settings, harness.HashBcrypt)
		path := filepath.Join(dir, "caddy.json")
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		findings := checked(t, dir, "--config", path)
		isPlain := func(f configreview.Finding) bool { return f.Rule == "plaintext-secret" }
		if got := slices.ContainsFunc(findings, isPlain); got != plain {
			t.Errorf("%s: found %v, want %v", settings, got, plain)
		}
		if strings.Contains(fmt.Sprint(findings), "hunter2") {
			t.Errorf("%s: a finding has the password: %+v", settings, findings)
		}
	}
}
