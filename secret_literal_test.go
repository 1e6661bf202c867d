package caddygrant

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// What was meant to be read from a file or a variable never becomes the secret itself.
func TestSecretsThatWereMeantToBeReadFromElsewhere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "web.secret")
	holds := filepath.Join(dir, "placeholder")
	for path, content := range map[string]string{file: "a secret", holds: "{env.OTHER}"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, test := range []struct{ name, value, want string }{
		{"file. without braces", "file./etc/web.secret", "would be taken literally: write {file./etc/web.secret}"},
		{"file. with the closing brace only", "file./etc/web.secret}", "write {file./etc/web.secret}"},
		{"env. without braces", "env.WEB_SECRET", "write {env.WEB_SECRET}"},
		{"the path of a file", file, "write {file." + file + "}"},
		{"the path of a file from here", "./web.secret", "write {file../web.secret}"},
		{"a placeholder of a file that is not closed", "{file./etc/s3cret", "with both braces"},
		{"a placeholder of a variable that is not closed", "{env.S3CRET", "with both braces"},
		{"a variable of the Caddyfile that is not closed", "{$S3CRET", "with both braces"},
		{"a placeholder behind something else", "s3cret{file./etc/x", "with both braces"},
		{"a file that holds a placeholder", "{file." + holds + "}", "with both braces"},
		{"a placeholder that is unknown", "{$S3CRET}", "unknown or empty"},

		{"a secret", "0123456789abcdef", ""},
		{"a secret with a slash first", "/0123+4567", ""},
		{"a directory", dir, ""},
		{"a secret with a brace", "a}b{c", ""},
		{"a secret with a dollar", "a$b", ""},
		{"a secret that begins as it likes by a backslash", `\{file.x\}`, ""},
		{"a placeholder", "{file." + file + "}", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := resolvedSecret(caddy.NewReplacer(), "secret", test.value)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			case err != nil && strings.Contains(strings.ToLower(err.Error()), "s3cret"):
				t.Errorf("the value is in the error: %v", err)
			}
		})
	}
}
