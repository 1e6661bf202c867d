package caddygrant

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/keyring"
)

func init() {
	httpcaddyfile.RegisterDirective("token_endpoint", parseTokenEndpoint)
	// after the checks and rate limits of a site, before whatever answers for the app
	httpcaddyfile.RegisterDirectiveOrder("token_endpoint", httpcaddyfile.After, "basic_auth")
}

// parseTokenEndpoint sets up an authorization server from Caddyfile tokens. Syntax:
//
//	token_endpoint [<path>] {
//		name             <name>
//		issuer           <url>
//		audience         <audiences...>
//		scopes           <scopes...>
//		access_token_ttl <duration>
//		typ              JWT|at+jwt
//		leeway           <duration>
//		signing_key      <algorithm> [<secret> | file <path>]
//		rotate_every     <duration>|off
//		user <username> <hash> {
//			id       <subject>
//			scopes   <scopes...>
//			claim    <name> <value>
//			disabled
//		}
//		users   htpasswd|json <path>
//		client <id> {
//			secret           <secret>
//			secret_hash      <hash>
//			public
//			scopes           <scopes...>
//			default_scopes   <scopes...>
//			grants           <grant_types...>
//			audience         <audiences...>
//			access_token_ttl <duration>
//		}
//		clients htpasswd|json <path>
//		password_checks {
//			concurrency <n>
//			queue       <n>
//			wait        <duration>
//		}
//		allow_weak_hashes
//		allow_http
//		log_usernames
//	}
func parseTokenEndpoint(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // the directive
	place := fmt.Sprintf("%s:%d", h.File(), h.Line())
	handler := new(Handler)
	if h.NextArg() {
		if err := parsePath(h.Dispenser, handler); err != nil {
			return nil, err
		}
	}
	var sources inlineSources
	seen := make(once)
	for nesting := h.Nesting(); h.NextBlock(nesting); {
		if err := parseEndpointSetting(h.Dispenser, handler, &sources, seen); err != nil {
			return nil, err
		}
	}
	sources.addTo(&handler.Config)

	if len(handler.ClientsRaw) == 0 {
		return nil, h.Err(errNoClients.Error())
	}
	if len(handler.UsersRaw) == 0 {
		return nil, h.Err(errNoUsers.Error())
	}
	if err := checkName(h, handler.Config, place); err != nil {
		return nil, err
	}
	return h.NewRoute(namedRouteMatcher(h), handler), nil
}

// parsePath takes the directive's argument. Matchers are refused, since the endpoint goes
// by its own paths and a matcher would only hide some of them.
func parsePath(d *caddyfile.Dispenser, handler *Handler) error {
	path := d.Val()
	if path == "*" || strings.HasPrefix(path, "@") {
		return d.Errf("token_endpoint takes a path such as /token, not the matcher %s: to serve the endpoint for some requests only, put it inside \"handle %s { ... }\"", path, path)
	}
	if err := validatePath(path); err != nil {
		return d.WrapErr(err)
	}
	handler.Path = path
	if d.NextArg() {
		return d.Errf("token_endpoint takes one path, and %s is one too many", d.Val())
	}
	return nil
}

