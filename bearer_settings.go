package caddygrant

import (
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/bearer"
)

// The settings of a BearerAuth that have parts.

// RequiredClaim is a claim that must have one of these values. A list must have one of
// them among its elements.
type RequiredClaim struct {
	// The name of the claim, or names with dots between them for a member of an object.
	// A claim whose own name has the dots goes first. Required.
	Claim string `json:"claim"`

	// The values, compared with strings, numbers and booleans as they are written.
	// `*@example.com` stands for all e-mail addresses of the domain. At least one.
	// Required.
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
	// for headers and placeholders. A user whose name begins with it is refused.
	// Default: a client has neither, only a `client_id`.
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

// validateNames refuses outside issuers whose users cannot be told apart, as far as the
// rest of the config makes no difference.
func validateNames(issuers []OutsideIssuer, clientPrefix string, used map[string]string) error {
	var defined []*definedIssuer
	for i := range issuers {
		if one := &issuers[i]; !one.isReference() {
			d := &definedIssuer{settings: one.settings()}
			if err := d.settings.Validate(); err != nil {
				return nil // with placeholders, which are not known yet
			}
			defined = append(defined, d)
		}
	}
	if _, err := prefixesOf(defined, clientPrefix); err != nil {
		return err
	}
	return checkNames(defined, false, used)
}

// usedClaims are the claims that headers and requirements are made of, with the setting
// that says so.
func usedClaims(copied []CopyClaim, required []RequiredClaim) map[string]string {
	used := make(map[string]string)
	for _, c := range copied {
		used[c.Claim] = "copy_claims " + c.Claim + ">" + c.Header
	}
	for _, r := range required {
		used[r.Claim] = "require " + r.Claim
	}
	return used
}

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
