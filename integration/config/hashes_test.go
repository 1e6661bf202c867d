package config

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/standin"
)

// Hashes as the tools that people have wrote them, each logged in with.
func TestHashesOfRealTools(t *testing.T) {
	s := harness.NewSite(t)
	for i, test := range []struct{ user, password, flags string }{
		{"bcrypt", "correct horse", "-B"},
		{"bcrypt-10", "correct horse", "-BC10"},
		{"apr1", "correct horse", "-m"},
		{"sha256", "correct horse", "-2"},
		{"sha256-rounds", "correct horse", "-2r10000"},
		{"sha512", "correct horse", "-5"},
		{"sha512-long", strings.Repeat("0123456789", 20), "-5"},
		{"sha1", "correct horse", "-s"},
		{"naïve", "crème brûlée 🍮", "-B"},
	} {
		flags := []string{"-b", test.flags, "users", test.user, test.password}
		if i == 0 {
			flags = append([]string{"-c"}, flags...)
		}
		htpasswd(s, flags...)
	}
	// as caddy prints them, and with the comments that people write
	lines := "# made by caddy hash-password\n\n"
	for user, args := range map[string][]string{
		"caddy-argon2id": {"--algorithm", "argon2id"},
		"caddy-bcrypt":   {"--algorithm", "bcrypt", "--bcrypt-cost", "10"},
	} {
		args = append([]string{"hash-password", "--plaintext", "correct horse"}, args...)
		output, err := harness.CaddyCommand(context.Background(), t, s.Dir, args...).Output()
		if err != nil {
			t.Fatalf("caddy %s: %v", args, err)
		}
		lines += user + ":" + string(output) + "\n"
	}
	file, err := os.OpenFile(s.Path("users"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(lines); err != nil {
		t.Fatal(err)
	}
	file.Close()
	s.Reload("", harness.WebSite("users htpasswd %DIR%/users\nallow_weak_hashes"))

	for _, test := range []struct{ name, user, password string }{
		{"htpasswd -B", "bcrypt", "correct horse"},
		{"htpasswd -B -C 10", "bcrypt-10", "correct horse"},
		{"htpasswd -m", "apr1", "correct horse"},
		{"htpasswd -2", "sha256", "correct horse"},
		{"htpasswd -2 -r 10000", "sha256-rounds", "correct horse"},
		{"htpasswd -5", "sha512", "correct horse"},
		{"htpasswd -5 of 200 characters", "sha512-long", strings.Repeat("0123456789", 20)},
		{"htpasswd -s under allow_weak_hashes", "sha1", "correct horse"},
		{"C14: htpasswd -B of UTF-8", "naïve", "crème brûlée 🍮"},
		{"caddy hash-password --algorithm argon2id", "caddy-argon2id", "correct horse"},
		{"caddy hash-password --algorithm bcrypt", "caddy-bcrypt", "correct horse"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.Login(test.user, test.password).Want(t, 200, "")
			s.Login(test.user, test.password+"x").Want(t, 400, "invalid_grant")
		})
	}
	t.Run("one warning per reason counts what should be replaced, and says with what", func(t *testing.T) {
		want := map[string]float64{"bcrypt with a cost below 10": 2, "apr1": 1, "{SHA}": 1}
		lines := s.Logged(func(line map[string]any) bool {
			return line["level"] == "warn" && line["path"] == s.Path("users")
		})
		if len(lines) != len(want) {
			t.Fatalf("%d warnings, want %d: %v", len(lines), len(want), lines)
		}
		for reason, count := range want {
			found := false
			for _, line := range lines {
				advice := fmt.Sprint(line["advice"])
				found = found || strings.HasPrefix(advice, reason) && line["count"] == count && strings.Contains(advice, "caddy hash-password")
			}
			if !found {
				t.Errorf("no warning that counts %v of %s: %v", count, reason, lines)
			}
		}
	})
}

// What cannot be compared, or is not worth it, is refused at the start: by line, with
// the remedy, and without a piece of the hash, which the error would take to the log.
func TestRefusedHashes(t *testing.T) {
	s := harness.NewSite(t)
	htpasswd(s, "-cbB", "users", "good", "correct horse")
	htpasswd(s, "-bd", "users", "des", "correct")
	htpasswd(s, "-bp", "users", "plain", "correct-horse")
	htpasswd(s, "-bs", "users", "sha", "correct horse")
	content, err := os.ReadFile(s.Path("users"))
	if err != nil {
		t.Fatal(err)
	}
	s.WriteOld("users", string(content))
	pieces := func() (out []string) {
		for line := range strings.Lines(string(content)) {
			_, hash, _ := strings.Cut(strings.TrimSpace(line), ":")
			out = append(out, hash, hash[:10], hash[len(hash)-10:])
		}
		return out
	}()
	silent := func(t *testing.T, err error) {
		t.Helper()
		for _, piece := range pieces {
			if strings.Contains(err.Error(), piece) || strings.Contains(s.RawLog(), piece) {
				t.Errorf("%q of the file is in the error or the log: %v", piece, err)
			}
		}
	}

	t.Run("C18: htpasswd -d, -p and -s, each by its line", func(t *testing.T) {
		err := s.TryReload("", harness.WebSite("users htpasswd %DIR%/users"))
		harness.WantLoadError(t, err, s.Path("users"), "3 problems",
			`line 2: "des"`, "DES crypt",
			`line 3: "plain"`, "plaintext password",
			`line 4: "sha"`, "allow_weak_hashes", "caddy hash-password")
		if strings.Contains(err.Error(), "line 1") {
			t.Errorf("the good line is in the error: %v", err)
		}
		silent(t, err)
	})
	t.Run("C18: allow_weak_hashes allows -s only", func(t *testing.T) {
		err := s.TryReload("", harness.WebSite("users htpasswd %DIR%/users\nallow_weak_hashes"))
		harness.WantLoadError(t, err, "2 problems", `line 2: "des"`, `line 3: "plain"`)
		silent(t, err)
	})
	t.Run("a client's secret is refused in the same way", func(t *testing.T) {
		err := s.TryReload("", `http://127.0.0.1:%PORT% {
	token_endpoint {
		user alice `+harness.HashBcrypt+`
		clients htpasswd %DIR%/users
	}
}
`)
		harness.WantLoadError(t, err, s.Path("users"), "3 problems", "line 2", "line 3", "line 4")
		silent(t, err)
	})
	refused := []struct{ name, hash, text string }{
		{"bcrypt of cost 17", "$2y$17$" + strings.Repeat("a", 53), "cost"},
		{"bcrypt of cost 3", "$2y$03$" + strings.Repeat("a", 53), "cost"},
		{"bcrypt that was cut", harness.HashBcrypt[:59], "damaged"},
		{"bcrypt of an old version", "$2x" + harness.HashBcrypt[3:], "known defect"},
		{"argon2id with more than 256 MiB", "$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43), "memory"},
		{"argon2id with 17 passes", "$argon2id$v=19$m=1024,t=17,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43), "passes"},
		{"argon2id without threads, which its library panics at", "$argon2id$v=19$m=1024,t=1,p=0$c29tZXNhbHQ$" + strings.Repeat("A", 43), "parallelism"},
		{"argon2id with an empty key, which its library panics at", "$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHQ$", "key"},
		{"argon2i", "$argon2i$v=19$m=1024,t=1,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43), "argon2id"},
		{"sha512-crypt with 1,000,001 rounds", "$6$rounds=1000001$salt$" + strings.Repeat("a", 85) + ".", "rounds"},
		{"sha512-crypt whose rounds are no number, which its library panics at", "$6$rounds=abc$salt$" + strings.Repeat("a", 85) + ".", "rounds"},
		{"md5-crypt that was cut", "$1$salt$" + strings.Repeat("a", 21), "md5-crypt"},
		{"yescrypt with 512 MiB", "$y$jET$salt$" + strings.Repeat("a", 42) + ".", "256 MiB"},
		{"gost-yescrypt", "$gy$j9T$salt$" + strings.Repeat("a", 43), "gost-yescrypt"},
		{"an LDAP scheme", "{MD5}X03MO1qnZdYdgyfeuILPmQ==", "LDAP"},
		{"MD5 in hex", "5f4dcc3b5aa765d61d8327deb882cf99", "hex"},
		{"nothing", "", "no hash"},
	}
	t.Run("C18: bounds and foreign formats, all at once", func(t *testing.T) {
		lines, texts := "# a comment is line 1\n", []string{fmt.Sprint(len(refused), " problems")}
		for i, test := range refused {
			lines += fmt.Sprintf("u%d:%s\n", i, test.hash)
			texts = append(texts, fmt.Sprintf(`line %d: "u%d"`, i+2, i))
		}
		file := s.WriteOld("many", lines)
		harness.WantLoadError(t, s.TryReload("", harness.WebSite("users htpasswd %DIR%/many")), append(texts, file)...)
	})
	for _, test := range refused {
		t.Run("refused in the config: "+test.name, func(t *testing.T) {
			if test.hash == "" {
				test.text = "password_hash"
			}
			err := s.TryReload("", harness.WebSite(`user alice "`+test.hash+`"`))
			harness.WantLoadError(t, err, "alice", test.text)
			if test.hash != "" && strings.Contains(err.Error(), test.hash) {
				t.Errorf("the hash is in the error: %v", err)
			}
		})
	}
	t.Run("C18: an error shows 20 lines and counts the rest", func(t *testing.T) {
		s.WriteOld("many", strings.Repeat("no colon\n", 25))
		harness.WantLoadError(t, s.TryReload("", harness.WebSite("users htpasswd %DIR%/many")), "25 problems", "line 20", "and 5 more")
	})
}

// htpasswd runs Apache's tool in the test's directory.
func htpasswd(s *harness.Site, args ...string) {
	s.T.Helper()
	cmd := exec.Command(standin.Path(s.T, "htpasswd"), args...)
	cmd.Dir = s.Dir
	if output, err := cmd.CombinedOutput(); err != nil {
		s.T.Fatalf("htpasswd %s: %v\n%s", args, err, output)
	}
}
