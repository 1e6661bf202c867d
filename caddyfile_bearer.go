package caddygrant

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/caddyargs"
	"github.com/caddygrant/caddy-grant/internal/pathreading"
)

func init() {
	httpcaddyfile.RegisterDirective("bearer_auth", parseBearerAuth)
	// after token_endpoint, which needs no token, and before the app
	httpcaddyfile.RegisterDirectiveOrder("bearer_auth", httpcaddyfile.Before, "forward_auth")
}

// parseBearerAuth sets up the check of access tokens from Caddyfile tokens. Syntax:
//
//	bearer_auth [<matcher>] [<name>] {
//		issuer <url> {
//			jwks_url        <url>
//			audience        <audiences...>
//			algorithms      <algorithms...>
//			claims          [scope=<claim>] [username=<claim>] [audience=<claim>]
//			username_prefix <prefix>|-
//			max_lifetime    <duration>
//			id_tokens
//			tls_trust_pool  <module> ...
//		}
//		issuers_only
//		keys          [<header>]
//		scopes        <scopes...>
//		audience      <audiences...>
//		require       <claim> <values...>
//		clients       [<username_prefix>]
//		open          <paths...>
//		copy_claims   <claim>><header>...
//		upgrade       <protocols...>
//		forward_token
//		optional
//		shadow
//		off
//	}
//
// The matcher is the handler's and not the route's: the handler gets all requests of
// its site, to remove the identity headers that clients send.
func parseBearerAuth(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // the directive
	b := &BearerAuth{DefinedAt: fmt.Sprintf("%s:%d", h.File(), h.Line())}
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	if matcher != nil {
		b.MatcherSetsRaw = caddyhttp.RawMatcherSets{caddy.ModuleMap(matcher)}
	}

	h.Next() // the directive again, without the matcher
	if h.NextArg() {
		b.Server = h.Val()
		if !validName.MatchString(b.Server) {
			return nil, h.Errf("bearer_auth takes a matcher and then the name of a token_endpoint, and %q is not a valid server name: it must be 1 to 32 of the characters a-z, 0-9, _ and -%s", b.Server, matcherHint(h, b.Server))
		}
	}
	if h.NextArg() {
		return nil, h.Errf("bearer_auth takes a matcher and a name, and %q is one too many%s", h.Val(), matcherHint(h, h.Val(), b.Server))
	}
	settings := caddyargs.NewBlock("bearer_auth")
	for nesting := h.Nesting(); h.NextBlock(nesting); {
		if err := parseBearerSetting(h.Dispenser, b, settings); err != nil {
			return nil, err
		}
	}
	if err := b.Validate(); err != nil {
		return nil, h.WrapErr(err)
	}
	return h.NewRoute(namedRouteMatcher(h), b), nil
}

// matcherHint says how a matcher is written: one that the site has, if one of the words
// is its name, or else any.
func matcherHint(h httpcaddyfile.Helper, words ...string) string {
	for _, word := range words {
		name := "@" + strings.TrimPrefix(word, "@")
		probe := h.WithDispenser(caddyfile.NewDispenser([]caddyfile.Token{{Text: "bearer_auth"}, {Text: name}}))
		probe.Next()
		if _, found, err := probe.MatcherToken(); found && err == nil && word != name {
			return fmt.Sprintf("; this site has a matcher %s: a matcher begins with @, and comes first", name)
		}
	}
	return "; a matcher comes first, and begins with @ or /"
}

// parseBearerSetting parses one subdirective of bearer_auth.
func parseBearerSetting(d *caddyfile.Dispenser, b *BearerAuth, settings *caddyargs.Block) error {
	if err := settings.Enter(d, "issuer", "open", "copy_claims", "require"); err != nil {
		return err
	}
	var err error
	switch d.Val() {
	case "scopes":
		b.Scopes, err = caddyargs.Scopes(d, "none that a token needs")
	case "audience":
		b.Audience, err = caddyargs.List(d, "those of the server")
	case "issuer":
		err = parseIssuer(d, b)
	case "issuers_only":
		b.IssuersOnly, err = caddyargs.Flag(d)
	case "keys":
		err = parseAcceptedKeys(d, b)
	case "require":
		err = parseRequire(d, b)
	case "clients":
		err = parseAcceptedClients(d, b)
	case "open":
		err = parseOpen(d, b)
	case "upgrade":
		if b.Upgrade, err = caddyargs.List(d, "WebSocket alone"); err == nil {
			err = caddyargs.Wrap(d, bearer.ValidateUpgrades(b.Upgrade))
		}
	case "copy_claims":
		err = parseCopyClaims(d, b)
	case "forward_token":
		b.ForwardToken, err = caddyargs.Flag(d)
	case "optional":
		b.Optional, err = caddyargs.Flag(d)
	case "shadow":
		b.Shadow, err = caddyargs.Flag(d)
	case "off":
		b.Off, err = caddyargs.Flag(d)
	default:
		err = settings.Unrecognized(d)
	}
	return err
}

func parseRequire(d *caddyfile.Dispenser, b *BearerAuth) error {
	args, err := caddyargs.List(d, "no such rule")
	if err != nil {
		return err
	}
	required := RequiredClaim{Claim: args[0], Values: args[1:]}
	b.Require = append(b.Require, required)
	return caddyargs.Wrap(d, bearer.ValidateRequirement(required.Claim, required.Values))
}

