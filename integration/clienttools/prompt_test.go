package clienttools

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// The recipe logs in and calls the app, shows neither secret, and waits when it is told
// to.
func TestCurlLogsInAndWaits(t *testing.T) {
	need(t, "curl", "jq", "script")
	s := startSite(t, soon)
	short(t, "curl-login")
	login := func(t *testing.T) string { return atPrompt(t, s, "curl-login", password) }
	loginWorks(t, s, login)
	waits(t, s, login)
	refusedOnce(t, s, func(t *testing.T, wrong string) { atPrompt(t, s, "curl-login", wrong) })
}

// HTTPie does the same, but for waiting.
func TestHTTPieLogsIn(t *testing.T) {
	need(t, "http", "jq", "script")
	s := startSite(t, long)
	short(t, "httpie-login")
	loginWorks(t, s, func(t *testing.T) string { return atPrompt(t, s, "httpie-login", password) })
	refusedOnce(t, s, func(t *testing.T, wrong string) { atPrompt(t, s, "httpie-login", wrong) })
}

// atPrompt types the recipe at a terminal, after the one that asks for the password.
func atPrompt(t *testing.T, s *harness.Site, name, typing string) string {
	t.Helper()
	dir := secretsIn(t, "")
	script := recipe(t, "type-password") + recipe(t, name, "https://api.example.com", origin(s))
	shown, err := typed(t, dir, script, typing)
	if strings.Contains(shown, typing) || strings.Contains(shown, "web-secret") {
		t.Errorf("the terminal shows a secret:\n%s", shown)
	}
	file := filepath.Join(dir, "tokens.json")
	content, readError := os.ReadFile(file)
	if readError != nil {
		t.Fatalf("%v; %v: %s", readError, err, shown)
	}
	var answer map[string]any
	if err := json.Unmarshal(content, &answer); err != nil {
		t.Fatalf("%s: %v", content, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the tokens: %v, %v", info.Mode(), err)
	}
	if typing == password {
		if err != nil || answer["access_token"] == nil || answer["refresh_token"] == nil {
			t.Fatalf("%v: %s\n%s", err, shown, content)
		}
	} else if answer["error"] != "invalid_grant" {
		t.Errorf("after a wrong password the file has %s", content)
	}
	return shown
}

// loginWorks fails the test unless a tool gets a token and the app's answer by it.
func loginWorks(t *testing.T, s *harness.Site, login func(t *testing.T) string) {
	t.Helper()
	if printed := login(t); !strings.Contains(printed, "hello alice") {
		t.Fatalf("it printed %s", printed)
	}
	if refused := s.Refusals(); len(refused) > 0 {
		t.Errorf("on the way it was refused: %v", refused)
	}
}

// refusedOnce fails the test if a tool sends a wrong password more than once.
func refusedOnce(t *testing.T, s *harness.Site, login func(t *testing.T, wrong string)) {
	t.Helper()
	before := len(s.Refusals())
	login(t, harness.WrongPassword())
	tries := 0
	for _, refusal := range s.Refusals()[before:] {
		if refusal["grant_type"] == "password" {
			tries++
		}
	}
	if tries != 1 {
		t.Errorf("it sent a wrong password %d times", tries)
	}
}
