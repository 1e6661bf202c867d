package caddygrant

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/explain"
	"github.com/caddygrant/caddy-grant/internal/issuer"
	"github.com/caddygrant/caddy-grant/internal/setting"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// OutsideIssuer is another authorization server whose access tokens a `bearer_auth`
// takes. They are checked by the keys that it publishes. With nothing but the name of
// the issuer, the settings are those of another `bearer_auth` of the config.
type OutsideIssuer struct {
	// The issuer, byte for byte as the `iss` claim of its tokens: an https URL (http on
	// a loopback host). Placeholders are replaced at start. Required.
	Issuer string `json:"issuer"`

	// Where the keys are (RFC 7517 §5), an https URL. Placeholders are replaced at
	// start. Default: where the issuer's metadata says, of OpenID Connect Discovery or
	// RFC 8414.
	JWKSURL string `json:"jwks_url,omitempty"`

	// The audiences of which a token must name one. Placeholders are replaced at start.
	// Required: without it the tokens of every app of the issuer would be good here.
	Audience []string `json:"audience,omitempty"`

	// The algorithms of signatures. Default: `ES256`, `RS256`, `PS256` and `EdDSA`, which
	// can also be written `Ed25519`.
	Algorithms []string `json:"algorithms,omitempty"`

	// Which claims are read. Default: those of each.
	Claims IssuerClaims `json:"claims,omitzero"`

	// What is put before the names of the issuer's users, in headers, placeholders, logs
	// and requirements, so that the users of two issuers are never taken for one another:
	// ASCII without spaces, or `-` for nothing. Placeholders are replaced at start.
	// Default: the issuer and `#`.
	UsernamePrefix *string `json:"username_prefix,omitempty"`

	// How long a token may be valid at most, from `iat` to `exp`, since nothing revokes
	// it here: `1m` to `366d`. Default: `24h`.
	MaxLifetime caddy.Duration `json:"max_lifetime,omitempty"`

	// Take ID tokens as well as access tokens. Default: `false`.
	IDTokens bool `json:"id_tokens,omitempty"`

	// The authorities that may have signed the issuer's certificate. Default: those of
	// the system.
	CARaw json.RawMessage `json:"ca,omitempty" caddy:"namespace=tls.ca_pool.source inline_key=provider"`
}

// IssuerClaims are the names of claims. A name with dots is that of a member of an
// object, unless there is a claim of that very name. They have no placeholders.
type IssuerClaims struct {
	// The scopes, in a string or a list. Default: `scope`, or else `scp`.
	Scope string `json:"scope,omitempty"`

	// The name of the user. Default: `sub`.
	Username string `json:"username,omitempty"`

	// The audience. Default: `aud`.
	Audience string `json:"audience,omitempty"`
}

// isReference tells whether the settings are those of another bearer_auth.
func (o *OutsideIssuer) isReference() bool {
	return o.JWKSURL == "" && o.Audience == nil && o.Algorithms == nil && o.Claims == (IssuerClaims{}) &&
		o.UsernamePrefix == nil && o.MaxLifetime == 0 && !o.IDTokens && o.CARaw == nil
}

// validate checks the settings, as far as they do not depend on placeholders.
func (o *OutsideIssuer) validate() error {
	if strings.Contains(o.Issuer+o.JWKSURL+strings.Join(o.Audience, ""), "{") {
		return nil // checked once they are replaced
	}
	return o.check()
}

