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

// Only what has the form of a variable or of a file is named: the rest may be a secret.
func TestAPlaceholderWithinASecretIsNamed(t *testing.T) {
	for value, want := range map[string]string{
		"prefix-{env.NOT_SET_HERE}":          "secret: the environment variable of {env.NOT_SET_HERE} is not set, or empty",
		"prefix-{file./not/there}":           "secret: the file of {file./not/there} is missing, empty or not readable by Caddy",
		"s3cret{s3cret}":                     `secret: it holds a placeholder that is unknown or empty; a literal { is written \{`,
		"s3cret{env.s3cret}":                 `secret: it holds a placeholder that is unknown or empty; a literal { is written \{`,
		"prefix-{env.NOT_SET_HERE}{s3cret.}": "secret: the environment variable of {env.NOT_SET_HERE} is not set, or empty",
	} {
		if _, err := ResolveSecret(caddy.NewReplacer(), "secret", value); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
	}
}
