package caddygrant

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/setting"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

func init() {
	caddy.RegisterModule(InlineClients{})
	caddy.RegisterModule(HtpasswdClients{})
	caddy.RegisterModule(JSONClients{})
}

// loadClients opens the sources of a config in order.
func loadClients(ctx caddy.Context, c *Config, settings directory.Settings) (*directory.ClientDirectory, error) {
	if len(c.ClientsRaw) == 0 && c.LoginPage == nil && len(c.APIKeys) == 0 {
		return nil, errNoClients
	}
	sources, err := openSources[directory.Clients](ctx, c, "ClientsRaw", "clients", settings.Options)
	if err != nil {
		return nil, err
	}
	return directory.NewClientDirectory(sources, settings)
}

// checkDefaultClient refuses a default_client that is not a public client now. Files
// change later, so every request looks again.
func checkDefaultClient(ctx context.Context, logger *zap.Logger, clients *directory.ClientDirectory, id string) error {
	if id == "" {
		return nil
	}
	switch client, err := clients.ByID(ctx, id); {
	case err != nil: // a database that is down must not make a config fail
		logger.Warn("default_client could not be looked up", zap.String("client_id", id), zap.Error(err))
	case client == nil:
		return fmt.Errorf("default_client %q: there is no such client: add one, with \"client %s\" and \"public\" in its block, or correct the id", id, id)
	case !client.Public:
		return fmt.Errorf("default_client %q: this client has a secret, which requests without a client cannot know: name a public client", id)
	}
	return nil
}

// InlineClients are clients in the config itself.
type InlineClients struct {
	// The clients. Placeholders in ids, secrets, scopes and audiences are replaced at
	// start, never in hashes. Required.
	Clients []directory.Client `json:"clients,omitempty"`

	*directory.ClientSet
	aroundSecrets map[string][]string // by client id: what to warn about
}

// CaddyModule returns the Caddy module information.
func (InlineClients) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.clients.inline",
		New: func() caddy.Module { return new(InlineClients) },
	}
}

// Open checks the clients.
func (s *InlineClients) Open(options directory.Options) error {
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

// HtpasswdClients are clients in a file of Apache's htpasswd format: one `id:hash of
// the secret` per line. The file is followed without a reload.
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

// Open reads the file, or shares it with the sources that already follow it.
func (s *HtpasswdClients) Open(options directory.Options) error {
	return s.open(s.Path, "clients", "htpasswd", options, func(data []byte) (*directory.ClientSet, error) {
		set := directory.NewClientSet(options)
		err := userfile.Htpasswd(data, func(line int, id, hash string) error {
			return set.Add(&directory.Client{ID: id, SecretHash: hash}, line)
		})
		return set, err
	})
}

// JSONClients are clients in a JSON file: `{"clients":[{"id":…,"secret_hash":…}]}`,
// with the members of a client in the config except `secret`. The file may also hold
// `users`. It is followed without a reload.
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

// Open reads the file, or shares it with the sources that already follow it.
func (s *JSONClients) Open(options directory.Options) error {
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

// clientFile looks clients up in the active version of a file.
type clientFile struct {
	followedFile[*directory.ClientSet]
}

// ByID returns the client with that id, or nil.
func (f *clientFile) ByID(ctx context.Context, id string) (*directory.Client, error) {
	return f.Snapshot().ByID(ctx, id)
}

var errNoClients = errors.New("no clients: add \"client <id>\" with a block that holds \"secret {file./path/to/secret}\", or \"clients htpasswd <path>\" or \"clients json <path>\"; apps ask for tokens in the name of a client. If only people with browsers use the apps, \"login_page\" is enough, and if only scripts do, \"api_keys\" is")

var errPlainSecret = errors.New("secret: secrets in plaintext are not accepted in a file: write secret_hash with the output of \"caddy hash-password\"")

// Interface guards
var (
	_ directory.ClientSnapshot = (*InlineClients)(nil)
	_ directory.ClientSnapshot = (*HtpasswdClients)(nil)
	_ directory.ClientSnapshot = (*JSONClients)(nil)
	_ directory.Opener         = (*InlineClients)(nil)
	_ directory.Opener         = (*HtpasswdClients)(nil)
	_ directory.Opener         = (*JSONClients)(nil)
	_ caddy.CleanerUpper       = (*HtpasswdClients)(nil)
	_ caddy.CleanerUpper       = (*JSONClients)(nil)
)
