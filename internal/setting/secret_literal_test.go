package setting

import (
	"encoding/base64"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// What was meant to be read from a file or a variable never becomes the secret itself,
// and what may be a secret is not in the error.
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
	if err := os.Mkdir("secrets", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("secrets/below", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("web.secret", "link"); err != nil {
		t.Fatal(err)
	}
	const unnamed = "would be taken literally: write {file./path/to/secret} or {env.NAME}; if this is the secret itself, keep it in such a file or variable"
	const unclosed = "with both braces; a literal { is written \\{"
	long := strings.Repeat("X", 64)
	longPath := "/" + strings.Repeat("x", 255)
	for _, test := range []struct{ name, value, want string }{
		{"a file without braces is refused by its path", "file./etc/web.secret", "would be taken literally: write {file./etc/web.secret}"},
		{"a file with the closing brace only is refused", "file./etc/web.secret}", "write {file./etc/web.secret}"},
		{"a file from here without braces is refused", "file../web.secret", "write {file../web.secret}"},
		{"a file in capitals is refused", "FILE./etc/x", "write {file./etc/x}"},
		{"the longest path is in the error", "file." + longPath, "write {file." + longPath + "}"},
		{"a longer path is not in the error", "file." + longPath + "s3cret", unnamed},
		{"a path with a brace is not in the error", "file./etc/s3cret{x", unnamed},
		{"a path with a line break is not in the error", "file./etc/s3cret\nx", unnamed},
		{"what is not a path after file. is not in the error", "file.s3cret", unnamed},
		{"a file with a colon for its dot is named", "{file:/etc/web.secret}", "secret: {file:/etc/web.secret} is not a placeholder: write {file./etc/web.secret}, with a dot"},
		{"the URL of a file in braces is named by its path", "{file:///etc/web.secret}", "write {file./etc/web.secret}, with a dot"},
		{"a variable with a colon for its dot is named", "{env:WEB_SECRET}", "write {env.WEB_SECRET}, with a dot"},
		{"what is not a path after a colon is not in the error", "{file:s3cret}", "it holds a placeholder with a colon: write {file./path/to/secret} or {env.NAME}, with a dot"},
		{"a variable without braces is refused by its name", "env.WEB_SECRET", "write {env.WEB_SECRET}"},
		{"a variable in capitals is refused", "ENV.WEB_SECRET", "write {env.WEB_SECRET}"},
		{"the longest name of a variable is in the error", "env." + long, "write {env." + long + "}"},
		{"a longer name of a variable is not in the error", "env.S3CRET" + long, unnamed},
		{"what is not the name of a variable after env. is not in the error", "env.s3cret", unnamed},
		{"a name in part behind env. is not in the error", "env.S3CRET#x", unnamed},
		{"a variable as a shell has it is refused", "$WEB_SECRET", "write {env.WEB_SECRET}"},
		{"a long variable as a shell has it is not in the error", "$S3CRET" + long, unnamed},
		{"a variable as a shell has it in braces is refused", "${S3CRET}", "unknown or empty"},
		{"the URL of a file is refused", "file:///etc/caddy/web.secret", "write {file./etc/caddy/web.secret}"},
		{"the URL of a file with one slash is refused", "file:/etc/caddy/web.secret", "write {file./etc/caddy/web.secret}"},
		{"the URL of a file on a host is refused", "file://localhost/s3cret", unnamed},
		{"the path of a file is refused", file, "write {file." + file + "}"},
		{"the path of a file from here is refused", "./web.secret", "write {file../web.secret}"},
		{"a path of which only the directory is there is refused", dir + "/web.secert", "write {file." + dir + "/web.secert}"},
		{"such a path from here is refused", "./secrets/web.secret", "write {file../secrets/web.secret}"},
		{"a directory is refused", dir, "write {file." + dir + "}"},
		{"a path with a placeholder is refused", dir + "/s3cret{env.X}", unnamed},
		{"a path from the directory above is refused", "../web.s3cret", unnamed},
		{"a path from the home directory is refused", "~/web.s3cret", unnamed},
		{"the path of a file behind an at sign is refused", "@" + file, "write {file." + file + "}"},
		{"a path behind an at sign is refused wherever it leads", "@/no/such/web.s3cret", unnamed},
		{"a path from here behind an at sign is refused", "@./web.secret", "write {file../web.secret}"},
		{"a path from above behind an at sign is refused", "@../web.s3cret", unnamed},
		{"a placeholder of a file that is not closed is refused", "{file./etc/s3cret", unclosed},
		{"a placeholder of a file in capitals that is not closed is refused", "{FILE./etc/s3cret", unclosed},
		{"a placeholder of a variable that is not closed is refused", "{env.S3CRET", unclosed},
		{"a variable of the Caddyfile that is not closed is refused", "{$S3CRET", unclosed},
		{"a variable of the Caddyfile with the wrong brace is refused", "{$S3CRET)", unclosed},
		{"a variable of the Caddyfile with a default that is not closed is refused", "{$S3CRET:x", unclosed},
		{"a variable of the Caddyfile behind something else is refused", "s3cret{$NAME", unclosed},
		{"a placeholder behind something else is refused", "s3cret{file./etc/x", unclosed},
		{"a file that holds a placeholder is refused", "{file." + holds + "}", "with both braces"},
		{"a variable in a placeholder is refused", "{$S3CRET}", "unknown or empty"},
		{"the name of a file in the directory is refused", "web.secret", "write {file../web.secret}"},
		{"the name of such a file without a point is refused", "placeholder", "write {file../placeholder}"},
		{"the name of a file behind an at sign is refused", "@web.secret", "write {file../web.secret}"},
		{"the name of a file behind file: is refused", "file:web.secret", "write {file../web.secret}"},
		{"the name of a link to a file is refused", "link", "write {file../link}"},
		{"the path of a file below the directory is refused", "secrets/below", "write {file../secrets/below}"},

		{"the name of a directory is taken", "secrets", ""},
		{"the name of no file is taken", "web.secrets", ""},
		{"the path of no file below the directory is taken", "secrets/other", ""},
		{"a secret that is longer than a file's name is taken", strings.Repeat("x", 300), ""},
		{"a secret of a point is taken", "./", ""},
		{"a secret is taken", "0123456789abcdef", ""},
		{"a secret with a slash first is taken", "/0123+4567", ""},
		{"a secret with a slash first and one later is taken", "/0123+45/67", ""},
		{"a secret with a slash at both ends is taken", "/0123+4567/", ""},
		{"a secret that is too long for a path is taken", "/" + strings.Repeat("x", 5000), ""},
		{"a secret with a NUL in it is taken", "/0123\x004567", ""},
		{"a secret with a point and a slash first is taken", "./0123+4567", ""},
		{"a secret with two points and a slash first is taken", "../0123#4567", ""},
		{"a secret with a tilde and a slash first is taken", "~/0123#4567", ""},
		{"a secret with an at sign and a slash first is taken", "@/0123#4567", ""},
		{"a secret with a tilde first is taken", "~0123", ""},
		{"a secret with a brace is taken", "a}b{c", ""},
		{"a secret with a dollar is taken", "a$b", ""},
		{"a secret with a dollar first is taken", "$Abc", ""},
		{"a secret with a brace and a dollar is taken", "a{$b", ""},
		{"a secret with a brace, a dollar and a capital is taken", "a{$B", ""},
		{"a secret with a brace, a dollar and capitals before others is taken", "a{$BC#d", ""},
		{"a secret with a brace and a dollar first is taken", "{$b", ""},
		{"a secret that begins as it likes by a backslash is taken", `\{file.x\}`, ""},
		{"a variable that is meant literally is taken", `\{$NAME`, ""},
		{"a placeholder is taken", "{file." + file + "}", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ResolveSecret(caddy.NewReplacer(), "secret", test.value)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.HasSuffix(err.Error(), test.want) && !strings.Contains(test.want, "unknown")) || err != nil && !strings.Contains(err.Error(), test.want):
				t.Errorf("got %v, want %q", err, test.want)
			case err != nil && strings.Contains(strings.ToLower(err.Error()), "s3cret"):
				t.Errorf("the value is in the error: %v", err)
			}
		})
	}
}

