package integration

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// withoutPKI is globalOptions without skip_install_trust, which brings Caddy's own
// certificate authority along: it writes to the storage, and does not start without it.
var withoutPKI = strings.NewReplacer("\tskip_install_trust\n", "", "%OPTIONS%", "").Replace(globalOptions)

// `caddy validate` provisions everything and leaves nothing behind.
func TestValidateLeavesNoTrace(t *testing.T) {
	s := newSite(t)
	config := s.write("Caddyfile", s.expand(withoutPKI+basicSite))
	cmd := caddyCommand(context.Background(), t, s.dir, "validate", "--config", config, "--adapter", "caddyfile")
	if output, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(output), "Valid configuration") {
		t.Fatalf("caddy validate: %v\n%s", err, output)
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "Caddyfile" && name != "log.json" {
			t.Errorf("left behind: %s", name)
		}
	}
}

// A storage that cannot be written costs the tokens, not the server, and only as long as
// it lasts.
func TestStorageThatCannotBeWritten(t *testing.T) {
	s := newSite(t)
	load := func(lines string) {
		t.Helper()
		config, err := adapt(s.expand(withoutPKI + webSite(lines)))
		if err != nil {
			t.Fatal(err)
		}
		if err := caddy.Load(config, true); err != nil {
			t.Fatalf("Caddy does not start: %v", err)
		}
	}
	s.write("storage", "a file where a directory should be")
	load("user alice " + cheapHash(t, "password"))

	for name, a := range map[string]answer{"token": s.login("alice", "password"), "jwks": s.do(s.request("GET", "/token/jwks", ""))} {
		t.Run("503 and Retry-After: "+name, func(t *testing.T) {
			a.want(t, http.StatusServiceUnavailable, "temporarily_unavailable")
			if a.header.Get("Retry-After") == "" || a.header.Get("Cache-Control") != "no-store" {
				t.Fatalf("headers %v", a.header)
			}
			if strings.Contains(string(a.body), "storage") {
				t.Fatalf("the answer says too much: %s", a.body)
			}
		})
	}
	t.Run("C17: the app goes on", func(t *testing.T) {
		if a := s.do(s.request("GET", "/", "")); a.status != 200 || string(a.body) != "the app" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	})
	t.Run("the log says why", func(t *testing.T) {
		if lines := s.logged(func(line map[string]any) bool {
			return line["level"] == "error" && strings.Contains(fmt.Sprint(line["msg"]), "keys") && strings.Contains(fmt.Sprint(line["error"]), "storage")
		}); len(lines) == 0 {
			t.Fatal("it does not")
		}
	})
	t.Run("tokens are issued without a reload when the storage is good again", func(t *testing.T) {
		if err := os.Remove(s.path("storage")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a token", func() bool { return s.login("alice", "password").status == 200 })
		s.verified(s.login("alice", "password").text(t, "access_token"), "/token")
	})
	t.Run("and a storage that goes away takes no keys, across a reload too", func(t *testing.T) {
		before := string(s.jwks("/token").body)
		if err := os.Rename(s.path("storage"), s.path("elsewhere")); err != nil {
			t.Fatal(err)
		}
		s.write("storage", "a file again")
		load("access_token_ttl 2m\nuser alice " + cheapHash(t, "password"))
		s.relogin("alice", "password").want(t, 200, "")
		if after := string(s.jwks("/token").body); after != before {
			t.Fatalf("keys changed from %s to %s", before, after)
		}
	})
}

// A storage that is empty for a while, such as a mount that is away, takes no key away
// from a process that has it, and makes none that the other nodes do not have.
func TestAStorageThatGoesAwayChangesNoKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := s.write("Caddyfile", s.expand(`{
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
		user alice `+hashBcrypt+`
	}
	bearer_auth /app
	respond /app "in"
}
`))
	p := startProcess(t, s.dir, config, s.address())
	token := s.login("alice", "correct horse").text(t, "access_token")
	keys := string(s.do(s.request("GET", "/token/jwks", "")).body)
	storage := s.dir + "/storage"
	if err := os.Rename(storage, storage+".away"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log says that the storage has lost the keys", func() bool {
		return strings.Contains(p.printed(), "getting the server's keys from storage")
	})
	s.do(s.request("GET", "/app", "", "Authorization: Bearer "+token)).want(t, 200, "")
	s.login("alice", "correct horse").want(t, 200, "")
	if now := string(s.do(s.request("GET", "/token/jwks", "")).body); now != keys {
		t.Errorf("the keys changed from %s to %s", keys, now)
	}
	if _, err := os.Stat(storage + "/grant"); err == nil {
		t.Error("new keys are in the storage")
	}
}
