package bearer

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A token is checked against the users and clients as their files are now: some seconds
// after a change it is refused, without a reload and without a list of tokens.
func TestTokensFollowTheFiles(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	user := func(name, hash, more string) string {
		return fmt.Sprintf(`{"username": %q, "password_hash": %q%s}`, name, hash, more)
	}
	users := s.Write("users.json", `{"users": [`+strings.Join([]string{
		user("kept", harness.HashCheap, ""),
		user("removed", harness.HashCheap, ""),
		user("disabled", harness.HashCheap, ""),
		user("changed", harness.HashCheap, ""),
		user("renamed", harness.HashCheap, `, "id": "u-1"`),
		user("given-an-id", harness.HashCheap, ""),
		user("replaced", harness.HashCheap, `, "id": "u-2"`),
		user("narrowed", harness.HashCheap, `, "scopes": ["read", "write"]`),
		user("reordered", harness.HashCheap, `, "id": "u-4"`),
	}, ",")+`]}`)
	htpasswd := s.Write("users.htpasswd", "stays:"+harness.HashCheap+"\ngoes:"+harness.HashCheap+"\nhidden:"+harness.HashCheap+"\n")
	clients := s.Write("clients.json", `{"clients": [
		{"id": "web", "secret_hash": "`+harness.HashCheap+`", "scopes": ["read", "write"]},
		{"id": "going", "secret_hash": "`+harness.HashCheap+`", "scopes": ["read"]},
		{"id": "rekeyed", "secret_hash": "`+harness.HashCheap+`", "scopes": ["read"]}
	]}`)
	s.Reload("", app.In(`http://127.0.0.1:%PORT% {
	token_endpoint {
		users json `+users+`
		users htpasswd `+htpasswd+`
		clients json `+clients+`
	}
	bearer_auth {
		copy_claims sub>X-User scope>X-Scope username>X-Name
	}
	reverse_proxy %APP%
}
`))
	tokens := make(map[string]string)
	for _, name := range []string{
		"kept", "removed", "disabled", "changed", "renamed", "given-an-id", "replaced", "narrowed", "reordered", "stays", "goes", "hidden",
	} {
		tokens[name] = s.Token(name, "client_secret", "correct horse")
	}
	for _, client := range []string{"going", "rekeyed"} {
		tokens["of "+client] = s.Token("kept", "client_id", client, "client_secret", "correct horse")
	}
	status := func(name string) int { return s.Do(s.Request("GET", "/", "", harness.Bearer(tokens[name]))).Status }
	for name := range tokens {
		if got := status(name); got != 200 {
			t.Fatalf("at first %s gets %d", name, got)
		}
	}

	s.Write("users.json", `{"users": [`+strings.Join([]string{
		user("reordered", harness.HashCheap, `, "id": "u-4"`),
		user("narrowed", harness.HashCheap, `, "scopes": ["read"]`),
		user("renamed-now", harness.HashCheap, `, "id": "u-1"`),
		user("given-an-id", harness.HashCheap, `, "id": "u-3"`),
		user("someone-else", harness.HashCheapAnother, `, "id": "u-2"`),
		user("changed", harness.HashCheapAnother, ""),
		user("disabled", harness.HashCheap, `, "disabled": true`),
		user("kept", harness.HashCheap, ""),
		user("hidden", harness.HashCheapAnother, `, "id": "u-9"`),
	}, ",")+`]}`)
	s.Write("users.htpasswd", "stays:"+harness.HashCheap+"\nhidden:"+harness.HashCheap+"\n")
	s.Write("clients.json", `{"clients": [
		{"id": "web", "secret_hash": "`+harness.HashCheap+`", "scopes": ["read", "write"]},
		{"id": "rekeyed", "secret_hash": "`+harness.HashCheapAnother+`", "scopes": ["read"]}
	]}`)
	harness.Eventually(t, "all files are read again", func() bool {
		return status("removed") == 401 && status("goes") == 401 && status("of going") == 401
	})
	for _, test := range []struct {
		name, token string
		status      int
		reason      string
	}{
		{"I22: a user who is removed", "removed", 401, "its user is gone"},
		{"I22: a user who is removed from an htpasswd file", "goes", 401, "its user is gone"},
		{"I22: a user who is disabled", "disabled", 401, "its user is disabled"},
		{"I22: a user with a new password", "changed", 401, "its user has another password now"},
		{"I22: a subject that is another user's", "replaced", 401, "its user has another password now"},
		{"I22: a user whose subject changes", "given-an-id", 401, "its user is gone"},
		{"I22: a user hidden by one in an earlier source", "hidden", 401, "its user is gone"},
		{"I22: a client that is removed", "of going", 401, "its client is gone"},
		{"a user that nothing happened to", "kept", 200, ""},
		{"a user of a file that lost another", "stays", 200, ""},
		{"a user with another name and the same id", "renamed", 200, ""},
		{"a user in another place of the file", "reordered", 200, ""},
		{"a user with fewer scopes", "narrowed", 200, ""},
		// the secret is for getting tokens, not for those that there are
		{"a client with another secret", "of rekeyed", 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			app.Take()
			a := s.Do(s.Request("GET", "/", "", harness.Bearer(tokens[test.token])))
			if a.Status != test.status {
				t.Fatalf("got %d, want %d; the log says %q", a.Status, test.status, s.LastReason())
			}
			if test.status == 401 {
				if got := s.LastReason(); got != test.reason {
					t.Errorf("the log says %q, want %q", got, test.reason)
				}
				harness.WantSameOutward(t, a, s.Do(s.Request("GET", "/", "", harness.Bearer("garbage"))))
				return
			}
			switch test.token {
			case "narrowed":
				app.One(t).WantIdentity(t, "X-Scope", "read") // not what the token says
			case "renamed":
				app.One(t).WantIdentity(t, "X-Name", "renamed-now") // the old name may be another user's
			}
		})
	}

	t.Run("a file that is broken changes nothing", func(t *testing.T) {
		s.Write("users.json", `{"users": [`)
		harness.Eventually(t, "the log tells of it", func() bool {
			return len(s.Logged(func(line map[string]any) bool { return line["level"] == "error" && line["logger"] == "grant.files" })) > 0
		})
		if status("kept") != 200 || status("removed") != 401 {
			t.Errorf("kept gets %d and removed %d", status("kept"), status("removed"))
		}
	})
	t.Run("who comes back as before is let in again", func(t *testing.T) {
		s.Write("users.json", `{"users": [`+user("kept", harness.HashCheap, "")+`,`+user("removed", harness.HashCheap, "")+`,`+user("changed", harness.HashCheap, "")+`]}`)
		harness.Eventually(t, "the file is read again", func() bool { return status("disabled") == 401 && status("removed") == 200 })
		if got := status("changed"); got != 200 {
			t.Errorf("a user whose old password is set again gets %d", got)
		}
	})
	t.Run("nothing of it is in the storage", func(t *testing.T) {
		entries, err := os.ReadDir(harness.StorageOf(s) + "/grant")
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 {
			t.Errorf("the storage has %v", entries)
		}
	})
}