// parseEndpointSetting parses one subdirective of token_endpoint.
func parseEndpointSetting(d *caddyfile.Dispenser, handler *Handler, sources *inlineSources, seen once) error {
	setting := d.Val()
	if !slices.Contains(repeatableSettings, setting) {
		if err := seen.first(d); err != nil {
			return err
		}
	}
	c := &handler.Config
	var err error
	switch setting {
	case "name":
		if c.Name, err = oneArg(d); err == nil && !validName.MatchString(c.Name) {
			err = d.Errf("name %q: it must be 1 to 32 of the characters a-z, 0-9, _ and -", c.Name)
		}
	case "issuer":
		if c.Issuer, err = oneArg(d); err == nil && !strings.Contains(c.Issuer, "{") {
			err = wrap(d, validateIssuer(c.Issuer))
		}
	case "audience":
		c.Audience, err = someArgs(d)
	case "scopes":
		c.Scopes, err = scopeArgs(d)
	case "access_token_ttl":
		c.AccessTokenTTL, err = ttlArg(d)
	case "leeway":
		c.Leeway, err = leewayArg(d)
	case "typ":
		c.Typ, err = oneArg(d)
		if err == nil && c.Typ != typJWT && c.Typ != typAccessToken {
			err = d.Errf("typ %q: it must be %s or %s", c.Typ, typJWT, typAccessToken)
		}
	case "signing_key":
		err = parseSigningKey(d, c)
	case "rotate_every":
		c.RotateEvery, err = rotationArg(d)
	case "user":
		err = parseUser(d, sources)
	case "users":
		err = parseUsers(d, sources)
	case "client":
		err = parseClient(d, sources)
	case "clients":
		err = parseClients(d, sources)
	case "password_checks":
		err = parsePasswordChecks(d, c)
	case "allow_weak_hashes":
		c.AllowWeakHashes, err = flagArg(d)
	case "allow_http":
		handler.AllowHTTP, err = flagArg(d)
	case "log_usernames":
		c.LogUsernames, err = flagArg(d)
	default:
		err = d.Errf("unrecognized subdirective %s", setting)
	}
	return err
}

var repeatableSettings = []string{"signing_key", "user", "users", "client", "clients"}

func parseSigningKey(d *caddyfile.Dispenser, c *Config) error {
	args := d.RemainingArgs()
	var key SigningKey
	switch {
	case len(args) == 1:
	case len(args) == 2 && args[1] != "file":
		key.Secret = args[1]
	case len(args) == 3 && args[1] == "file":
		key.File = args[2]
	default:
		return d.Err("signing_key takes an algorithm and then a secret, \"file <path>\", or nothing to have a key generated")
	}
	key.Algorithm = args[0]
	algorithm, err := keyring.ParseAlgorithm(key.Algorithm)
	if err != nil {
		return d.WrapErr(err)
	}
	if err := key.fits(algorithm); err != nil {
		return d.Errf("signing_key: %v", err)
	}
	c.SigningKeys = append(c.SigningKeys, key)
	return nil
}

func parsePasswordChecks(d *caddyfile.Dispenser, c *Config) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	checks := new(PasswordChecks)
	seen := make(once)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.first(d); err != nil {
			return err
		}
		var err error
		switch d.Val() {
		case "concurrency":
			checks.Concurrency, err = countArg(d)
		case "queue":
			checks.Queue, err = countArg(d)
		case "wait":
			checks.Wait, err = durationArg(d)
		default:
			err = d.Errf("unrecognized subdirective %s", d.Val())
		}
		if err != nil {
			return err
		}
	}
	if *checks == (PasswordChecks{}) {
		return d.Err("password_checks needs a block with concurrency, queue or wait")
	}
	c.PasswordChecks = checks
	return wrap(d, checks.validate())
}

// checkName finds two servers of one name with different settings while the places of
// both are known. State is that of the Caddyfile, so the first one may be in another site.
func checkName(h httpcaddyfile.Helper, c Config, place string) error {
	if c.Name == "" {
		c.Name = defaultName
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		return h.WrapErr(err)
	}
	type server struct{ config, place string }
	key := "caddygrant.server." + c.Name
	if other, ok := h.State[key].(server); ok && other.config != string(encoded) {
		return h.Errf("two token endpoints named %q have different settings, here and at %s: give one of them a name of its own, or make their settings equal", c.Name, other.place)
	} else if !ok {
		h.State[key] = server{string(encoded), place}
	}
	return nil
}

// namedRouteMatcher is a matcher that matches everything, for named routes: the adapter
// keeps only the first handler of a named route whose handlers have no matcher.
func namedRouteMatcher(h httpcaddyfile.Helper) caddy.ModuleMap {
	if !h.IsNamedRoute() {
		return nil
	}
	return caddy.ModuleMap{"path": h.JSON(caddyhttp.MatchPath{"*"})}
}

// module encodes a guest module of a list.
func module(source any, name string) json.RawMessage {
	return caddyconfig.JSONModuleObject(source, "source", name, nil)
}
