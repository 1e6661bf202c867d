package caddygrant

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/caddyargs"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/setting"
)

// endpointSources gathers the users and clients of one token_endpoint: those in the
// config itself come first, then the other sources as they are written.
type endpointSources struct {
	users       []directory.User
	clients     []directory.Client
	moreUsers   []json.RawMessage
	moreClients []json.RawMessage
	hashes      []inlineHash
}

// inlineHash is a hash to check once the whole block is read: allow_weak_hashes may
// come last.
type inlineHash struct {
	owner, hash, definedAt string
	parse                  func(encoded string, allowWeak bool) (password.Hash, error)
}

func (s *endpointSources) checkHashes(allowWeak bool) error {
	for _, h := range s.hashes {
		if _, err := h.parse(h.hash, allowWeak); err != nil {
			return fmt.Errorf("%s: %w, at %s", h.owner, err, h.definedAt)
		}
	}
	return nil
}

// addHash notes the hash of the subdirective at the current line of d, and what reads it.
func (s *endpointSources) addHash(d *caddyfile.Dispenser, owner, hash string, parse func(string, bool) (password.Hash, error)) {
	s.hashes = append(s.hashes, inlineHash{owner, hash, fmt.Sprintf("%s:%d", d.File(), d.Line()), parse})
}

func (s *endpointSources) addTo(c *Config) {
	if len(s.users) > 0 {
		c.UsersRaw = append(c.UsersRaw, module(InlineUsers{Users: s.users}, "inline"))
	}
	c.UsersRaw = append(c.UsersRaw, s.moreUsers...)
	if len(s.clients) > 0 {
		c.ClientsRaw = append(c.ClientsRaw, module(InlineClients{Clients: s.clients}, "inline"))
	}
	c.ClientsRaw = append(c.ClientsRaw, s.moreClients...)
}

// mayLackUsers tells whether a config may do without users. Only a start shows what files
// of clients say.
func (s *endpointSources) mayLackUsers(c *Config) bool {
	acts := func(client directory.Client) bool {
		return slices.Contains(client.Grants, oauth.GrantTypeClientCredentials)
	}
	return c.needsNoUsers() && (len(s.moreClients) > 0 || len(c.APIKeys) > 0 || slices.ContainsFunc(s.clients, acts))
}

func parseUser(d *caddyfile.Dispenser, sources *endpointSources) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("user takes a username and the hash of a password, nothing else: make a hash with \"caddy hash-password --algorithm argon2id\"")
	}
	if args[0] == "htpasswd" || args[0] == "json" {
		return d.Errf("did you mean users %s %s? \"user\" is one user, with a hash", args[0], directory.Shown(args[1]))
	}
	user := directory.User{Username: args[0], PasswordHash: args[1]}
	if slices.ContainsFunc(sources.users, func(u directory.User) bool { return u.Username == user.Username }) {
		return d.Errf("duplicate user %s", directory.Shown(user.Username))
	}
	sources.addHash(d, "user "+directory.Shown(user.Username), user.PasswordHash, password.Parse)
	settings := caddyargs.NewBlock("user")
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := settings.Enter(d, "claim"); err != nil {
			return err
		}
		var err error
		switch d.Val() {
		case "id":
			user.ID, err = caddyargs.One(d)
		case "scopes":
			user.Scopes, err = caddyargs.Scopes(d, "all that the client may ask for")
		case "claim":
			err = parseClaim(d, &user)
		case "disabled":
			user.Disabled, err = caddyargs.Flag(d)
		default:
			err = settings.Unrecognized(d)
		}
		if err != nil {
			return err
		}
	}
	if err := user.Validate(); err != nil {
		return d.Errf("user %s: %v", directory.Shown(user.Username), err)
	}
	if i := slices.IndexFunc(sources.users, func(u directory.User) bool { return u.Subject() == user.Subject() }); i >= 0 {
		return d.Errf("user %s has the id of user %s; a user without an id has the username as id", directory.Shown(user.Username), directory.Shown(sources.users[i].Username))
	}
	sources.users = append(sources.users, user)
	return nil
}

func parseClaim(d *caddyfile.Dispenser, user *directory.User) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("claim takes a name and one value; lists and numbers go into a users file: \"users json <path>\"")
	}
	if _, there := user.Claims[args[0]]; there {
		return d.Errf("duplicate claim %q", args[0])
	}
	value, err := json.Marshal(args[1])
	if err != nil {
		return d.WrapErr(err)
	}
	if user.Claims == nil {
		user.Claims = make(map[string]json.RawMessage)
	}
	user.Claims[args[0]] = value
	return nil
}

// parseUsers reads "users <name> …": a file in one of the built-in formats, or a source
// of another module, which reads the rest of the line and its block.
func parseUsers(d *caddyfile.Dispenser, sources *endpointSources) error {
	if source, err := guestSource(d, usersNamespace); source != nil || err != nil {
		sources.moreUsers = append(sources.moreUsers, source)
		return err
	}
	format, path, err := fileArgs(d, usersNamespace)
	if err != nil {
		return err
	}
	if format == "htpasswd" {
		sources.moreUsers = append(sources.moreUsers, module(HtpasswdUsers{Path: path}, format))
	} else {
		sources.moreUsers = append(sources.moreUsers, module(JSONUsers{Path: path}, format))
	}
	return nil
}

