package caddygrant

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/setting"
)

// The settings of a BearerAuth that have parts.

// RequiredClaim is a claim that must have one of these values. A list must have one of
// them among its elements.
type RequiredClaim struct {
	// The name of the claim, or names with dots between them for a member of an object.
	// A claim whose own name has the dots goes first. Required.
	Claim string `json:"claim"`

	// The values, compared with strings, numbers and booleans as they are written.
	// `*@example.com` stands for all e-mail addresses of the domain. Placeholders are
	// replaced at start. At least one. Required.
	Values []string `json:"values"`
}

// AcceptedKeys says where API keys are sent.
type AcceptedKeys struct {
	// The header with the key, such as `X-API-Key`. It is removed from all requests, on
	// all sites and routes of the HTTP server that has this handler. Default: a key is
	// sent as a Bearer credential in the header Authorization.
	Header string `json:"header,omitempty"`
}

// AcceptedClients says how an app knows clients that act for themselves.
type AcceptedClients struct {
	// What is put before the client id to make the `sub` and `username` of the client
	// for headers and placeholders: ASCII without spaces, or `-` for neither. A user
	// whose name begins with it is refused. Placeholders are replaced at start. Default:
	// a client has neither, only a `client_id`.
	UsernamePrefix string `json:"username_prefix,omitempty"`
}

// CopyClaim passes one claim of a token to the app in one identity header.
type CopyClaim struct {
	// The name of the claim. Required.
	Claim string `json:"claim"`

	// The name of the header. It may not be one that has a meaning to HTTP or a proxy.
	// Required.
	Header string `json:"header"`
}

// validateIssuers checks outside issuers by themselves.
func validateIssuers(all []OutsideIssuer) error {
	for i := range all {
		one := &all[i]
		if err := one.validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(all[:i], func(other OutsideIssuer) bool { return other.Issuer == one.Issuer }) {
			return fmt.Errorf("issuer %s: it is listed before: keep one", one.Issuer)
		}
	}
	return nil
}

// resolveRules replaces placeholders in the values of requirements and in the prefix of
// clients, which may be nil.
func resolveRules(repl *caddy.Replacer, required []RequiredClaim, clients *AcceptedClients) (err error) {
	for i := range required {
		r := &required[i]
		if r.Values, err = setting.ResolveList(repl, "require "+r.Claim, r.Values); err != nil {
			return err
		}
	}
	if clients != nil {
		clients.UsernamePrefix, err = resolvePrefix(repl, "clients", clients.UsernamePrefix)
	}
	return err
}

// withoutPlaceholders are the requirements whose values are known before the start.
func withoutPlaceholders(required []RequiredClaim) []RequiredClaim {
	return slices.DeleteFunc(slices.Clone(required), func(r RequiredClaim) bool {
		return strings.Contains(strings.Join(r.Values, ""), "{")
	})
}

// validateNames refuses outside issuers whose users cannot be told apart, as far as the
// rest of the config makes no difference.
func validateNames(issuers []OutsideIssuer, clientPrefix string, uses []claimUse) error {
	var defined []*definedIssuer
	for i := range issuers {
		if one := &issuers[i]; !one.isReference() {
			d := &definedIssuer{settings: one.settings()}
			if err := d.settings.Validate(); err != nil || strings.Contains(d.settings.UsernamePrefix+clientPrefix, "{") {
				return nil // with placeholders, which are not known yet
			}
			defined = append(defined, d)
		}
	}
	if _, err := prefixesOf(defined, clientPrefix); err != nil {
		return err
	}
	return checkNames(defined, false, uses)
}

// claimUse is a claim that a header or a requirement is made of.
type claimUse struct {
	claim   string
	setting string // that says so
	domain  string // one of the `*@example.com` that it is compared with; empty if there is none
	names   bool   // it tells users apart: not so if it is compared with domains alone
}

// claimUses are the claims that headers and requirements are made of.
func claimUses(copied []CopyClaim, required []RequiredClaim) []claimUse {
	var uses []claimUse
	for _, c := range copied {
		uses = append(uses, claimUse{claim: c.Claim, setting: "copy_claims " + c.Claim + ">" + c.Header, names: true})
	}
	for _, r := range required {
		use := claimUse{claim: r.Claim, setting: "require " + r.Claim}
		for _, value := range r.Values {
			if bearer.IsDomain(value) {
				use.domain = value
			} else {
				use.names = true
			}
		}
		uses = append(uses, use)
	}
	return uses
}

// checkNames refuses issuers whose users an app could not tell apart, and requirements
// that none of them can meet. uses are the claims that headers and requirements are made
// of. own tells whether the tokens of a token_endpoint are taken, too.
func checkNames(defined []*definedIssuer, own bool, uses []claimUse) error {
	several := len(defined) > 1 || len(defined) == 1 && own
	for _, d := range defined {
		for _, use := range uses {
			isName := slices.Contains(prefixedClaims, use.claim)
			switch prefix := d.settings.UsernamePrefix; {
			case isName && use.domain != "" && !bearer.MayBeginAddress(prefix):
				return fmt.Errorf("%s %s: the %s of users of %s begins with %q, so it is never an e-mail address: use the claim email instead", use.setting, use.domain, use.claim, d.settings.URL, prefix)
			case !several:
			case isName && prefix == "":
				return fmt.Errorf("%s: this bearer_auth takes the tokens of several issuers, and the users and clients of %s have no username_prefix, so one of them could be taken for another's: remove \"username_prefix\" there, or give it one", use.setting, d.settings.URL)
			case !isName && use.names && use.claim == d.settings.UsernameClaim:
				return fmt.Errorf("%s: this bearer_auth takes the tokens of several issuers, and %s names the users of %s without a prefix, so a user of one could be taken for a user of another: use the claim username instead, which has the prefix", use.setting, use.claim, d.settings.URL)
			}
		}
	}
	return nil
}

// prefixedClaims are the claims that have the prefix of an issuer.
var prefixedClaims = []string{"sub", "username", "client_id", "cid"}

// warnOfCredentials says what a config opens by which credentials it takes.
func warnOfCredentials(logger *zap.Logger, outside []*definedIssuer, a *accepted) {
	several := len(outside) > 1 || len(outside) == 1 && !a.issuersOnly
	for _, d := range outside {
		if several && d.settings.UsernamePrefix == "" {
			logger.Warn("users of an outside issuer have no prefix, and tokens of others are taken too", zap.String("issuer", d.settings.URL),
				zap.String("advice", "{http.auth.user.id} and {http.auth.user.username} can be the name of a user of either: remove username_prefix, or give the issuer one"))
		}
	}
	if a.keyHeader != "" {
		logger.Info("API keys come in a header of their own, which Caddy writes to its logs unless a filter removes it",
			zap.String("header", a.keyHeader), zap.String("advice", "\"caddy grant check\" tells which logs lack it, and what to write"))
	}
}

// validateCopyClaims checks identity headers. keys may be nil.
func validateCopyClaims(claims []CopyClaim, keys *AcceptedKeys) error {
	for i, c := range claims {
		if err := bearer.ValidateCopyClaim(c.Claim, c.Header); err != nil {
			return err
		}
		if keys != nil && bearer.HeaderAlias(keys.Header) == bearer.HeaderAlias(c.Header) {
			return fmt.Errorf("copy_claims: the header %s is that of API keys: choose another name", c.Header)
		}
		for _, other := range claims[:i] {
			if bearer.HeaderAlias(other.Header) == bearer.HeaderAlias(c.Header) {
				return fmt.Errorf("copy_claims: duplicate header %s", c.Header)
			}
		}
	}
	return nil
}
