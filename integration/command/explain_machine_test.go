package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// machineSite has a client that gets tokens for itself, in a file.
const machineSite = `http://127.0.0.1:%PORT% {
	token_endpoint {
		users   json %DIR%/users.json
		clients json %DIR%/machines.json
		client web {
			secret web-secret
		}
	}
	bearer_auth
	respond "in"
}
`

// A token that a client got for itself is explained without a user.
func TestExplainTheTokenThatAClientGotForItself(t *testing.T) {
	s := harness.ApartIn(t, machineSite, func(s *harness.Site) {
		writeMachine(t, s, "backup-secret", "client_credentials")
		writeJSON(t, s, "users.json", map[string]any{"users": []explainUser{{Username: "alice", Hash: harness.HashCheap}}})
	})
	answer := s.Post("/token", s.As("backup").Form("grant_type", "client_credentials"))
	answer.Want(t, 200, "")
	raw := answer.Text(t, "access_token")
	admin := []string{"--address", s.Admin()}

	status, x := explainedBy(t, s, raw, admin...)
	var checks []string
	for _, check := range x.Checks {
		checks = append(checks, check.Check)
		if !check.Passed || strings.Contains(check.Found, "the user") || strings.Contains(check.Found, "password") {
			t.Errorf("it says %+v", check)
		}
	}
	if status != 0 || !x.Active || !slices.Contains(checks, "secret") || !slices.Contains(checks, "name") || slices.Contains(checks, "user") {
		t.Errorf("status %d, checks %v", status, checks)
	}

	for _, test := range []struct {
		check, says string
		change      func()
	}{
		{"secret", "the secret of the client \"backup\" was changed", func() { writeMachine(t, s, "another-secret", "client_credentials") }},
		{"client", "no longer has the grant client_credentials", func() { writeMachine(t, s, "backup-secret", "password") }},
		{"client", "the client \"backup\" is no longer in", func() { writeJSON(t, s, "machines.json", map[string]any{"clients": []string{}}) }},
		{"name", "a user has the id of the client \"backup\"", func() {
			writeMachine(t, s, "backup-secret", "client_credentials")
			writeJSON(t, s, "users.json", map[string]any{"users": []explainUser{{Username: "backup", Hash: harness.HashCheap}}})
		}},
	} {
		test.change()
		harness.Eventually(t, test.says, func() bool {
			_, x := explainedBy(t, s, raw, admin...)
			last := x.Checks[len(x.Checks)-1]
			return !x.Active && last.Check == test.check && strings.Contains(last.Found, test.says) && last.Remedy != ""
		})
	}
}

// writeMachine writes the file with that client.
func writeMachine(t *testing.T, s *harness.Site, secret string, grants ...string) {
	t.Helper()
	if machineHashes[secret] == "" {
		machineHashes[secret] = secretHash(t, secret)
	}
	writeJSON(t, s, "machines.json", map[string]any{"clients": []map[string]any{{"id": "backup", "secret_hash": machineHashes[secret], "grants": grants}}})
}

var machineHashes = make(map[string]string) // the same secret has the same hash
