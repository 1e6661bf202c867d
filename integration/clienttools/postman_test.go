package clienttools

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

const collection = "examples/postman/caddy-grant.postman_collection.json"

// The collection runs from the login to the logout, each request with the tokens of the
// one before.
func TestNewmanRunsTheCollection(t *testing.T) {
	need(t, "node", "npm")
	s := startSite(t, long)
	bin := filepath.Join(npm(t), "node_modules", ".bin")
	run := func(typing string) (string, error) {
		t.Helper()
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, filepath.Dir(collection)), os.DirFS(repo.Path(filepath.Dir(collection)))); err != nil {
			t.Fatal(err)
		}
		values := []map[string]any{}
		for key, value := range map[string]string{
			"origin": origin(s), "path": "/contacts", "client_id": "web", "client_secret": "web-secret",
			"username": "alice", "password": typing,
		} {
			values = append(values, map[string]any{"key": key, "value": value, "enabled": true})
		}
		environment, err := json.Marshal(map[string]any{"name": "edge", "values": values})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "edge.postman_environment.json"), environment, 0o600); err != nil {
			t.Fatal(err)
		}
		path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
		printed, err := command(t, dir, []string{path, "NO_COLOR=1"}, "sh", "-eu", "-c", recipe(t, "newman-run"))
		if strings.Contains(printed, typing) || strings.Contains(printed, "web-secret") {
			t.Errorf("it prints a secret:\n%s", printed)
		}
		return printed, err
	}
	printed, err := run(password)
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	for _, done := range []string{"tokens", "the app answers", "keys", "logged out"} {
		if !strings.Contains(printed, done) {
			t.Errorf("nothing says %q:\n%s", done, printed)
		}
	}
	if refused := s.Refusals(); len(refused) > 0 {
		t.Errorf("on the way it was refused: %v", refused)
	}
	if printed, err := run(harness.WrongPassword()); err == nil || !strings.Contains(printed, "the username or password is wrong") {
		t.Errorf("after a wrong password: %v: %s", err, printed)
	}
	if printed, err := run(password); err == nil || !regexp.MustCompile(`wait for 3[56][0-9]{2} seconds`).MatchString(printed) {
		t.Errorf("told to wait: %v: %s", err, printed)
	}
}

// The page says what has to be set, and the collection keeps no secret.
func TestCollectionIsWhatThePageSays(t *testing.T) {
	content := repo.Read(t, collection)
	var set struct {
		Item     []struct{ Name string }
		Variable []struct{ Key, Value string }
	}
	if err := json.Unmarshal([]byte(content), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Item) != 5 {
		t.Errorf("%d requests, and the page says five", len(set.Item))
	}
	for _, variable := range set.Variable {
		if !slices.Contains([]string{"origin", "path"}, variable.Key) {
			t.Errorf("the collection has a value for %s", variable.Key)
		}
	}
	page := repo.Read(t, "docs/clients.md")
	for _, used := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(content, -1) {
		if name := used[1]; !strings.HasSuffix(name, "_token") && !strings.Contains(page, "`"+name+"`") {
			t.Errorf("the page does not name %s", name)
		}
	}
}