// check checks the settings, which have no placeholders or no longer have any. A URL that
// is not one of an issuer is not repeated: it may have a password.
func (o *OutsideIssuer) check() error {
	if err := issuer.ValidateURL(o.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if o.isReference() {
		return nil
	}
	for _, claim := range []string{o.Claims.Scope, o.Claims.Username, o.Claims.Audience} {
		if err := token.CheckClaimName(claim); err != nil {
			return fmt.Errorf("issuer %s: claims: %w", o.Issuer, err)
		}
	}
	settings := o.settings()
	if err := settings.Validate(); err != nil {
		return fmt.Errorf("issuer %s: %w", o.Issuer, err)
	}
	if o.JWKSURL != "" {
		if err := issuer.ValidateJWKSURL(o.JWKSURL); err != nil {
			return fmt.Errorf("issuer %s: %w", o.Issuer, err)
		}
	}
	return nil
}

// resolve replaces placeholders.
func (o *OutsideIssuer) resolve(repl *caddy.Replacer) error {
	var err error
	if o.Issuer, err = setting.Resolve(repl, "issuer", o.Issuer); err != nil {
		return err
	}
	if o.JWKSURL, err = setting.Resolve(repl, "jwks_url", o.JWKSURL); err != nil {
		return err
	}
	if o.Audience, err = setting.ResolveList(repl, "audience", o.Audience); err != nil {
		return err
	}
	if o.UsernamePrefix != nil {
		prefix, err := resolvePrefix(repl, "username_prefix", *o.UsernamePrefix)
		if err != nil {
			return err
		}
		o.UsernamePrefix = &prefix
	}
	return o.check()
}

// resolvePrefix replaces placeholders in a prefix of names, which may be - for none.
func resolvePrefix(repl *caddy.Replacer, name, prefix string) (string, error) {
	resolved, err := setting.Resolve(repl, name, prefix)
	if resolved == noPrefix {
		resolved = ""
	}
	return resolved, err
}

// noPrefix is how a config says that names have no prefix.
const noPrefix = "-"

func (o *OutsideIssuer) settings() issuer.Settings {
	prefix := issuer.DefaultPrefix(o.Issuer)
	if o.UsernamePrefix != nil {
		prefix = *o.UsernamePrefix
	}
	return issuer.Settings{
		URL: o.Issuer, Audience: o.Audience, Algorithms: o.Algorithms,
		ScopeClaim: o.Claims.Scope, UsernameClaim: o.Claims.Username, AudienceClaim: o.Claims.Audience,
		UsernamePrefix: prefix, IDTokens: o.IDTokens, MaxLifetime: time.Duration(o.MaxLifetime),
	}
}

// definedIssuer is an issuer as a bearer_auth defines it, ready to be used.
type definedIssuer struct {
	settings issuer.Settings
	jwksURL  string
	ca       string      // as the config has it
	tls      *tls.Config // nil for the authorities of the system
}

// define checks the settings and loads the authorities.
func (o *OutsideIssuer) define(ctx caddy.Context) (*definedIssuer, error) {
	d := &definedIssuer{settings: o.settings(), jwksURL: o.JWKSURL, ca: string(o.CARaw)}
	if err := d.settings.Validate(); err != nil {
		return nil, fmt.Errorf("issuer %s: %w", o.Issuer, err)
	}
	if o.CARaw == nil {
		return d, nil
	}
	loaded, err := ctx.LoadModule(o, "CARaw")
	if err != nil {
		return nil, fmt.Errorf("issuer %s: loading tls_trust_pool: %w", o.Issuer, err)
	}
	ca, ok := loaded.(caddytls.CA)
	if !ok {
		return nil, fmt.Errorf("issuer %s: tls_trust_pool: %T is not a source of authorities", o.Issuer, loaded)
	}
	d.tls = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.CertPool()}
	return d, nil
}

// same tells whether two bearer_auths define an issuer alike.
func (d *definedIssuer) same(other *definedIssuer) bool {
	a, b := d.settings, other.settings
	return d.jwksURL == other.jwksURL && d.ca == other.ca && slices.Equal(a.Audience, b.Audience) && slices.Equal(a.Algorithms, b.Algorithms) &&
		a.ScopeClaim == b.ScopeClaim && a.UsernameClaim == b.UsernameClaim && a.AudienceClaim == b.AudienceClaim &&
		a.UsernamePrefix == b.UsernamePrefix && a.IDTokens == b.IDTokens && a.MaxLifetime == b.MaxLifetime
}

// outsideIssuer verifies the tokens of an issuer.
type outsideIssuer struct {
	*issuer.Issuer
	prefix string // of the names of its users
}

func (o *outsideIssuer) verify(ctx context.Context, shown bearer.Credential) (bearer.Identity, error) {
	if before, ok := shown.Recalled.(*issuer.Token); ok {
		return before, o.CheckTimes(before)
	}
	checked, err := o.Check(ctx, shown.Raw)
	if checked == nil { // which as an Identity would not be nil
		return nil, err
	}
	return checked, err
}

// outsideIssuers are those of a config.
type outsideIssuers struct {
	byURL map[string][]*definedIssuer // that have a block
	keys  []share[*issuerKeys]        // that are followed

	running []*outsideIssuer // as the checks define them
}

