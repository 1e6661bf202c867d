package directory

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/http/httpguts"

	"github.com/caddygrant/caddy-grant/internal/mac"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
)

// Client is a registered client (RFC 6749 §2): an app that may ask for tokens. It is
// confidential, so it must authenticate, unless it is public. It is immutable once a
// source has it.
type Client struct {
	// The client id, 1 to 255 printable ASCII characters.
	ID string `json:"id"`

	// The client secret in plaintext, for clients in the config only. Placeholders are
	// replaced at start; use `{env.*}` or `{file.*}`, which keep it out of the config.
	// What looks like one without its braces, or like the path of a file, is refused.
	// Default: none, then secret_hash or public is needed.
	Secret string `json:"secret,omitempty"`

	// The hash of the client secret, of a kind that users may have. It is computed at a
	// token request unless it was a few minutes ago, so a plaintext secret or a cheap
	// hash of a long random secret is the better choice. Default: none, then secret or
	// public is needed.
	SecretHash string `json:"secret_hash,omitempty"`

	// Whether the client is public (RFC 6749 §2.1): it has no secret, and any client
	// may pose as it. Default: `false`.
	Public bool `json:"public,omitempty"`

	// The scopes that the client may ask for. An empty list means none. Default: those
	// of the server.
	Scopes []string `json:"scopes,omitzero"`

	// The scopes of a request that names none. Default: all that the client may ask
	// for.
	DefaultScopes []string `json:"default_scopes,omitzero"`

	// The grant types that the client may use, as far as the server offers them. An
	// empty list means none. `client_credentials`, by which the client gets tokens for
	// itself and without a user, is for clients with a secret that list it. Default: all
	// others that the server offers.
	Grants []string `json:"grants,omitzero"`

	// The audiences of the client's access tokens (`aud`). Default: those of the
	// server.
	Audience []string `json:"audience,omitempty"`

	// How long the client's access tokens are valid. Default: as the server says.
	AccessTokenTTL caddy.Duration `json:"access_token_ttl,omitempty"`

	// How long the client's refresh tokens are valid if they are not used. Default: as
	// the server says.
	RefreshTokenTTL caddy.Duration `json:"refresh_token_ttl,omitempty"`

	// The audiences whose access tokens the client may introspect in addition to its
	// own (RFC 7662). Default: none.
	Introspect []string `json:"introspect,omitempty"`

	// The header in which the client, a trusted back end, sends its user's address with
	// a login, such as `X-End-User-IP`. Failed logins are then counted for that address
	// instead of for all users of the client together. Only what an authenticated
	// client sends is believed, and an address that cannot be read counts as none.
	// Default: none.
	EndUserIP string `json:"end_user_ip,omitempty"`

	// When the client's password grant is or was deprecated: a day, as in `2027-01-31`,
	// or a time. Answers to its password logins then have the header `Deprecation` (RFC
	// 9745). It changes nothing else. Default: none.
	Deprecation string `json:"deprecation,omitempty"`

	// The page that says what the client should do instead, a URL. It is in the header
	// `Link` of these answers. Default: none.
	DeprecationLink string `json:"deprecation_link,omitempty"`

	// When the client's password grant is to end, not before `deprecation`. Answers to
	// its password logins then have the header `Sunset` (RFC 8594). It does not end by
	// itself: remove `password` from the client's grants. Default: none.
	Sunset string `json:"sunset,omitempty"`

	hash      password.Hash // of a confidential client
	announced Deprecation
}

// CheckHash is what a secret is compared with. A public client has none.
func (c *Client) CheckHash() password.Hash { return c.hash }

// MayUse tells whether the client may use a grant type. A client without a list of
// grants may use all that have a user: it only gets tokens for itself where its list
// says so.
func (c *Client) MayUse(grantType string) bool {
	if c.Grants == nil {
		return grantType != oauth.GrantTypeClientCredentials
	}
	return slices.Contains(c.Grants, grantType)
}

