package caddygrant

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	"github.com/caddygrant/caddy-grant/internal/caddyargs"
)

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
	if prefix == "-" {
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