// What Caddy may not look at counts as existing, except directly below the root.
func TestASecretThatIsAPathWithoutPermission(t *testing.T) {
	denied := func(path string) (fs.FileInfo, error) {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrPermission}
	}
	for value, want := range map[string]string{
		"/root/caddy/web.secret": "write {file./root/caddy/web.secret}",
		"/0123+4567":             "",
		"0123/4567":              "",
		"web.secret":             "",
		"@web.secret":            "",
	} {
		err := checkLiteralSecretWith(denied, "secret", value)
		if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", value, err, want)
		}
	}
}

// Only a regular file counts, and a name is looked up once at most.
func TestASecretThatIsTheNameOfAFileHere(t *testing.T) {
	for _, test := range []struct {
		mode  fs.FileMode
		value string
		want  bool
	}{
		{0o600, "web.secret", true},
		{0o600, "s3cret with spaces", true},
		{fs.ModeDir, "web.secret", false},
		{fs.ModeNamedPipe, "web.secret", false},
		{fs.ModeSocket, "web.secret", false},
		{fs.ModeDevice, "web.secret", false},
		{0o600, "a{b", false},
		{0o600, "a\x00b", false},
		{0o600, strings.Repeat("x", 257), false},
	} {
		asked := 0
		stat := func(name string) (fs.FileInfo, error) {
			asked++
			return fileInfo{name, test.mode}, nil
		}
		err := checkLiteralSecretWith(stat, "secret", test.value)
		if (err != nil) != test.want || asked > 1 {
			t.Errorf("%q with mode %v: %v, asked %d times", test.value, test.mode, err, asked)
		}
	}
}

// fileInfo is a file of a mode.
type fileInfo struct {
	name string
	mode fs.FileMode
}

func (f fileInfo) Name() string       { return f.name }
func (f fileInfo) Mode() fs.FileMode  { return f.mode }
func (f fileInfo) IsDir() bool        { return f.mode.IsDir() }
func (f fileInfo) Size() int64        { return 0 }
func (f fileInfo) ModTime() time.Time { return time.Time{} }
func (f fileInfo) Sys() any           { return nil }

// No random secret is refused, whatever it is made of.
func TestRandomSecretsAreAccepted(t *testing.T) {
	source := rand.NewChaCha8([32]byte{})
	random := rand.New(source)
	for range 20_000 {
		raw := make([]byte, 24)
		_, _ = source.Read(raw)
		symbols := make([]byte, 30)
		for i := range symbols {
			symbols[i] = byte('!' + random.IntN(94))
		}
		encoded := base64.StdEncoding.EncodeToString(raw)
		for _, value := range []string{
			encoded, "/" + encoded, string(symbols), "/" + string(symbols), "./" + string(symbols),
		} {
			if err := CheckLiteralSecret("secret", value); err != nil {
				t.Errorf("%s: %v", value, err)
			}
		}
	}
}
