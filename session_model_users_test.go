package caddygrant

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

func init() {
	caddy.RegisterModule(modelUsers{})
}

// modelUsers is a node's copy of the users of TestModelOfSessions, as a source. The
// test changes it, as an operator does who copies a file from node to node.
type modelUsers struct {
	Copy string `json:"copy"`

	version *atomic.Pointer[directory.UserSet]
}

func (modelUsers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "grant.users.model_test", New: func() caddy.Module { return new(modelUsers) }}
}

func (s *modelUsers) Open(directory.Options) error {
	version, ok := modelCopies.Load(s.Copy)
	if !ok {
		return errors.New("no such copy")
	}
	s.version = version.(*atomic.Pointer[directory.UserSet])
	return nil
}

func (s *modelUsers) ByUsername(ctx context.Context, name string) (*directory.User, error) {
	return s.Snapshot().ByUsername(ctx, name)
}
func (s *modelUsers) BySubject(ctx context.Context, sub string) (*directory.User, error) {
	return s.Snapshot().BySubject(ctx, sub)
}
func (s *modelUsers) Snapshot() *directory.UserSet { return s.version.Load() }
func (s *modelUsers) String() string               { return "users of the model test" }

var modelCopies sync.Map // name → *atomic.Pointer[directory.UserSet]

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

// modelUserSet turns the users into what a source would have read. The hash is weak, to
// be fast; it changes with the password and changes back with it.
func modelUserSet(users []modelUser) (*directory.UserSet, error) {
	set := directory.NewUserSet(directory.Options{AllowWeakHashes: true})
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

// narrowed is what is left of scopes for a user, and whether anything is left.
func (u modelUser) narrowed(scopes []string) ([]string, bool) {
	if u.scopes == nil {
		return scopes, true
	}
	left := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !slices.Contains(u.scopes, s) })
	return left, len(left) > 0
}

// modelClient is a client as the model knows it. All of them may request their scopes.
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
