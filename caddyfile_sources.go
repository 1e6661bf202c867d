package caddygrant

import (
	"encoding/json"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// inlineSources gathers the users and clients of one token_endpoint: those in the config
// itself come first, then the files as they are written.
type inlineSources struct {
	users       []User
	clients     []Client
	userFiles   []json.RawMessage
	clientFiles []json.RawMessage
}

func (s *inlineSources) addTo(c *Config) {
	if len(s.users) > 0 {
		c.UsersRaw = append(c.UsersRaw, module(InlineUsers{Users: s.users}, "inline"))
	}
	c.UsersRaw = append(c.UsersRaw, s.userFiles...)
	if len(s.clients) > 0 {
		c.ClientsRaw = append(c.ClientsRaw, module(InlineClients{Clients: s.clients}, "inline"))
	}
	c.ClientsRaw = append(c.ClientsRaw, s.clientFiles...)
}

func parseUser(d *caddyfile.Dispenser, sources *inlineSources) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("user takes a username and the hash of a password: make one with \"caddy hash-password --algorithm argon2id\"")
	}
	user := User{Username: args[0], PasswordHash: args[1]}
	if slices.ContainsFunc(sources.users, func(u User) bool { return u.Username == user.Username }) {
		return d.Errf("user %q is there twice", user.Username)
	}
	seen := make(once)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "claim" {
			if err := seen.first(d); err != nil {
				return err
			}
		}
		var err error
		switch d.Val() {
		case "id":
			user.ID, err = oneArg(d)
		case "scopes":
			user.Scopes, err = scopeArgs(d)
		case "claim":
			err = parseClaim(d, &user)
		case "disabled":
			user.Disabled, err = flagArg(d)
		default:
			err = d.Errf("unrecognized subdirective %s", d.Val())
		}
		if err != nil {
			return err
		}
	}
	if err := user.validate(); err != nil {
		return d.Errf("user %q: %v", user.Username, err)
	}
	sources.users = append(sources.users, user)
	return nil
}

func parseClaim(d *caddyfile.Dispenser, user *User) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("claim takes a name and a value")
	}
	if _, there := user.Claims[args[0]]; there {
		return d.Errf("claim %q is there twice", args[0])
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

func parseUsers(d *caddyfile.Dispenser, sources *inlineSources) error {
	format, path, err := fileArgs(d)
	if err != nil {
		return err
	}
	if format == "htpasswd" {
		sources.userFiles = append(sources.userFiles, module(HtpasswdUsers{Path: path}, format))
	} else {
		sources.userFiles = append(sources.userFiles, module(JSONUsers{Path: path}, format))
	}
	return nil
}

func parseClients(d *caddyfile.Dispenser, sources *inlineSources) error {
	format, path, err := fileArgs(d)
	if err != nil {
		return err
	}
	if format == "htpasswd" {
		sources.clientFiles = append(sources.clientFiles, module(HtpasswdClients{Path: path}, format))
	} else {
		sources.clientFiles = append(sources.clientFiles, module(JSONClients{Path: path}, format))
	}
	return nil
}

func fileArgs(d *caddyfile.Dispenser) (format, path string, err error) {
	setting := d.Val()
	args := d.RemainingArgs()
	if len(args) != 2 || args[0] != "htpasswd" && args[0] != "json" || args[1] == "" {
		return "", "", d.Errf("%s takes the format of a file, htpasswd or json, and its path", setting)
	}
	return args[0], args[1], nil
}

func parseClient(d *caddyfile.Dispenser, sources *inlineSources) error {
	id, err := oneArg(d)
	if err != nil {
		return d.Err("client takes the client's id")
	}
	client := Client{ID: id}
	if slices.ContainsFunc(sources.clients, func(c Client) bool { return c.ID == id }) {
		return d.Errf("client %q is there twice", id)
	}
	seen := make(once)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.first(d); err != nil {
			return err
		}
		switch d.Val() {
		case "secret":
			client.Secret, err = oneArg(d)
		case "secret_hash":
			client.SecretHash, err = oneArg(d)
		case "public":
			client.Public, err = flagArg(d)
		case "scopes":
			client.Scopes, err = scopeArgs(d)
		case "default_scopes":
			client.DefaultScopes, err = scopeArgs(d)
		case "grants":
			client.Grants, err = someArgs(d)
		case "audience":
			client.Audience, err = someArgs(d)
		case "access_token_ttl":
			client.AccessTokenTTL, err = ttlArg(d)
		default:
			err = d.Errf("unrecognized subdirective %s", d.Val())
		}
		if err != nil {
			return err
		}
	}
	if err := client.validate(); err != nil {
		return d.Errf("client %q: %v", id, err)
	}
	sources.clients = append(sources.clients, client)
	return nil
}
