package nodes

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// `caddy validate` provisions everything and leaves nothing behind.
func TestValidateLeavesNoTrace(t *testing.T) {
	s := harness.NewSite(t)
	config := s.Write("Caddyfile", s.Expand(harness.WithoutPKI+harness.BasicSite))
	cmd := harness.CaddyCommand(context.Background(), t, s.Dir, "validate", "--config", config, "--adapter", "caddyfile")
	if output, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(output), "Valid configuration") {
		t.Fatalf("caddy validate: %v\n%s", err, output)
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "Caddyfile" && name != "log.json" {
			t.Errorf("left behind: %s", name)
		}
	}
}

// A storage that cannot be written costs the tokens, not the server, and only as long
// as it lasts.
func TestStorageThatCannotBeWritten(t *testing.T) {
	s := harness.NewSite(t)
	load := func(lines string) {
		t.Helper()
		config, err := harness.Adapt(s.Expand(harness.WithoutPKI + harness.WebSite(lines)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(config); err != nil {
			t.Fatalf("Caddy does not start: %v", err)
		}
	}
	s.Write("storage", "a file where a directory should be")
	load("user alice " + harness.CheapHash(t, "password"))

	for name, a := range map[string]harness.Answer{"token": s.Login("alice", "password"), "jwks": s.Do(s.Request("GET", "/token/jwks", ""))} {
		t.Run("503 and Retry-After: "+name, func(t *testing.T) {
			a.Want(t, http.StatusServiceUnavailable, "temporarily_unavailable")
			if a.Header.Get("Retry-After") == "" || a.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("headers %v", a.Header)
			}
			if strings.Contains(string(a.Body), "storage") {
				t.Fatalf("the answer says too much: %s", a.Body)
			}
		})
	}
	t.Run("C17: the app goes on", func(t *testing.T) {
		if a := s.Do(s.Request("GET", "/", "")); a.Status != 200 || string(a.Body) != "the app" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("the log says why", func(t *testing.T) {
		if lines := s.Logged(func(line map[string]any) bool {
			return line["level"] == "error" && strings.Contains(fmt.Sprint(line["msg"]), "keys") && strings.Contains(fmt.Sprint(line["error"]), "storage")
		}); len(lines) == 0 {
			t.Fatal("it does not")
		}
	})
	t.Run("tokens are issued without a reload when the storage is good again", func(t *testing.T) {
		if err := os.Remove(s.Path("storage")); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "a token", func() bool { return s.Login("alice", "password").Status == 200 })
		s.Verified(s.Login("alice", "password").Text(t, "access_token"), "/token")
	})
	t.Run("and a storage that goes away takes no keys, across a reload too", func(t *testing.T) {
		before := string(s.JWKS("/token").Body)
		if err := os.Rename(s.Path("storage"), s.Path("elsewhere")); err != nil {
			t.Fatal(err)
		}
		s.Write("storage", "a file again")
		load("access_token_ttl 2m\nuser alice " + harness.CheapHash(t, "password"))
		s.Relogin("alice", "password").Want(t, 200, "")
		if after := string(s.JWKS("/token").Body); after != before {
			t.Fatalf("keys changed from %s to %s", before, after)
		}
	})
}

// A storage that is empty for a while, such as a mount that is away, takes no key away
// from a process that has it, and makes none that the other nodes do not have.
func TestAStorageThatGoesAwayChangesNoKey(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t)
	config := s.Write("Caddyfile", s.Expand(`{
	admin off
	persist_config off
	storage file_system "%DIR%/storage"
}
http://127.0.0.1:%PORT% {
	token_endpoint {
		rotate_every 1h
		client web {
			secret web-secret
		}
		user alice `+harness.HashBcrypt+`
	}
	bearer_auth /app
	respond /app "in"
}
`))
	p := harness.StartQuickProcess(t, config)
	first := s.Login("alice", "correct horse")
	if first.Status != 200 {
		t.Fatalf("%s\n%s", first.Body, p.Printed())
	}
	token := first.Text(t, "access_token")
	keys := string(s.Do(s.Request("GET", "/token/jwks", "")).Body)
	storage := s.Dir + "/storage"
	if err := os.Rename(storage, storage+".away"); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the log says that the storage has lost the keys", func() bool {
		return strings.Contains(p.Printed(), "getting the server's keys from storage")
	})
	s.Do(s.Request("GET", "/app", "", "Authorization: Bearer "+token)).Want(t, 200, "")
	s.Login("alice", "correct horse").Want(t, 200, "")
	if now := string(s.Do(s.Request("GET", "/token/jwks", "")).Body); now != keys {
		t.Errorf("the keys changed from %s to %s", keys, now)
	}
	if _, err := os.Stat(storage + "/grant"); err == nil {
		t.Error("new keys are in the storage")
	}
}
