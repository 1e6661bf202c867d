package caddygrant

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/caddygrant/caddy-grant/internal/caddyargs"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/pathreading"
	"github.com/caddygrant/caddy-grant/internal/token"
)

func init() {
	httpcaddyfile.RegisterDirective("token_endpoint", parseTokenEndpoint)
	// after the checks and rate limits of a site, before whatever answers for the app
	httpcaddyfile.RegisterDirectiveOrder("token_endpoint", httpcaddyfile.After, "basic_auth")
}

// parseTokenEndpoint sets up an authorization server from Caddyfile tokens. Syntax:
//
//	token_endpoint [<path>] {
//		name              <name>
//		issuer            <url>
//		audience          <audiences...>
//		scopes            <scopes...>
//		grants            <grant_types...>
//		access_token_ttl  <duration>
//		refresh_token_ttl <duration>
//		session_ttl       <duration>
//		refresh_grace     <duration>
//		revocation_poll   <duration>
//		sessions          storage|<engine> ... {
//			also storage|<engine> ...
//		}
//		source_max_age    <duration>
//		typ               JWT|at+jwt
//		leeway            <duration>
//		signing_key       <algorithm> [<secret> | file <path>]
//		rotate_every      <duration>|off
//		user <username> <hash> {
//			id       <subject>
//			scopes   <scopes...>
//			claim    <name> <value>
//			disabled
//		}
//		users   htpasswd|json <path>   (or the name of a source of another module)
//		client <id> {
//			secret            <secret>
//			secret_hash       <hash>
//			public
//			scopes            <scopes...>
//			default_scopes    <scopes...>
//			grants            <grant_types...>
//			audience          <audiences...>
//			access_token_ttl  <duration>
//			refresh_token_ttl <duration>
//			introspect        <audiences...>
//			end_user_ip       <header>
//		}
//		clients htpasswd|json <path>
//		default_client <id>
//		api_keys json|lines <path>
//		login_page [<path>] {
//			title           <title>
//			template        <file>
//			scopes          <scopes...>
//			session_ttl     <duration>
//			idle_ttl        <duration>
//			remember        <duration>
//			cookie_domain   <domain>
//			cookie_name     <name>
//			after_logout    <path>
//			trusted_origins <origins...>
//		}
//		password_checks {
//			concurrency <n>
//			queue       <n>
//			wait        <duration>
//			cache       <duration>|off
//		}
//		throttle off|{
//			failures        <n>
//			delay           <min> <max>
//			account_ceiling <n>
//			ipv4_prefix     <bits>
//			ipv6_prefix     <bits>
//		}
//		allow_weak_hashes
//		allow_http
//		log_usernames
//	}
func parseTokenEndpoint(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // the directive
	handler := &Handler{DefinedAt: fmt.Sprintf("%s:%d", h.File(), h.Line())}
	if h.NextArg() {
		if err := parsePath(h.Dispenser, handler); err != nil {
			return nil, err
		}
	}
	var sources endpointSources
	settings := caddyargs.NewBlock("token_endpoint")
	for nesting := h.Nesting(); h.NextBlock(nesting); {
		if err := parseEndpointSetting(h.Dispenser, handler, &sources, settings); err != nil {
			return nil, err
		}
	}
	sources.addTo(&handler.Config)

	// back to the directive: the errors should name its line
	h.Reset()
	h.Next()
	if err := checkWhole(h, handler, &sources); err != nil {
		return nil, err
	}
	return h.NewRoute(namedRouteMatcher(h), handler), nil
}

// checkWhole finds errors that are not those of a single line of the block.
func checkWhole(h httpcaddyfile.Helper, handler *Handler, sources *endpointSources) error {
	switch {
	case len(handler.ClientsRaw) == 0 && handler.LoginPage == nil && len(handler.APIKeys) == 0:
		return h.Err(errNoClients.Error())
	case len(handler.UsersRaw) == 0 && !sources.mayLackUsers(&handler.Config):
		return h.Err(errNoUsers.Error())
	case handler.Typ == token.TypeAccessToken && handler.Issuer == "":
		return h.WrapErr(errNeedsIssuer)
	}
	if err := handler.checkPagePath(); err != nil {
		return h.WrapErr(err)
	}
	if err := sources.checkHashes(handler.AllowWeakHashes); err != nil {
		return err
	}
	return checkName(h, handler)
}

// parsePath takes the directive's argument. Matchers are refused, since the endpoint
// matches its own paths and a matcher would only hide some of them.
func parsePath(d *caddyfile.Dispenser, handler *Handler) error {
	path := d.Val()
	if path == "*" {
		return d.Err("token_endpoint takes a path such as /token, not the matcher *: leave it out, the endpoint answers at its own path only")
	}
	if strings.HasPrefix(path, "@") {
		return d.Errf("token_endpoint takes a path such as /token, not the matcher %s: to serve the endpoint for some requests only, put it inside \"handle %s { ... }\"", path, path)
	}
	if err := pathreading.ValidateLiteral(path); err != nil {
		return d.WrapErr(err)
	}
	handler.Path = path
	if d.NextArg() {
		return d.Errf("token_endpoint takes one path, and %s is one too many", d.Val())
	}
	return nil
}

