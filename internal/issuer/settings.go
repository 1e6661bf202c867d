// Package issuer checks access tokens that other servers issued, by the keys that they
// publish. The keys are fetched in the background and no request waits for that. It
// knows nothing of Caddy or of requests.
package issuer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Settings say which tokens of an issuer are accepted, and what they say about a user.
type Settings struct {
	// URL is the issuer, byte for byte as `iss` has it. Required.
	URL string

	// Audience is whom a token must be for: one of these. Required: otherwise the tokens
	// of all apps of the issuer would be accepted.
	Audience []string

	// Algorithms are the accepted algorithms. Default: ES256, RS256, PS256, EdDSA. Ed25519
	// and EdDSA are the same (RFC 9864).
	Algorithms []string

	// ScopeClaim is the claim that has the scopes, as a string or a list. Default: scope,
	// else scp. This and the next two may be paths, see [token.ClaimAt].
	ScopeClaim string

	// UsernameClaim is the claim that names the user. Default: sub.
	UsernameClaim string

	// AudienceClaim is the claim that is compared with Audience. Default: aud.
	AudienceClaim string

	// UsernamePrefix stands before sub, username and client_id, so that the users of two
	// issuers are not taken for one another. Empty: nothing; see [DefaultPrefix].
	UsernamePrefix string

	// IDTokens accepts ID tokens too.
	IDTokens bool

	// MaxLifetime is the longest lifetime of a token, since nothing revokes it here.
	// Default: 24 hours.
	MaxLifetime time.Duration

	// Leeway is for clocks that differ. Default: 30 seconds.
	Leeway time.Duration
}

// DefaultPrefix is the prefix of names of an issuer.
func DefaultPrefix(url string) string { return url + "#" }

// Validate checks the settings and fills in defaults.
func (s *Settings) Validate() error {
	if err := ValidateURL(s.URL); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if len(s.Audience) == 0 {
		return errors.New("audience: it is required: name what the issuer puts into aud for this app, otherwise the tokens of all its apps would be accepted")
	}
	if len(s.Audience) > maxAudience {
		return fmt.Errorf("audience: there are %d, the maximum is %d", len(s.Audience), maxAudience)
	}
	for i, audience := range s.Audience {
		if audience == "" || !isPrintable(audience) {
			return fmt.Errorf("audience: %q is empty or has a control character", audience)
		}
		if slices.Contains(s.Audience[:i], audience) {
			return fmt.Errorf("audience: duplicate %q", audience)
		}
	}
	if len(s.Algorithms) == 0 {
		s.Algorithms = slices.Clone(defaultAlgorithms)
	}
	for i, name := range s.Algorithms {
		if err := validateAlgorithm(name); err != nil {
			return fmt.Errorf("algorithms: %w", err)
		}
		if slices.Contains(s.Algorithms[:i], name) {
			return fmt.Errorf("algorithms: duplicate %s", name)
		}
	}
	for _, claim := range []struct {
		name         string
		path         *string
		defaultClaim string // empty if there is more than one
	}{
		{"scope", &s.ScopeClaim, ""},
		{"username", &s.UsernameClaim, "sub"},
		{"audience", &s.AudienceClaim, "aud"},
	} {
		if !isPrintable(*claim.path) {
			return fmt.Errorf("claims: %s: %q has a control character", claim.name, *claim.path)
		}
		if *claim.path == "" {
			*claim.path = claim.defaultClaim
		}
	}
	if err := ValidatePrefix(s.UsernamePrefix); err != nil {
		return fmt.Errorf("username_prefix: %w", err)
	}
	if s.MaxLifetime == 0 {
		s.MaxLifetime = defaultMaxLifetime
	}
	if s.MaxLifetime < time.Minute || s.MaxLifetime > maxMaxLifetime {
		return fmt.Errorf("max_lifetime: %v is not between 1m and 366d", s.MaxLifetime)
	}
	if s.Leeway == 0 {
		s.Leeway = defaultLeeway
	}
	if s.Leeway < 0 || s.Leeway > maxLeeway {
		return fmt.Errorf("leeway: %v is not between 0 and %v", s.Leeway, maxLeeway)
	}
	return nil
}

// ValidatePrefix checks what stands before names, which is also in identity headers.
func ValidatePrefix(prefix string) error {
	for _, c := range []byte(prefix) {
		if c <= 0x20 || c > 0x7e {
			return fmt.Errorf("%q can only have letters, digits and signs of ASCII, without spaces: no header of copy_claims could have such a name", prefix)
		}
	}
	return nil
}

// ValidateURL checks the URL of an issuer (OpenID Connect Discovery 1.0 §3, RFC 8414
// §2).
func ValidateURL(issuer string) error {
	u, err := parseURL(issuer)
	if err == nil && (u.RawQuery != "" || u.ForceQuery) {
		err = errors.New("it has a query (?)")
	}
	if err == nil && strings.Contains(u.Path, "/.well-known/") {
		err = errors.New("it is where metadata is: write the \"issuer\" that is in there")
	}
	if err != nil {
		return fmt.Errorf("it is not the URL of an issuer: %w", err)
	}
	return nil
}

// ValidateJWKSURL checks where to get an issuer's keys, which may have a query.
func ValidateJWKSURL(jwks string) error {
	if _, err := parseURL(jwks); err != nil {
		return fmt.Errorf("jwks_url: %w", err)
	}
	return nil
}

const (
	defaultMaxLifetime = 24 * time.Hour
	maxMaxLifetime     = 366 * 24 * time.Hour
	defaultLeeway      = 30 * time.Second
	maxLeeway          = 5 * time.Minute
	maxAudience        = 100
)
