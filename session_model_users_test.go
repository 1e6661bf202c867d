package caddygrant

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
)

func init() {
	caddy.RegisterModule(modelUsers{})
}

// modelUsers is a node's copy of the users of TestModelOfSessions, as a source. The test
// changes it, as an operator does who copies a file from node to node.
type modelUsers struct {
	Copy string `json:"copy"`

	version *atomic.Pointer[directory.UserSet]
}

func (modelUsers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "grant.users.model_test", New: func() caddy.Module { return new(modelUsers) }}
}

func (s *modelUsers) Open(directory.SourceOptions) error {
	version, ok := modelCopies.Load(s.Copy)
	if !ok {
		return errors.New("no such copy")
	}
	s.version = version.(*atomic.Pointer[directory.UserSet])
	return nil
}

func (s *modelUsers) ByUsername(username string) *directory.User {
	return s.version.Load().ByUsername(username)
}
func (s *modelUsers) BySubject(subject string) *directory.User {
	return s.version.Load().BySubject(subject)
}
func (s *modelUsers) All() iter.Seq[*directory.User] { return s.version.Load().All() }
func (s *modelUsers) Hashes() *password.Mix          { return s.version.Load().Hashes() }
func (s *modelUsers) String() string                 { return "users of the model test" }

var modelCopies sync.Map // name → *atomic.Pointer[userSet]

// modelUser is a user as the model knows it.
type modelUser struct {
	name     string
	id       string
	password int // which of several
	scopes   []string
	disabled bool
	gone     bool
}

func modelPassword(i int) string { return fmt.Sprintf("password-%d", i) }

// modelUserSet makes of the users what a source would have read. The hash is a weak one, to
// be quick; it changes with the password and comes back with it.
func modelUserSet(users []modelUser) (*directory.UserSet, error) {
	set := directory.NewUserSet(directory.SourceOptions{AllowWeakHashes: true})
	for _, u := range users {
		if u.gone {
			continue
		}
		sum := sha1.Sum([]byte(modelPassword(u.password)))
		err := set.Add(&directory.User{
			Username:     u.name,
			ID:           u.id,
			PasswordHash: "{SHA}" + base64.StdEncoding.EncodeToString(sum[:]),
			Scopes:       u.scopes,
			Disabled:     u.disabled,
		}, 0)
		if err != nil {
			return nil, err
		}
	}
	return set, nil
}

// narrowed is what is left of scopes for a user, and whether that is something.
func (u modelUser) narrowed(scopes []string) ([]string, bool) {
	if u.scopes == nil {
		return scopes, true
	}
	left := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !slices.Contains(u.scopes, s) })
	return left, len(left) > 0
}

// modelClient is a client as the model knows it. All of them may ask for their scopes.
type modelClient struct {
	id, secret string
	scopes     []string
	refreshes  bool
	sees       bool // may introspect all tokens, not just its own
}

var modelClients = []modelClient{
	{id: "web", secret: "web-secret", scopes: []string{"a", "b", "c"}, refreshes: true, sees: true},
	{id: "app", scopes: []string{"a", "b"}, refreshes: true},
	{id: "tool", secret: "tool-secret", scopes: []string{"a", "b", "c"}},
	{id: "device", secret: "device-secret", scopes: []string{"a", "c"}, refreshes: true},
}

// config is the client's part of the config.
func (c modelClient) config() directory.Client {
	client := directory.Client{ID: c.id, Secret: c.secret, Public: c.secret == ""}
	if !slices.Equal(c.scopes, modelScopes) {
		client.Scopes = c.scopes
	}
	if !c.refreshes {
		client.Grants = []string{oauth.GrantTypePassword}
	}
	if c.sees {
		client.Introspect = []string{modelAudience}
	}
	return client
}

var modelScopes = []string{"a", "b", "c"}

const modelAudience = "https://api.example.com"