// parseEndpointSetting parses one subdirective of token_endpoint.
func parseEndpointSetting(d *caddyfile.Dispenser, handler *Handler, sources *endpointSources, settings *caddyargs.Block) error {
	if err := settings.Enter(d, "signing_key", "user", "users", "client", "clients", "api_keys"); err != nil {
		return err
	}
	c := &handler.Config
	var err error
	switch d.Val() {
	case "name":
		if c.Name, err = caddyargs.One(d); err == nil && !validName.MatchString(c.Name) {
			err = d.Errf("name %q: it must be 1 to 32 of the characters a-z, 0-9, _ and -", c.Name)
		}
	case "issuer":
		if c.Issuer, err = caddyargs.One(d); err == nil && !strings.Contains(c.Issuer, "{") {
			err = caddyargs.Wrap(d, oauth.ValidateIssuer(c.Issuer))
		}
	case "audience":
		c.Audience, err = caddyargs.List(d, "the issuer as the audience")
	case "scopes":
		c.Scopes, err = caddyargs.Scopes(d, "no scopes")
	case "grants":
		if c.Grants, err = caddyargs.Grants(d, "all grants"); err == nil {
			err = caddyargs.Wrap(d, oauth.ValidateGrantTypes(c.Grants, grantTypeNames()))
		}
	case "access_token_ttl":
		c.AccessTokenTTL, err = caddyargs.Lifetime(d)
	case "refresh_token_ttl":
		c.RefreshTokenTTL, err = caddyargs.Lifetime(d)
	case "session_ttl":
		c.SessionTTL, err = caddyargs.Lifetime(d)
	case "refresh_grace":
		c.RefreshGrace, err = caddyargs.Duration{Like: "such as 10s, or 0s"}.Arg(d, validateGrace)
	case "revocation_poll":
		c.RevocationPoll, err = caddyargs.Duration{Like: "such as 2s"}.Arg(d, validateRevocationPoll)
	case "sessions":
		err = parseSessions(d, c)
	case "source_max_age":
		c.SourceMaxAge, err = caddyargs.Duration{Like: "such as 10s"}.Arg(d, validateSourceMaxAge)
	case "leeway":
		c.Leeway, err = leewayArg(d)
	case "typ":
		c.Typ, err = caddyargs.One(d)
		if err == nil && c.Typ != token.TypeJWT && c.Typ != token.TypeAccessToken {
			err = d.Errf("typ %q: it must be %s or %s", c.Typ, token.TypeJWT, token.TypeAccessToken)
		}
	case "signing_key":
		err = parseSigningKey(d, c)
	case "rotate_every":
		c.RotateEvery, err = caddyargs.Duration{Like: "such as 30d, or off", Off: true}.Arg(d, validateRotation)
	case "user":
		err = parseUser(d, sources)
	case "users":
		err = parseUsers(d, sources)
	case "client":
		err = parseClient(d, sources)
	case "clients":
		err = parseClients(d, sources)
	case "default_client":
		c.DefaultClient, err = caddyargs.One(d)
	case "api_keys":
		err = parseAPIKeys(d, c)
	case "login_page":
		c.LoginPage, err = parseLoginPage(d)
	case "password_checks":
		c.PasswordChecks, err = parsePasswordChecks(d)
	case "throttle":
		c.Throttle, err = parseThrottle(d)
	case "allow_weak_hashes":
		c.AllowWeakHashes, err = caddyargs.Flag(d)
	case "allow_http":
		handler.AllowHTTP, err = caddyargs.Flag(d)
	case "log_usernames":
		c.LogUsernames, err = caddyargs.Flag(d)
	default:
		err = settings.Unrecognized(d)
	}
	return err
}

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
	if err := key.check(); err != nil {
		return d.Errf("signing_key: %v", err)
	}
	c.SigningKeys = append(c.SigningKeys, key)
	return nil
}

// checkName finds two servers of one name with different settings. State is shared by
// the whole Caddyfile, so the first server may be in another site. Named routes have a
// state of their own; their servers are compared when the config is provisioned.
func checkName(h httpcaddyfile.Helper, handler *Handler) error {
	config := handler.Config
	if config.Name == "" {
		config.Name = defaultName
	}
	fingerprint, err := config.fingerprint()
	if err != nil {
		return h.WrapErr(err)
	}
	type server struct{ fingerprint, definedAt string }
	key := "caddygrant.server." + config.Name
	other, there := h.State[key].(server)
	if !there {
		h.State[key] = server{fingerprint, handler.DefinedAt}
		return nil
	}
	if other.fingerprint != fingerprint {
		return h.WrapErr(errDifferentSettings(config.Name, handler.DefinedAt, other.definedAt))
	}
	return nil
}

// leewayArg takes a duration that may be zero, which is not the default.
func leewayArg(d *caddyfile.Dispenser) (*caddy.Duration, error) {
	leeway, err := caddyargs.Duration{Like: "such as 30s"}.Arg(d, validateLeeway)
	return &leeway, err
}
