package caddygrant

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/directory/directorytest"
	"github.com/caddygrant/caddy-grant/internal/livefile"
)

// The suites wait for changes of files, at which this process looks more often than the
// product does.
func init() {
	livefile.Interval = 100 * time.Millisecond
	livefile.Rest = 50 * time.Millisecond
}

// builtIn is a source of this module.
type builtIn interface {
	directory.Opener
	caddy.Module
}

// opened opens a source until the test is over.
func opened(t *testing.T, source builtIn) {
	t.Helper()
	if err := source.Open(directory.Options{GrantTypes: grantTypeNames()}); err != nil {
		t.Fatal(err)
	}
	if c, ok := source.(caddy.CleanerUpper); ok {
		t.Cleanup(func() { _ = c.Cleanup() })
	}
}

// followedFor writes a file that a source follows, and waits for its Snapshot to
// change.
type followedFor[T comparable] struct {
	path    string
	current func() T
}

func (f *followedFor[T]) write(t *testing.T, content []byte) {
	t.Helper()
	before := f.current()
	if err := os.WriteFile(f.path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); f.current() == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the change of the file is not followed")
		}
	}
}

func TestSourcesOfUsersConform(t *testing.T) {
	t.Run("inline", func(t *testing.T) {
		directorytest.TestUsers(t, directorytest.Users{Source: func(t *testing.T, users ...directory.User) directory.Users {
			source := &InlineUsers{Users: users}
			opened(t, source)
			return source
		}})
	})
	htpasswd := func(_ *testing.T, users []directory.User) []byte {
		var lines strings.Builder
		for _, user := range users {
			lines.WriteString(user.Username + ":" + user.PasswordHash + "\n")
		}
		return []byte(lines.String())
	}
	t.Run("htpasswd", func(t *testing.T) {
		var file followedFor[*directory.UserSet]
		directorytest.TestUsers(t, directorytest.Users{
			Plain: true,
			Source: func(t *testing.T, users ...directory.User) directory.Users {
				source := &HtpasswdUsers{Path: writeFile(t, htpasswd(t, users))}
				opened(t, source)
				file = followedFor[*directory.UserSet]{source.Path, source.Snapshot}
				return source
			},
			Change: func(t *testing.T, users ...directory.User) { file.write(t, htpasswd(t, users)) },
		})
	})
	t.Run("json", func(t *testing.T) {
		var file followedFor[*directory.UserSet]
		encoded := func(t *testing.T, users []directory.User) []byte { return encodedJSON(t, "users", users) }
		directorytest.TestUsers(t, directorytest.Users{
			Source: func(t *testing.T, users ...directory.User) directory.Users {
				source := &JSONUsers{Path: writeFile(t, encoded(t, users))}
				opened(t, source)
				file = followedFor[*directory.UserSet]{source.Path, source.Snapshot}
				return source
			},
			Change: func(t *testing.T, users ...directory.User) { file.write(t, encoded(t, users)) },
		})
	})
}

func TestSourcesOfClientsConform(t *testing.T) {
	t.Run("inline", func(t *testing.T) {
		directorytest.TestClients(t, directorytest.Clients{Source: func(t *testing.T, clients ...directory.Client) directory.Clients {
			source := &InlineClients{Clients: clients}
			opened(t, source)
			return source
		}})
	})
	htpasswd := func(clients []directory.Client) []byte {
		var lines strings.Builder
		for _, client := range clients {
			lines.WriteString(client.ID + ":" + client.SecretHash + "\n")
		}
		return []byte(lines.String())
	}
	t.Run("htpasswd", func(t *testing.T) {
		var file followedFor[*directory.ClientSet]
		directorytest.TestClients(t, directorytest.Clients{
			Plain: true,
			Source: func(t *testing.T, clients ...directory.Client) directory.Clients {
				source := &HtpasswdClients{Path: writeFile(t, htpasswd(clients))}
				opened(t, source)
				file = followedFor[*directory.ClientSet]{source.Path, source.Snapshot}
				return source
			},
			Change: func(t *testing.T, clients ...directory.Client) { file.write(t, htpasswd(clients)) },
		})
	})
	t.Run("json", func(t *testing.T) {
		var file followedFor[*directory.ClientSet]
		directorytest.TestClients(t, directorytest.Clients{
			Source: func(t *testing.T, clients ...directory.Client) directory.Clients {
				source := &JSONClients{Path: writeFile(t, encodedJSON(t, "clients", clients))}
				opened(t, source)
				file = followedFor[*directory.ClientSet]{source.Path, source.Snapshot}
				return source
			},
			Change: func(t *testing.T, clients ...directory.Client) {
				file.write(t, encodedJSON(t, "clients", clients))
			},
		})
	})
}

func encodedJSON(t *testing.T, what string, list any) []byte {
	t.Helper()
	content, err := json.Marshal(map[string]any{what: list})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
