package command

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A Caddy that runs applies what the commands do, without a reload.
func TestARunningCaddyAppliesWhatTheCommandsChange(t *testing.T) {
	for file, kind := range map[string]string{"users": "htpasswd", "users.json": "json"} {
		t.Run(kind, func(t *testing.T) {
			s := harness.NewSite(t)
			d := desk{t, s.Dir}
			add := func(name, password string) { d.do(password+"\n", "user", "add", name, "--file", file) }
			add("alice", "correct horse")
			add("operator", "correct horse") // so that the file never gets empty
			d.secret("client", "add", "other", "--file", "clients.json")
			secret := d.secret("client", "add", "app", "--file", "clients.json")
			s.Reload("", strings.NewReplacer("%KIND%", kind, "%FILE%", d.path(file), "%CLIENTS%", d.path("clients.json")).Replace(`http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer https://api.example.com
		users %KIND% %FILE%
		clients json %CLIENTS%
	}
	bearer_auth
	respond "{http.auth.user.id}"
}
`))
			app := []string{"client_id", "app", "client_secret", secret}
			login := func(name, password string) harness.Answer { return s.Login(name, password, app...) }
			reach := func(token string) int { return s.Do(s.Request("GET", "/", "", "Authorization: Bearer "+token)).Status }
			refresh := func(token string) harness.Answer {
				return s.Post("/token", "grant_type=refresh_token&client_id=app&client_secret="+secret+"&refresh_token="+token)
			}

			add("bob", "battery staple")
			harness.Eventually(t, "bob can log in", func() bool { return login("bob", "battery staple").Status == 200 })

			first := login("alice", "correct horse")
			access := first.Text(t, "access_token")
			if status := reach(access); status != 200 {
				t.Fatalf("alice's token: %d", status)
			}
			d.do("another horse\n", "user", "passwd", "alice", "--file", file)
			harness.Eventually(t, "alice's old token is refused", func() bool { return reach(access) == 401 })
			login("alice", "correct horse").Want(t, 400, "invalid_grant")
			refresh(first.Text(t, "refresh_token")).Want(t, 400, "invalid_grant")

			second := login("alice", "another horse")
			access = second.Text(t, "access_token")
			d.do("", "user", "disable", "alice", "--file", file)
			harness.Eventually(t, "a token of a disabled user is refused", func() bool { return reach(access) == 401 })
			login("alice", "another horse").Want(t, 400, "invalid_grant")
			d.do("", "user", "enable", "alice", "--file", file)
			harness.Eventually(t, "alice can log in again", func() bool { return login("alice", "another horse").Status == 200 })

			if kind == "json" {
				access = login("alice", "another horse").Text(t, "access_token")
				d.do("", "user", "rename", "alice", "alicia", "--file", file, "--keep-id")
				harness.Eventually(t, "alice can log in by the new name", func() bool { return login("alicia", "another horse").Status == 200 })
				if a := s.Do(s.Request("GET", "/", "", "Authorization: Bearer "+access)); a.Status != 200 || string(a.Body) != "alice" {
					t.Errorf("a token from before: %d %s", a.Status, a.Body)
				}
			}

			access = login("bob", "battery staple").Text(t, "access_token")
			d.do("", "user", "remove", "bob", "--file", file)
			harness.Eventually(t, "a token of a removed user is refused", func() bool { return reach(access) == 401 })

			old := secret
			secret = d.secret("client", "rotate-secret", "app", "--file", "clients.json")
			app[3] = secret
			harness.Eventually(t, "the new secret is taken", func() bool { return login("operator", "correct horse").Status == 200 })
			app[3] = old
			login("operator", "correct horse").Want(t, 400, "invalid_client")
		})
	}
}