func newOutsideIssuers() *outsideIssuers {
	return &outsideIssuers{byURL: make(map[string][]*definedIssuer)}
}

// add notes an issuer that a handler defines.
func (o *outsideIssuers) add(d *definedIssuer) {
	o.byURL[d.settings.URL] = append(o.byURL[d.settings.URL], d)
}

// defined is the issuer as the config defines it elsewhere.
func (o *outsideIssuers) defined(url string) (*definedIssuer, error) {
	known := o.byURL[url]
	switch {
	case len(known) == 0:
		return nil, fmt.Errorf("issuer %s: no bearer_auth of the config defines it: write a block with \"audience\" and what its tokens have in aud, since without it the tokens of every app of the issuer would be good here", url)
	case slices.ContainsFunc(known, func(d *definedIssuer) bool { return !d.same(known[0]) }):
		return nil, fmt.Errorf("issuer %s: other bearer_auths define it with different settings: give it a block here, too", url)
	}
	return known[0], nil
}

// follow makes what verifies the tokens of issuers.
func (o *outsideIssuers) follow(defined []*definedIssuer) []*outsideIssuer {
	outside := make([]*outsideIssuer, len(defined))
	for i, d := range defined {
		keys := joinIssuerKeys(issuerKey{issuer: d.settings.URL, jwksURL: d.jwksURL, ca: d.ca}, d.tls)
		o.keys = append(o.keys, keys)
		outside[i] = &outsideIssuer{issuer.New(d.settings, keys.value.Keys), d.settings.UsernamePrefix}
	}
	o.running = append(o.running, outside...)
	return outside
}

// release leaves the keys.
func (o *outsideIssuers) release() {
	for i := range o.keys {
		_, _ = o.keys[i].leave() // Destruct does not fail
	}
}

// List implements [adminapi.Issuers].
func (o *outsideIssuers) List(context.Context) ([]adminapi.Issuer, error) {
	known := make(map[*issuerKeys]bool)
	list := []adminapi.Issuer{}
	for _, shared := range o.keys {
		keys := shared.value
		if known[keys] {
			continue
		}
		known[keys] = true
		status := keys.Status()
		one := adminapi.Issuer{URL: keys.issuer, JWKSURL: issuer.ShownURL(keys.jwksURL), Keys: status.Keys}
		if !status.Fetched.IsZero() {
			one.FetchedAt = &status.Fetched
		}
		if status.Err != nil {
			one.Error = status.Err.Error()
		}
		list = append(list, one)
	}
	return list, nil
}

// urls are the issuers whose tokens are taken, each once.
func (o *outsideIssuers) urls() (all []string) {
	for _, one := range o.running {
		all = append(all, one.URL())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Explain implements [adminapi.Issuers].
func (o *outsideIssuers) Explain(ctx context.Context, request adminapi.ExplainRequest) (adminapi.Explanation, error) {
	claimed, _ := issuer.ClaimedIssuer(request.Token)
	var judges []*issuer.Issuer
	for _, one := range o.running {
		if one.URL() == claimed {
			judges = append(judges, one.Issuer)
		}
	}
	if len(judges) == 0 {
		return adminapi.Explanation{}, adminapi.NotAnIssuer
	}
	return (&explain.Outside{Issuers: judges}).Token(ctx, request), nil
}

// prefixesOf are those of names that belong to the users of an issuer, or to clients.
// None may begin with another.
func prefixesOf(defined []*definedIssuer, clientPrefix string) (prefixes []string, err error) {
	if clientPrefix != "" {
		if err := issuer.ValidatePrefix(clientPrefix); err != nil {
			return nil, fmt.Errorf("clients: %w", err)
		}
		prefixes = append(prefixes, clientPrefix)
	}
	for _, d := range defined {
		prefix := d.settings.UsernamePrefix
		if prefix == "" {
			continue
		}
		for _, other := range prefixes {
			if bearer.BeginsLike(prefix, other) || bearer.BeginsLike(other, prefix) {
				return nil, fmt.Errorf("username_prefix: %q and %q begin alike, so a user of one could have the name of a user of the other: choose prefixes of which neither begins with the other", other, prefix)
			}
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// Interface guards
var _ adminapi.Issuers = (*outsideIssuers)(nil)