// parseClients reads "clients <name> …" in the same way.
func parseClients(d *caddyfile.Dispenser, sources *endpointSources) error {
	if source, err := guestSource(d, clientsNamespace); source != nil || err != nil {
		sources.moreClients = append(sources.moreClients, source)
		return err
	}
	format, path, err := fileArgs(d, clientsNamespace)
	if err != nil {
		return err
	}
	if format == "htpasswd" {
		sources.moreClients = append(sources.moreClients, module(HtpasswdClients{Path: path}, format))
	} else {
		sources.moreClients = append(sources.moreClients, module(JSONClients{Path: path}, format))
	}
	return nil
}

// guestSource reads a source of another module. It is nil if the line names none.
func guestSource(d *caddyfile.Dispenser, namespace string) (json.RawMessage, error) {
	line := *d
	if !line.NextArg() || !slices.Contains(guestSources(namespace), line.Val()) {
		return nil, nil
	}
	d.NextArg()
	name := d.Val()
	source, err := caddyfile.UnmarshalModule(d, namespace+"."+name)
	if err != nil {
		return nil, err
	}
	return module(source, name), nil
}

// guestSources are the names of the sources of other modules that are compiled in.
func guestSources(namespace string) (names []string) {
	for _, info := range caddy.GetModules(namespace) {
		if name := info.ID.Name(); !slices.Contains(builtInSources, name) {
			names = append(names, name)
		}
	}
	return names
}

func fileArgs(d *caddyfile.Dispenser, namespace string) (format, path string, err error) {
	setting := d.Val()
	args := d.RemainingArgs()
	if len(args) != 2 || args[0] != "htpasswd" && args[0] != "json" || args[1] == "" {
		var others string
		for _, name := range guestSources(namespace) {
			others += fmt.Sprintf(", or \"%s %s\"", setting, name)
		}
		return "", "", d.Errf("%[1]s takes the format of a file and its path: \"%[1]s htpasswd <path>\" or \"%[1]s json <path>\"%[2]s", setting, others)
	}
	return args[0], args[1], nil
}

func parseClient(d *caddyfile.Dispenser, sources *endpointSources) error {
	id, err := caddyargs.One(d)
	if err != nil {
		return d.Err("client takes the client's id and then a block with its secret, secret_hash or public")
	}
	client := directory.Client{ID: id}
	if slices.ContainsFunc(sources.clients, func(c directory.Client) bool { return c.ID == id }) {
		return d.Errf("duplicate client %s", directory.Shown(id))
	}
	settings := caddyargs.NewBlock("client")
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := settings.Enter(d); err != nil {
			return err
		}
		switch d.Val() {
		case "secret":
			if client.Secret, err = caddyargs.One(d); err == nil {
				if err := setting.CheckLiteralSecret("secret", client.Secret); err != nil {
					return d.Errf("client %s: %v", directory.Shown(id), err)
				}
			}
		case "secret_hash":
			if client.SecretHash, err = caddyargs.One(d); err == nil {
				sources.addHash(d, "client "+directory.Shown(id), client.SecretHash, password.ParseSecret)
			}
		case "public":
			client.Public, err = caddyargs.Flag(d)
		case "scopes":
			client.Scopes, err = caddyargs.Scopes(d, "those of the server")
		case "default_scopes":
			client.DefaultScopes, err = caddyargs.Scopes(d, "all that the client may ask for")
		case "grants":
			client.Grants, err = caddyargs.Grants(d, "all grants that the server offers, client_credentials aside")
		case "audience":
			client.Audience, err = caddyargs.List(d, "those of the server")
		case "access_token_ttl":
			client.AccessTokenTTL, err = caddyargs.Lifetime(d)
		case "refresh_token_ttl":
			client.RefreshTokenTTL, err = caddyargs.Lifetime(d)
		case "introspect":
			client.Introspect, err = caddyargs.List(d, "the client's own tokens only")
		case "end_user_ip":
			client.EndUserIP, err = caddyargs.One(d)
		case "deprecation":
			client.Deprecation, err = caddyargs.One(d)
		case "deprecation_link":
			client.DeprecationLink, err = caddyargs.One(d)
		case "sunset":
			client.Sunset, err = caddyargs.One(d)
		default:
			err = settings.Unrecognized(d)
		}
		if err != nil {
			return err
		}
	}
	if err := client.Validate(directory.Options{GrantTypes: grantTypeNames()}); err != nil {
		return d.Errf("client %s: %v", directory.Shown(id), err)
	}
	sources.clients = append(sources.clients, client)
	return nil
}

// module encodes a guest module of a list.
func module(source any, name string) json.RawMessage {
	return caddyconfig.JSONModuleObject(source, "source", name, nil)
}

const (
	usersNamespace   = "grant.users"
	clientsNamespace = "grant.clients"
)

// parseAPIKeys parses a file of API keys.
func parseAPIKeys(d *caddyfile.Dispenser, c *Config) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("api_keys takes a format and the path of a file: \"api_keys json <path>\" or \"api_keys lines <path>\"")
	}
	file := APIKeyFile{Source: args[0], Path: args[1]}
	c.APIKeys = append(c.APIKeys, file)
	return caddyargs.Wrap(d, file.validate())
}
