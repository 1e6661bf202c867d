package caddygrant

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/http/httpguts"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// Client is a registered client (RFC 6749 §2): an app that may ask for tokens. It is
// confidential, so it must authenticate, unless it is public. It is immutable once a
// source has it.
type Client struct {
	// The client id, 1 to 255 printable ASCII characters.
	ID string `json:"id"`

	// The client secret in plaintext, for clients in the config only. Placeholders are
	// replaced at start; use `{env.*}` or `{file.*}`, which keep it out of the config. What
	// looks like one without its braces, or like the path of a file, is refused.
	// Default: none, then secret_hash or public is needed.
	Secret string `json:"secret,omitempty"`

	// The hash of the client secret, of a kind that users may have. It is computed at a
	// token request unless it was a few minutes ago, so a plaintext secret or a cheap hash
	// of a long random secret is the better choice. Default: none, then secret or public is
	// needed.
	SecretHash string `json:"secret_hash,omitempty"`

	// Whether the client is public (RFC 6749 §2.1): it has no secret, and anybody may
	// pose as it. Default: `false`.
	Public bool `json:"public,omitempty"`

	// The scopes that the client may ask for. An empty list means none. Default: those
	// of the server.
	Scopes []string `json:"scopes,omitzero"`

	// The scopes of a request that names none. Default: all that the client may ask for.
	DefaultScopes []string `json:"default_scopes,omitzero"`

	// The grant types that the client may use, as far as the server offers them. An empty
	// list means none. Default: all that the server offers.
	Grants []string `json:"grants,omitzero"`

	// The audiences of the client's access tokens (`aud`). Default: those of the server.
	Audience []string `json:"audience,omitempty"`

	// How long the client's access tokens are valid. Default: as the server says.
	AccessTokenTTL caddy.Duration `json:"access_token_ttl,omitempty"`

	// How long the client's refresh tokens are valid if they are not used. Default: as the
	// server says.
	RefreshTokenTTL caddy.Duration `json:"refresh_token_ttl,omitempty"`

	// The audiences whose access tokens the client may introspect besides its own (RFC
	// 7662). Default: none.
	Introspect []string `json:"introspect,omitempty"`

	// The header in which the client, a trusted back end, sends its user's address with a
	// login, such as `X-End-User-IP`. Failed logins are then counted for that address
	// instead of for all users of the client together. Only what an authenticated client
	// sends is believed, and an address that cannot be read counts as none. Default: none.
	EndUserIP string `json:"end_user_ip,omitempty"`

	hash         password.Hash // of a confidential client
	aroundSecret []string      // what is warned of
}

// ClientSource is a guest module in the namespace grant.clients: it knows clients and
// never changes one that it has handed out. Look-ups are called at every request and
// from many goroutines; they must be quick and must not block.
type ClientSource interface {
	// Open gets the source ready. It is called once, before all else.
	Open(SourceOptions) error

	// ByID returns the client with that id, or nil.
	ByID(id string) *Client

	// All goes through all clients in a stable order.
	All() iter.Seq[*Client]

	// Hashes counts the confidential clients by what checking their secrets costs.
	Hashes() *password.Mix

	// String names the source for errors and logs.
	String() string
}

// mayUse tells whether the client may use a grant type.
func (c *Client) mayUse(grantType string) bool {
	return c.Grants == nil || slices.Contains(c.Grants, grantType)
}

// clientSet is clients under their ids.
type clientSet struct {
	clients []*Client
	byID    map[string]*Client
	hashes  *password.Mix
	advice  hashAdvice
	options SourceOptions
}

func newClientSet(options SourceOptions) *clientSet {
	return &clientSet{
		byID:    make(map[string]*Client),
		hashes:  new(password.Mix),
		advice:  make(hashAdvice),
		options: options,
	}
}

// add checks a client and takes it in; at is where it was found. Its errors never hold the
// secret or its hash.
func (s *clientSet) add(c *Client, at int) error {
	if err := c.validate(); err != nil {
		return err
	}
	if s.byID[c.ID] != nil {
		return userfile.ErrDuplicate
	}
	switch {
	case c.Secret != "":
		c.hash = password.Digest(secretDigestKey, c.Secret)
	case c.SecretHash != "":
		var err error
		if c.hash, err = password.Parse(c.SecretHash, s.options.AllowWeakHashes); err != nil {
			return err
		}
	}
	s.clients = append(s.clients, c)
	s.byID[c.ID] = c
	if !c.Public {
		s.hashes.Add(c.hash.Params())
		s.advice.add(c.hash.Params(), at)
	}
	return nil
}

func (s *clientSet) ByID(id string) *Client { return s.byID[id] }

func (s *clientSet) All() iter.Seq[*Client] { return slices.Values(s.clients) }

func (s *clientSet) Len() int { return len(s.clients) }

func (s *clientSet) Hashes() *password.Mix { return s.hashes }

func (s *clientSet) Advice() hashAdvice { return s.advice }

func (c *Client) validate() error {
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
		return fmt.Errorf("secret: %d bytes, at most %d are possible", len(c.Secret), password.MaxLength)
	case strings.IndexByte(c.Secret, 0) >= 0:
		return errors.New("secret: it holds a NUL character, which no client can send; if its file is UTF-16, save it as UTF-8")
	}
	if err := validateGrants(c.Grants); err != nil {
		return err
	}
	if c.AccessTokenTTL != 0 {
		if err := validateTTL("access_token_ttl", c.AccessTokenTTL); err != nil {
			return err
		}
	}
	if c.RefreshTokenTTL != 0 {
		if err := validateTTL("refresh_token_ttl", c.RefreshTokenTTL); err != nil {
			return err
		}
	}
	for _, audience := range c.Audience {
		if err := validateName("audience", audience); err != nil {
			return err
		}
	}
	if c.Public && c.Introspect != nil {
		return errors.New("introspect: a public client may not ask about tokens, since anybody can pose as it: give it a secret, or take introspect out")
	}
	if c.Public && c.EndUserIP != "" {
		return errors.New("end_user_ip: a public client cannot vouch for an address, since anybody may pose as it: give it a secret, or take end_user_ip out")
	}
	if c.EndUserIP != "" && !httpguts.ValidHeaderFieldName(c.EndUserIP) {
		return fmt.Errorf("end_user_ip: %q is not the name of a header", c.EndUserIP)
	}
	for _, audience := range c.Introspect {
		if err := validateName("introspect", audience); err != nil {
			return err
		}
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
