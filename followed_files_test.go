package caddygrant

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
)

func TestTheFilesOfAServerAreThoseThatItsSourcesFollow(t *testing.T) {
	dir := t.TempDir()
	users, both := filepath.Join(dir, "users"), filepath.Join(dir, "both.json")
	writeUsers(t, users)
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(both, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"users":[{"username":"bob","password_hash":"` + testHash + `"}],"clients":[{"id":"app","public":true}]}`)
	config := testConfig("files",
		module(InlineUsers{Users: []directory.User{{Username: "carol", PasswordHash: testHash}}}, "inline"),
		module(JSONUsers{Path: both}, "json"), htpasswd(users), htpasswd(users))
	config.ClientsRaw = append([]json.RawMessage{module(JSONClients{Path: both}, "json")}, config.ClientsRaw...)
	app, ctx := newTestApp(t, dir)
	defer app.Cleanup()
	server := mustJoin(t, app, ctx, config)
	defer leaveFiles(t, server)

	files := followedFiles(server.users, server.clients, nil)
	if len(files) != 3 {
		t.Fatalf("%d files", len(files))
	}
	for i, want := range []struct {
		path, reads string
	}{{both, "users"}, {users, "users"}, {both, "clients"}} {
		if f := files[i]; f.path != want.path || f.reads != want.reads || f.entries != 1 || f.Err != nil || f.LoadedAt.IsZero() {
			t.Errorf("file %d: %+v", i, f)
		}
	}

	loadedAt := files[0].LoadedAt
	write(`{"users":[{"username":"bob","password_hash":"` + testHash + `"},{"username":"dave","password_hash":"` + testHash + `"}],"clients":[]}`)
	for _, f := range files {
		if err := f.reload(t.Context()); err != nil {
			t.Error(err)
		}
	}
	files = followedFiles(server.users, server.clients, nil)
	if files[0].entries != 2 || files[2].entries != 0 || !files[0].LoadedAt.After(loadedAt) {
		t.Errorf("after a reload: %+v", files)
	}
	if user, err := server.users.BySubject(t.Context(), "dave"); user == nil || err != nil {
		t.Errorf("a new user is %v, %v", user, err)
	}

	write(`{"users":[{"username":"bob","password_hash":"plain"}]}`)
	if err := files[0].reload(t.Context()); err == nil || !strings.Contains(err.Error(), both) {
		t.Error(err)
	}
	if f := followedFiles(server.users, server.clients, nil)[0]; f.entries != 2 || f.Err == nil {
		t.Errorf("with a broken file: %+v", f)
	}
}

// leaveFiles ends the following of a server's files, as Caddy does at the end of a
// config.
func leaveFiles(t *testing.T, s *Server) {
	t.Helper()
	var sources []any
	for _, source := range s.users.All() {
		sources = append(sources, source)
	}
	for _, source := range s.clients.All() {
		sources = append(sources, source)
	}
	for _, source := range sources {
		if c, ok := source.(caddy.CleanerUpper); ok {
			if err := c.Cleanup(); err != nil {
				t.Error(err)
			}
		}
	}
}
