package caddygrant

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"

	"github.com/caddygrant/caddy-grant/directory"
)

const testHash = `$2a$04$zVHmKQtGGQob.b/Nc7l9NO8UlrYcW05FiuCj/SxsFO/ZtiN9.mNzy`

// newTestApp is the app of a config that is provisioned and never started.
func newTestApp(t *testing.T, dir string) (*App, caddy.Context) {
	t.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:      &caddy.AdminConfig{Disabled: true},
		StorageRaw: caddyconfig.JSONModuleObject(map[string]string{"root": filepath.Join(dir, "storage")}, "module", "file_system", nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App(appID)
	if err != nil {
		t.Fatal(err)
	}
	return app.(*App), ctx
}

// testConfig is a server with one client and the given user sources.
func testConfig(name string, sources ...json.RawMessage) Config {
	return Config{
		Name:       name,
		UsersRaw:   sources,
		ClientsRaw: []json.RawMessage{module(InlineClients{Clients: []directory.Client{{ID: "web", Public: true}}}, "inline")},
	}
}

func htpasswd(path string) json.RawMessage { return module(HtpasswdUsers{Path: path}, "htpasswd") }

func writeUsers(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("alice:"+testHash+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustJoin(t *testing.T, app *App, ctx caddy.Context, config Config) *Server {
	t.Helper()
	server, err := app.joinServer(ctx, config, "here")
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// followed is the source as what it follows.
func followed(t *testing.T, s *Server, i int) *HtpasswdUsers {
	t.Helper()
	source, ok := s.users.All()[i].(*HtpasswdUsers)
	if !ok {
		t.Fatalf("source %d is a %T", i, s.users.All()[i])
	}
	return source
}

func wantReferences(t *testing.T, what string, key any, want int) {
	t.Helper()
	if got, _ := processState.References(key); got != want {
		t.Errorf("%s: %d references, want %d", what, got, want)
	}
}

// From outside, two copies of a file look like one: only memory use tells them apart.
func TestServersShareOneCopyOfAFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	path := filepath.Join(dir, "users")
	writeUsers(t, path)

	app, ctx := newTestApp(t, dir)
	a := mustJoin(t, app, ctx, testConfig("a", htpasswd(path)))
	b := mustJoin(t, app, ctx, testConfig("b", htpasswd("./users"), htpasswd(path)))
	weak := testConfig("weak", htpasswd(path))
	weak.AllowWeakHashes = true
	c := mustJoin(t, app, ctx, weak)
	next, nextCtx := newTestApp(t, dir) // as at a reload: the old config is still there
	d := mustJoin(t, next, nextCtx, testConfig("a", htpasswd(path)))

	sources := []*HtpasswdUsers{followed(t, a, 0), followed(t, b, 0), followed(t, b, 1), followed(t, d, 0)}
	for i, source := range sources[1:] {
		if source.file != sources[0].file || named(t, source, "alice") != named(t, sources[0], "alice") {
			t.Errorf("source %d has a copy of its own", i+1)
		}
	}
	other := followed(t, c, 0)
	if other.file == sources[0].file {
		t.Error("a server that allows weak hashes shares with one that does not")
	}
	wantReferences(t, "the file", sources[0].key, 4)

	for i, source := range sources {
		for range 2 { // Caddy may clean up twice: once where provisioning failed, once at the end
			if err := source.Cleanup(); err != nil {
				t.Fatal(err)
			}
		}
		wantReferences(t, fmt.Sprintf("the file after %d were cleaned up", i+1), sources[0].key, len(sources)-1-i)
		if named(t, source, "alice") == nil {
			t.Error("a request that is under way finds no user after Cleanup")
		}
	}
	if err := other.Cleanup(); err != nil {
		t.Fatal(err)
	}
	wantReferences(t, "the other file", other.key, 0)
	for _, app := range []*App{app, next} {
		if err := app.Cleanup(); err != nil {
			t.Fatal(err)
		}
	}
}

// What was not taken is not given back: it may belong to another config.
func TestCleanupReleasesWhatWasTaken(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users")
	writeUsers(t, path)
	before, _ := processState.References(verifierKey{})

	running, ctx := newTestApp(t, dir)
	server := mustJoin(t, running, ctx, testConfig("a", htpasswd(path)))
	source := followed(t, server, 0)
	pooled := map[string]any{"the keys": server.keys.pooled.key, "the sessions": server.sessions.pooled.key, "the counts of failures": server.throttle.pooled.key}
	wantReferences(t, "the verifier", verifierKey{}, before+1)
	wantPooled := func(t *testing.T, want int) {
		t.Helper()
		for what, key := range pooled {
			wantReferences(t, what, key, want)
		}
	}
	wantPooled(t, 1)
	wantReferences(t, "the file", source.key, 1)

	for _, test := range []struct {
		name   string
		config Config
	}{
		{"a second source that is missing", testConfig("a", htpasswd(path), htpasswd(path+".missing"))},
		{"a key that is missing", func() Config {
			c := testConfig("a", htpasswd(path))
			c.SigningKeys = []SigningKey{{Algorithm: "RS256", File: path + ".missing"}}
			return c
		}()},
		{"a name that is none", testConfig("A!", htpasswd(path))},
	} {
		t.Run(test.name, func(t *testing.T) {
			failing, whole := newTestApp(t, dir)
			ctx, unload := caddy.NewContext(whole)
			if _, err := failing.joinServer(ctx, test.config, "here"); err == nil {
				t.Fatal("it joins")
			}
			unload() // as Caddy does, to clean up the sources
			// Open failed: this share was never taken
			never := &HtpasswdUsers{Path: path + ".missing"}
			if err := never.Open(directory.Options{}); err == nil {
				t.Fatal("it opens")
			}
			if err := never.Cleanup(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := failing.Cleanup(); err != nil {
					t.Fatal(err)
				}
			}
			wantReferences(t, "the verifier", verifierKey{}, before+1)
			wantPooled(t, 1)
			wantReferences(t, "the file", source.key, 1)
		})
	}

	t.Run("the running config gives back everything in the end", func(t *testing.T) {
		if err := source.Cleanup(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := running.Cleanup(); err != nil {
				t.Fatal(err)
			}
		}
		wantReferences(t, "the verifier", verifierKey{}, before)
		wantPooled(t, 0)
		wantReferences(t, "the file", source.key, 0)
	})
}

// One config has one server of a name, even if the endpoints do not know each other.
func TestEndpointsOfOneNameAreOneServer(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users")
	writeUsers(t, path)
	app, ctx := newTestApp(t, dir)
	first := mustJoin(t, app, ctx, testConfig("", htpasswd(path)))
	if again := mustJoin(t, app, ctx, testConfig("default", htpasswd(path))); again != first {
		t.Error("the default name is not \"default\"")
	}
	wantReferences(t, "the file", followed(t, first, 0).key, 1)
	other := testConfig("", htpasswd(path))
	other.Scopes = []string{}
	if _, err := app.joinServer(ctx, other, "here"); err == nil {
		t.Error("an empty list of scopes counts as none at all")
	}
	_ = followed(t, first, 0).Cleanup()
	_ = app.Cleanup()
}

// named is the user of that name in a source in memory.
func named(t *testing.T, source directory.Users, name string) *directory.User {
	t.Helper()
	user, err := source.ByUsername(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return user
}