func parseAcceptedKeys(d *caddyfile.Dispenser, b *BearerAuth) error {
	header, err := caddyargs.AtMostOne(d)
	if err != nil {
		return err
	}
	b.Keys = &AcceptedKeys{Header: header}
	if header == "" {
		return nil
	}
	return caddyargs.Wrap(d, bearer.ValidateKeyHeader(header))
}

func parseAcceptedClients(d *caddyfile.Dispenser, b *BearerAuth) error {
	prefix, err := caddyargs.AtMostOne(d)
	if prefix == noPrefix {
		prefix = ""
	}
	b.Clients = &AcceptedClients{UsernamePrefix: prefix}
	return err
}

func parseOpen(d *caddyfile.Dispenser, b *BearerAuth) error {
	paths, err := caddyargs.List(d, "none")
	if err != nil {
		return err
	}
	b.Open = append(b.Open, paths...)
	_, err = pathreading.ParseOpen(b.Open)
	return caddyargs.Wrap(d, err)
}

func parseCopyClaims(d *caddyfile.Dispenser, b *BearerAuth) error {
	args, err := caddyargs.List(d, "none")
	if err != nil {
		return err
	}
	for _, arg := range args {
		claim, header, found := strings.Cut(arg, ">")
		if !found {
			return d.Errf("copy_claims %s: write claim>Header, such as sub>X-User", arg)
		}
		if err := bearer.ValidateCopyClaim(claim, header); err != nil {
			return d.WrapErr(err)
		}
		b.CopyClaims = append(b.CopyClaims, CopyClaim{Claim: claim, Header: header})
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

// parseIssuer parses an outside issuer. Without a block it is one that another
// bearer_auth defines.
func parseIssuer(d *caddyfile.Dispenser, b *BearerAuth) error {
	url, err := caddyargs.One(d)
	if err != nil {
		return err
	}
	one := OutsideIssuer{Issuer: url}
	settings := caddyargs.NewBlock("issuer")
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := parseIssuerSetting(d, &one, settings); err != nil {
			return err
		}
	}
	if err := one.validate(); err != nil {
		return d.WrapErr(err)
	}
	b.Issuers = append(b.Issuers, one)
	return nil
}

// parseIssuerSetting parses one subdirective of issuer.
func parseIssuerSetting(d *caddyfile.Dispenser, one *OutsideIssuer, settings *caddyargs.Block) error {
	if err := settings.Enter(d, "claims"); err != nil {
		return err
	}
	var err error
	switch d.Val() {
	case "jwks_url":
		one.JWKSURL, err = caddyargs.One(d)
	case "audience":
		one.Audience, err = caddyargs.List(d, "the settings of another bearer_auth")
	case "algorithms":
		one.Algorithms, err = caddyargs.List(d, "ES256, RS256, PS256 and EdDSA")
	case "claims":
		err = parseIssuerClaims(d, one)
	case "username_prefix":
		err = parseUsernamePrefix(d, one)
	case "max_lifetime":
		one.MaxLifetime, err = caddyargs.Positive.Arg(d, nil)
	case "id_tokens":
		one.IDTokens, err = caddyargs.Flag(d)
	case "tls_trust_pool":
		err = parseTrustPool(d, one)
	default:
		err = settings.Unrecognized(d)
	}
	return err
}

func parseIssuerClaims(d *caddyfile.Dispenser, one *OutsideIssuer) error {
	args, err := caddyargs.List(d, "the usual claims")
	if err != nil {
		return err
	}
	into := map[string]*string{"scope": &one.Claims.Scope, "username": &one.Claims.Username, "audience": &one.Claims.Audience}
	for _, arg := range args {
		what, claim, found := strings.Cut(arg, "=")
		if into[what] == nil || !found || claim == "" {
			return d.Errf("claims %s: write scope=<claim>, username=<claim> or audience=<claim>", arg)
		}
		if *into[what] != "" {
			return d.Errf("claims: duplicate %s", what)
		}
		*into[what] = claim
	}
	return nil
}

// parseUsernamePrefix takes a prefix, which may be the empty one.
func parseUsernamePrefix(d *caddyfile.Dispenser, one *OutsideIssuer) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Err("username_prefix takes one argument: a prefix, or - for none")
	}
	prefix := args[0]
	if prefix == noPrefix {
		prefix = ""
	}
	one.UsernamePrefix = &prefix
	return nil
}

// parseTrustPool parses a source of authorities, as Caddy's reverse_proxy does.
func parseTrustPool(d *caddyfile.Dispenser, one *OutsideIssuer) error {
	if !d.NextArg() {
		return d.Err("tls_trust_pool needs a source of authorities, such as \"tls_trust_pool file /etc/caddy/ca.pem\"")
	}
	name := d.Val()
	if strings.ContainsAny(name, "/.") {
		return d.Errf("tls_trust_pool takes the kind of source before its path: write \"tls_trust_pool file %s\"", name)
	}
	module, err := caddyfile.UnmarshalModule(d, "tls.ca_pool.source."+name)
	if err != nil {
		return err
	}
	ca, ok := module.(caddytls.CA)
	if !ok {
		return d.Errf("tls_trust_pool: %s is not a source of authorities", name)
	}
	one.CARaw = caddyconfig.JSONModuleObject(ca, "provider", name, nil)
	return nil
}
