package caddygrant

import (
	"errors"
	"fmt"
	"iter"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/setting"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

func init() {
	caddy.RegisterModule(InlineClients{})
	caddy.RegisterModule(HtpasswdClients{})
	caddy.RegisterModule(JSONClients{})
}

// InlineClients are clients in the config itself.
type InlineClients struct {
	// The clients. Placeholders in ids, secrets, scopes and audiences are replaced at
	// start, never in hashes. Required.
	Clients []directory.Client `json:"clients,omitempty"`

	*directory.ClientSet
	aroundSecrets map[string][]string // by client id: what is warned of
}

// CaddyModule returns the Caddy module information.
func (InlineClients) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.clients.inline",
		New: func() caddy.Module { return new(InlineClients) },
	}
}

// Open checks the clients.
func (s *InlineClients) Open(options directory.SourceOptions) error {
	if len(s.Clients) == 0 {
		return errors.New("clients in the config: there are none")
	}
	repl := caddy.NewReplacer()
	s.ClientSet = directory.NewClientSet(options)
	s.aroundSecrets = make(map[string][]string)
	for i, client := range s.Clients {
		given := client.Secret
		err := resolveClient(&client, repl)
		if err == nil {
			s.aroundSecrets[client.ID] = setting.AroundSecret(given, client.Secret)
			err = s.Add(&client, i+1)
		}
		if err != nil {
			return fmt.Errorf("client %d %s: %w", i+1, directory.Shown(client.ID), err)
		}
	}
	return nil
}

// String names the source.
func (*InlineClients) String() string { return "clients in the config" }

// resolveClient replaces placeholders in all but the hash.
func resolveClient(c *directory.Client, repl *caddy.Replacer) error {
	var err error
	if c.ID, err = setting.Resolve(repl, "client id", c.ID); err != nil {
		return err
	}
	if c.Secret, err = setting.ResolveSecret(repl, "secret", c.Secret); err != nil {
		return err
	}
	if c.Scopes, err = setting.ResolveList(repl, "scopes", c.Scopes); err != nil {
		return err
	}
	if c.DefaultScopes, err = setting.ResolveList(repl, "default_scopes", c.DefaultScopes); err != nil {
		return err
	}
	if c.Audience, err = setting.ResolveList(repl, "audience", c.Audience); err != nil {
		return err
	}
	c.Introspect, err = setting.ResolveList(repl, "introspect", c.Introspect)
	return err
}

// HtpasswdClients are clients in a file of Apache's htpasswd format: a line
// `id:hash of the secret` each. The file is followed without a reload.
type HtpasswdClients struct {
	// The path of the file. Placeholders are replaced at start. Required.
	Path string `json:"path,omitempty"`

	clientFile
}

// CaddyModule returns the Caddy module information.
func (HtpasswdClients) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.clients.htpasswd",
		New: func() caddy.Module { return new(HtpasswdClients) },
	}
}

// Open reads the file, or joins those that follow it already.
func (s *HtpasswdClients) Open(options directory.SourceOptions) error {
	return s.open(s.Path, "clients", "htpasswd", options, func(data []byte) (*directory.ClientSet, error) {
		set := directory.NewClientSet(options)
		err := userfile.Htpasswd(data, func(line int, id, hash string) error {
			return set.Add(&directory.Client{ID: id, SecretHash: hash}, line)
		})
		return set, err
	})
}

// JSONClients are clients in a JSON file: `{"clients":[{"id":…,"secret_hash":…}]}`, with
// the members of a client in the config except `secret`. The file may also hold `users`.
// It is followed without a reload.
type JSONClients struct {
	// The path of the file. Placeholders are replaced at start. Required.
	Path string `json:"path,omitempty"`

	clientFile
}

// CaddyModule returns the Caddy module information.
func (JSONClients) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.clients.json",
		New: func() caddy.Module { return new(JSONClients) },
	}
}

// Open reads the file, or joins those that follow it already.
func (s *JSONClients) Open(options directory.SourceOptions) error {
	return s.open(s.Path, "clients", "json", options, func(data []byte) (*directory.ClientSet, error) {
		set := directory.NewClientSet(options)
		err := userfile.List(data, "clients", func(c *directory.Client) string { return c.ID }, func(line int, c *directory.Client) error {
			if c.Secret != "" {
				return errPlainSecret
			}
			return set.Add(c, line)
		})
		return set, err
	})
}

// clientFile looks clients up in the version of a file that is in force.
type clientFile struct {
	followedFile[*directory.ClientSet]
}

// ByID returns the client with that id, or nil.
func (f *clientFile) ByID(id string) *directory.Client { return f.current().ByID(id) }

// All goes through all clients in the order of the file.
func (f *clientFile) All() iter.Seq[*directory.Client] { return f.current().All() }

// Hashes counts the confidential clients by what checking their secrets costs.
func (f *clientFile) Hashes() *password.Mix { return f.current().Hashes() }

var errPlainSecret = errors.New("secret: a file holds no secrets in plaintext, write secret_hash with the output of \"caddy hash-password\"")

// Interface guards
var (
	_ directory.ClientSource = (*InlineClients)(nil)
	_ directory.ClientSource = (*HtpasswdClients)(nil)
	_ directory.ClientSource = (*JSONClients)(nil)
	_ caddy.CleanerUpper     = (*HtpasswdClients)(nil)
	_ caddy.CleanerUpper     = (*JSONClients)(nil)
)
