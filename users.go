package caddygrant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/setting"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

func init() {
	caddy.RegisterModule(InlineUsers{})
	caddy.RegisterModule(HtpasswdUsers{})
	caddy.RegisterModule(JSONUsers{})
}

// loadUsers opens the sources of a config in order.
func loadUsers(ctx caddy.Context, c *Config, settings directory.Settings) (*directory.UserDirectory, error) {
	if len(c.UsersRaw) == 0 && !c.needsNoUsers() {
		return nil, errNoUsers
	}
	sources, err := openSources[directory.Users](ctx, c, "UsersRaw", "users", settings.Options)
	if err != nil {
		return nil, err
	}
	return directory.NewUserDirectory(sources, settings)
}

// openSources loads the sources of a config, of users or of clients, and opens those
// that implement [directory.Opener].
func openSources[T any](ctx caddy.Context, c *Config, field, what string, options directory.Options) ([]T, error) {
	modules, err := ctx.LoadModule(c, field)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", what, err)
	}
	var sources []T
	for _, module := range modules.([]any) {
		source, ok := module.(T)
		if !ok {
			return nil, fmt.Errorf("module %T in namespace grant.%s is not a %s source", module, what, strings.TrimSuffix(what, "s"))
		}
		if opener, ok := module.(directory.Opener); ok {
			if err := opener.Open(options); err != nil {
				return nil, ofSource(module, what, err)
			}
		}
		sources = append(sources, source)
	}
	return sources, nil
}

// ofSource names the source in an error of its Open, unless the error names it already,
// as errors of the built-in sources do.
func ofSource(source any, what string, err error) error {
	kind := fmt.Sprintf("%T", source)
	if module, ok := source.(caddy.Module); ok {
		kind = module.CaddyModule().ID.Name()
	}
	name := what + " " + kind
	if slices.Contains(builtInSources, kind) || strings.HasPrefix(err.Error(), name) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// builtInSources are the names of the sources of this module, of users and of clients.
var builtInSources = []string{"inline", "htpasswd", "json"}

// InlineUsers are users in the config itself.
type InlineUsers struct {
	// The users. Placeholders in usernames, ids, scopes and claims are replaced at
	// start, never in hashes. Required.
	Users []directory.User `json:"users,omitempty"`

	*directory.UserSet
}

// CaddyModule returns the Caddy module information.
func (InlineUsers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.users.inline",
		New: func() caddy.Module { return new(InlineUsers) },
	}
}

// Open checks the users.
func (s *InlineUsers) Open(options directory.Options) error {
	if len(s.Users) == 0 {
		return errors.New("users in the config: there are none")
	}
	repl := caddy.NewReplacer()
	s.UserSet = directory.NewUserSet(options)
	for i, user := range s.Users {
		err := resolveUser(&user, repl)
		if err == nil {
			err = s.Add(&user, i+1)
		}
		if err != nil {
			return fmt.Errorf("user %d %s: %w", i+1, directory.Shown(user.Username), err)
		}
	}
	return nil
}

// String names the source.
func (*InlineUsers) String() string { return "users in the config" }

// resolveUser replaces placeholders in all but the hash.
func resolveUser(u *directory.User, repl *caddy.Replacer) error {
	var err error
	if u.Username, err = setting.Resolve(repl, "username", u.Username); err != nil {
		return err
	}
	if u.ID, err = setting.Resolve(repl, "id", u.ID); err != nil {
		return err
	}
	if u.Scopes, err = setting.ResolveList(repl, "scopes", u.Scopes); err != nil {
		return err
	}
	claims := make(map[string]json.RawMessage, len(u.Claims))
	for name, value := range u.Claims {
		var text string
		if json.Unmarshal(value, &text) == nil {
			// braces that are not a placeholder belong to the text
			if text, err = repl.ReplaceOrErr(text, true, false); err != nil {
				return fmt.Errorf("claim %s: %w", name, err)
			}
			if value, err = json.Marshal(text); err != nil {
				return err
			}
		}
		claims[name] = value
	}
	u.Claims = claims
	return nil
}

// HtpasswdUsers are users in a file of Apache's htpasswd format: one `username:hash`
// per line. The file is followed without a reload.
type HtpasswdUsers struct {
	// The path of the file. Placeholders are replaced at start. Required.
	Path string `json:"path,omitempty"`

	userFile
}

// CaddyModule returns the Caddy module information.
func (HtpasswdUsers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.users.htpasswd",
		New: func() caddy.Module { return new(HtpasswdUsers) },
	}
}

// Open reads the file, or shares it with the sources that already follow it.
func (s *HtpasswdUsers) Open(options directory.Options) error {
	return s.open(s.Path, "users", "htpasswd", options, func(data []byte) (*directory.UserSet, error) {
		set := directory.NewUserSet(options)
		err := userfile.Htpasswd(data, func(line int, name, hash string) error {
			return set.Add(&directory.User{Username: name, PasswordHash: hash}, line)
		})
		var problems *userfile.Problems
		if errors.As(err, &problems) && problems.Several() && password.IsRefusal(err) {
			err = fmt.Errorf("%w; to start with the users whose hashes are accepted, run \"caddy grant user import <this file> --from htpasswd --file <new file>\"", err)
		}
		return set, err
	})
}

// JSONUsers are users in a JSON file: `{"users":[{"username":…,"password_hash":…}]}`,
// with the members of a user in the config. The file may also hold `clients`. It is
// followed without a reload.
type JSONUsers struct {
	// The path of the file. Placeholders are replaced at start. Required.
	Path string `json:"path,omitempty"`

	userFile
}

// CaddyModule returns the Caddy module information.
func (JSONUsers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "grant.users.json",
		New: func() caddy.Module { return new(JSONUsers) },
	}
}

// Open reads the file, or shares it with the sources that already follow it.
func (s *JSONUsers) Open(options directory.Options) error {
	return s.open(s.Path, "users", "json", options, func(data []byte) (*directory.UserSet, error) {
		set := directory.NewUserSet(options)
		err := userfile.List(data, "users", func(u *directory.User) string { return u.Username }, func(line int, u *directory.User) error { return set.Add(u, line) })
		return set, err
	})
}

// userFile looks users up in the active version of a file.
type userFile struct {
	followedFile[*directory.UserSet]
}

// ByUsername returns the user of that name, or nil.
func (f *userFile) ByUsername(ctx context.Context, name string) (*directory.User, error) {
	return f.Snapshot().ByUsername(ctx, name)
}

// BySubject returns the user with that subject, or nil.
func (f *userFile) BySubject(ctx context.Context, sub string) (*directory.User, error) {
	return f.Snapshot().BySubject(ctx, sub)
}

var errNoUsers = errors.New("no users: add \"users htpasswd <path>\", \"users json <path>\" or \"user <username> <hash>\" (a server without users needs a client with \"grants client_credentials\", and no other grant)")

// Interface guards
var (
	_ directory.UserSnapshot = (*InlineUsers)(nil)
	_ directory.UserSnapshot = (*HtpasswdUsers)(nil)
	_ directory.UserSnapshot = (*JSONUsers)(nil)
	_ directory.Opener       = (*InlineUsers)(nil)
	_ directory.Opener       = (*HtpasswdUsers)(nil)
	_ directory.Opener       = (*JSONUsers)(nil)
	_ caddy.CleanerUpper     = (*HtpasswdUsers)(nil)
	_ caddy.CleanerUpper     = (*JSONUsers)(nil)
)