// Validate checks all but the bounds of the hash. Its errors never hold the secret or
// its hash.
func (c *Client) Validate(options Options) error {
	if err := validateEntryName("client id", c.ID); err != nil {
		return err
	}
	// VSCHAR of RFC 6749 appendix A.1
	if strings.ContainsFunc(c.ID, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return errors.New("client id: it must be printable ASCII")
	}
	secrets := 0
	for _, given := range []bool{c.Secret != "", c.SecretHash != "", c.Public} {
		if given {
			secrets++
		}
	}
	switch {
	case secrets == 0:
		return errors.New("it has no secret: add a block with \"secret {file./path/to/secret}\", or with \"public\" if it can keep none")
	case secrets > 1:
		return errors.New("secret, secret_hash and public exclude each other: keep one of them")
	case len(c.Secret) > password.MaxLength:
		return fmt.Errorf("secret: %d bytes, the maximum is %d", len(c.Secret), password.MaxLength)
	case strings.IndexByte(c.Secret, 0) >= 0:
		return errors.New("secret: it holds a NUL character, which no client can send; if its file is UTF-16, save it as UTF-8")
	}
	if err := oauth.ValidateGrantTypes(c.Grants, options.GrantTypes); err != nil {
		return err
	}
	if c.Public && slices.Contains(c.Grants, oauth.GrantTypeClientCredentials) {
		return errors.New("grants: a public client may not have client_credentials, since any program can pose as it and get its tokens: give it a secret, or remove client_credentials")
	}
	if c.AccessTokenTTL != 0 {
		if err := oauth.ValidateLifetime("access_token_ttl", time.Duration(c.AccessTokenTTL)); err != nil {
			return err
		}
	}
	if c.RefreshTokenTTL != 0 {
		if err := oauth.ValidateLifetime("refresh_token_ttl", time.Duration(c.RefreshTokenTTL)); err != nil {
			return err
		}
	}
	for _, audience := range c.Audience {
		if err := validateName("audience", audience); err != nil {
			return err
		}
	}
	if c.Public && c.Introspect != nil {
		return errors.New("introspect: a public client may not ask about tokens, since any program can pose as it: give it a secret, or remove introspect")
	}
	if c.Public && c.EndUserIP != "" {
		return errors.New("end_user_ip: a public client cannot vouch for an address, since any program may pose as it: give it a secret, or remove end_user_ip")
	}
	if c.EndUserIP != "" && !httpguts.ValidHeaderFieldName(c.EndUserIP) {
		return fmt.Errorf("end_user_ip: %q is not the name of a header", c.EndUserIP)
	}
	for _, audience := range c.Introspect {
		if err := validateName("introspect", audience); err != nil {
			return err
		}
	}
	if _, err := c.deprecation(); err != nil {
		return err
	}
	if err := oauth.ValidateScopes("scopes", c.Scopes); err != nil {
		return err
	}
	if err := oauth.ValidateScopes("default_scopes", c.DefaultScopes); err != nil {
		return err
	}
	if c.Scopes != nil {
		for _, scope := range c.DefaultScopes {
			if !slices.Contains(c.Scopes, scope) {
				return fmt.Errorf("default_scopes: %q is not among the client's scopes", scope)
			}
		}
	}
	return nil
}

// Prepare checks a client and makes of its secret what is compared with. It is called
// once on whatever a source returns, before it is used. Its errors never hold the
// secret or its hash.
func (c *Client) Prepare(options Options) error {
	if err := c.Validate(options); err != nil {
		return err
	}
	return c.prepare(options)
}

// prepare is Prepare for a client that was checked.
func (c *Client) prepare(options Options) error {
	var err error
	if c.announced, err = c.deprecation(); err != nil {
		return err
	}
	switch {
	case c.Secret != "":
		c.hash = password.Digest(secretDigestKey, c.Secret)
	case c.SecretHash != "":
		hash, err := password.ParseSecret(c.SecretHash, options.AllowWeakHashes)
		if err != nil {
			return err
		}
		c.hash = hash
	}
	return nil
}

// clone is a copy that shares nothing with the client.
func (c *Client) clone() *Client {
	clone := *c
	for _, list := range clone.lists() {
		*list = slices.Clone(*list)
	}
	return &clone
}

// equal tells whether a client that a source returned is still the one that was
// admitted.
func (c *Client) equal(raw *Client) bool {
	if c.ID != raw.ID || c.Secret != raw.Secret || c.SecretHash != raw.SecretHash || c.Public != raw.Public ||
		c.AccessTokenTTL != raw.AccessTokenTTL || c.RefreshTokenTTL != raw.RefreshTokenTTL || c.EndUserIP != raw.EndUserIP ||
		c.Deprecation != raw.Deprecation || c.DeprecationLink != raw.DeprecationLink || c.Sunset != raw.Sunset {
		return false
	}
	lists := raw.lists()
	for i, list := range c.lists() {
		if !equalLists(*list, *lists[i]) {
			return false
		}
	}
	return true
}

// lists are the settings of a client that are lists.
func (c *Client) lists() [5]*[]string {
	return [...]*[]string{&c.Scopes, &c.DefaultScopes, &c.Grants, &c.Audience, &c.Introspect}
}

// secretDigestKey is the key under which plaintext client secrets are compared. It is
// new in every process, so the digests in its memory are of no use elsewhere.
var secretDigestKey = mac.NewKey(sha256.New, newKey())

// newKey never fails: crypto/rand ends the process instead.
func newKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}
