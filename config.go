package caddygrant

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/setting"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Config is the settings of one authorization server. Endpoints that have the same name
// share one server, so their settings must be equal.
type Config struct {
	// The name of the server: 1 to 32 of `a-z`, `0-9`, `_` and `-`. It is a part of the
	// storage keys and of the credential versions in tokens, so that a new name means
	// new keys. Default: `default`.
	Name string `json:"name,omitempty"`

	// The issuer: the `iss` claim of access tokens, an https URL without query and
	// fragment (http on a loopback host). Placeholders are replaced at start. Default:
	// none.
	Issuer string `json:"issuer,omitempty"`

	// The audiences: the `aud` claim of access tokens. Placeholders are replaced at
	// start. Default: the issuer, where there is one.
	Audience []string `json:"audience,omitempty"`

	// The scopes that clients without a list of their own may ask for. Default: none.
	Scopes []string `json:"scopes,omitzero"`

	// The grant types that the server offers: `password`, `refresh_token` and
	// `client_credentials`. Without `refresh_token` no client gets a refresh token.
	// `client_credentials` is offered only while a client lists it. Default: all, and
	// without users `client_credentials` alone.
	Grants []string `json:"grants,omitzero"`

	// How long an access token is valid, at least one second. Default: `1h`.
	AccessTokenTTL caddy.Duration `json:"access_token_ttl,omitempty"`

	// How long a refresh token is valid if it is not used; every use gives a new one.
	// Default: `14d`.
	RefreshTokenTTL caddy.Duration `json:"refresh_token_ttl,omitempty"`

	// How long after the login a session ends, however often it is refreshed. No token
	// of a session outlives it. Default: `30d`.
	SessionTTL caddy.Duration `json:"session_ttl,omitempty"`

	// How long after its use a refresh token may be sent again by a client that did not
	// get the answer, at most 10 minutes. The client then gets the token that replaced
	// it once more; a later use ends the session. Default: `0s`, a refresh token can be
	// used only once.
	RefreshGrace caddy.Duration `json:"refresh_grace,omitempty"`

	// How often to look in storage for sessions that other nodes revoked, `100ms` to
	// `5m`. Only a config with a `bearer_auth` for this server does so. Default: `2s`.
	RevocationPoll caddy.Duration `json:"revocation_poll,omitempty"`

	// Where sessions begin and live: an engine that is compiled in, such as `redis` or
	// `postgres`. A session stays where it began. Default: `storage`, Caddy's storage.
	SessionsRaw json.RawMessage `json:"sessions,omitempty" caddy:"namespace=grant.sessions inline_key=engine"`

	// The engines in which sessions live that began in another config, so that moving to
	// another engine ends none: their tokens are exchanged, revoked and checked where
	// they are. Default: none.
	AlsoSessionsRaw []json.RawMessage `json:"also_sessions,omitempty" caddy:"namespace=grant.sessions inline_key=engine"`

	// How old an answer of a source of users or clients may be for a request with an
	// access token, `100ms` to `5m`: how late a user who was removed there is cut off.
	// Only for sources that have to be queried, such as a database; a file is always in
	// memory, and a login or a refresh always queries the source. Default: `10s`.
	SourceMaxAge caddy.Duration `json:"source_max_age,omitempty"`

	// The `typ` header of access tokens, `JWT` or `at+jwt`; the latter (RFC 9068) needs
	// an issuer. Default: `JWT`.
	Typ string `json:"typ,omitempty"`

	// How far the clocks of this server and of the server that issued a token may
	// differ: access tokens are accepted that much earlier and longer, at most 5
	// minutes. Default: `30s`.
	Leeway *caddy.Duration `json:"leeway,omitempty"`

	// The keys: the first signs access tokens, all of them are published if they are
	// asymmetric. Default: one ES256 key, generated in Caddy's storage at the first
	// start and shared by all servers of this name and issuer on that storage.
	SigningKeys []SigningKey `json:"signing_key,omitempty"`

	// How often to replace generated keys, at least `1h`. A new key is published for 15
	// minutes before it signs, and the old one until the last token that it signed has
	// expired. Default: `0`, off.
	RotateEvery caddy.Duration `json:"rotate_every,omitempty"`

	// Where the users are. The first source that has a username decides. At least one.
	// Required.
	UsersRaw []json.RawMessage `json:"users,omitempty" caddy:"namespace=grant.users inline_key=source"`

	// Where the clients are. The first source that has a client id decides. At least
	// one, unless there is a login page or a file of API keys. Required.
	ClientsRaw []json.RawMessage `json:"clients,omitempty" caddy:"namespace=grant.clients inline_key=source"`

	// The id of a public client that stands for requests that name no client: requests
	// that have neither a client_id nor a secret, in the header or in the body. Anyone
	// who can reach the endpoint can then try passwords without knowing a client.
	// Placeholders are replaced at start. Default: none, such requests are refused.
	DefaultClient string `json:"default_client,omitempty"`

	// The files of API keys, for scripts: a `bearer_auth` takes them where it says so.
	// Default: none.
	APIKeys []APIKeyFile `json:"api_keys,omitempty"`

	// A page on which people log in with a browser. Default: none.
	LoginPage *LoginPage `json:"login_page,omitempty"`

	// Bounds on password hashing. All servers of a Caddy process share one budget, so
	// servers that set a bound must agree on it. Default: the default of each bound.
	PasswordChecks *PasswordChecks `json:"password_checks,omitempty"`

	// Bounds on failed logins. Default: the default of each bound.
	Throttle *Throttle `json:"throttle,omitempty"`

	// Accept `{SHA}` and `{SSHA}` hashes, which a thief of the file reverses at a rate
	// of billions a second. Default: `false`.
	AllowWeakHashes bool `json:"allow_weak_hashes,omitempty"`

	// Write the username of refused requests to the log, even if it does not exist and
	// may be a password typed into the wrong field. Default: `false`.
	LogUsernames bool `json:"log_usernames,omitempty"`
}

// fingerprint tells whether two servers have equal settings.
func (c Config) fingerprint() (string, error) {
	encoded, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encoding the settings of server %q: %w", c.Name, err)
	}
	return string(encoded), nil
}

func errDifferentSettings(name, here, there string) error {
	at := "in two places"
	if here != "" && there != "" {
		at = "at " + there + " and at " + here
	}
	return fmt.Errorf("two token endpoints named %q, %s, have different settings: make them equal, or give one of them a name of its own, such as \"name people\", and write \"bearer_auth people\" on its sites", name, at)
}

// resolve replaces the placeholders of the server's own settings.
func (c *Config) resolve(repl *caddy.Replacer) error {
	issuer, err := setting.Resolve(repl, "issuer", c.Issuer)
	if err != nil {
		return err
	}
	c.Issuer = issuer
	if c.Audience, err = setting.ResolveList(repl, "audience", c.Audience); err != nil {
		return err
	}
	if c.Scopes, err = setting.ResolveList(repl, "scopes", c.Scopes); err != nil {
		return err
	}
	if c.DefaultClient, err = setting.Resolve(repl, "default_client", c.DefaultClient); err != nil {
		return err
	}
	if c.LoginPage == nil {
		return nil
	}
	page := *c.LoginPage // the handler keeps what it was given
	c.LoginPage = &page
	return page.resolve(repl)
}

// validate checks the settings other than sources and bounds, and fills in defaults.
func (c *Config) validate() error {
	if c.Issuer != "" {
		if err := oauth.ValidateIssuer(c.Issuer); err != nil {
			return err
		}
		if len(c.Audience) == 0 {
			c.Audience = []string{c.Issuer}
		}
	}
	switch c.Typ {
	case "":
		c.Typ = token.TypeJWT
	case token.TypeJWT:
	case token.TypeAccessToken:
		if c.Issuer == "" {
			return errNeedsIssuer
		}
	default:
		return fmt.Errorf("typ %q: it must be %s or %s", c.Typ, token.TypeJWT, token.TypeAccessToken)
	}
	if c.AccessTokenTTL == 0 {
		c.AccessTokenTTL = caddy.Duration(defaultAccessTokenTTL)
	}
	if err := oauth.ValidateLifetime("access_token_ttl", time.Duration(c.AccessTokenTTL)); err != nil {
		return err
	}
	if err := c.validateSessions(); err != nil {
		return err
	}
	if c.RotateEvery != 0 {
		if err := validateRotation(c.RotateEvery); err != nil {
			return err
		}
	}
	if c.Leeway == nil {
		leeway := caddy.Duration(defaultLeeway)
		c.Leeway = &leeway
	}
	if err := validateLeeway(*c.Leeway); err != nil {
		return err
	}
	if c.SourceMaxAge == 0 {
		c.SourceMaxAge = caddy.Duration(directory.DefaultMaxAge)
	}
	if err := validateSourceMaxAge(c.SourceMaxAge); err != nil {
		return err
	}
	for _, file := range c.APIKeys {
		if err := file.validate(); err != nil {
			return err
		}
	}
	if c.LoginPage != nil {
		if err := c.LoginPage.validate(c.Name); err != nil {
			return err
		}
	}
	return oauth.ValidateScopes("scopes", c.Scopes)
}

// needsNoUsers tells whether the settings, apart from the clients, offer nothing that
// takes a user.
func (c *Config) needsNoUsers() bool {
	return c.LoginPage == nil && !slices.ContainsFunc(c.Grants, func(grantType string) bool { return grantType != oauth.GrantTypeClientCredentials })
}

// validateSessions checks and completes the settings of refresh tokens and sessions.
func (c *Config) validateSessions() error {
	switch {
	case c.Grants != nil:
	case len(c.UsersRaw) == 0:
		c.Grants = []string{oauth.GrantTypeClientCredentials}
	default:
		c.Grants = grantTypeNames()
	}
	if len(c.Grants) == 0 {
		return errors.New("grants: an empty list would offer nothing: leave it out for all grants")
	}
	if err := oauth.ValidateGrantTypes(c.Grants, grantTypeNames()); err != nil {
		return err
	}
	if c.RefreshTokenTTL == 0 {
		c.RefreshTokenTTL = caddy.Duration(defaultRefreshTokenTTL)
	}
	if err := oauth.ValidateLifetime("refresh_token_ttl", time.Duration(c.RefreshTokenTTL)); err != nil {
		return err
	}
	if c.SessionTTL == 0 {
		c.SessionTTL = caddy.Duration(defaultSessionTTL)
	}
	if err := oauth.ValidateLifetime("session_ttl", time.Duration(c.SessionTTL)); err != nil {
		return err
	}
	if err := validateGrace(c.RefreshGrace); err != nil {
		return err
	}
	if c.RevocationPoll == 0 {
		c.RevocationPoll = caddy.Duration(defaultRevocationPoll)
	}
	return validateRevocationPoll(c.RevocationPoll)
}

func validateSourceMaxAge(age caddy.Duration) error {
	if d := time.Duration(age); d < minSourceMaxAge || d > maxSourceMaxAge {
		return fmt.Errorf("source_max_age: it must be 100ms to 5m%s", oauth.BareNumber(d))
	}
	return nil
}

// validateGrace keeps the grace short: while it lasts, a stolen refresh token may be
// used alongside its owner's.
func validateGrace(grace caddy.Duration) error {
	if d := time.Duration(grace); d < 0 || d > maxRefreshGrace {
		return errors.New("refresh_grace: it must be 0s to 10m")
	}
	return nil
}

func validateRevocationPoll(poll caddy.Duration) error {
	if d := time.Duration(poll); d < minRevocationPoll || d > maxRevocationPoll {
		return fmt.Errorf("revocation_poll: it must be 100ms to 5m%s", oauth.BareNumber(d))
	}
	return nil
}

func validateLeeway(leeway caddy.Duration) error {
	if d := time.Duration(leeway); d < 0 || d > maxLeeway {
		return errors.New("leeway: it must be 0s to 5m")
	}
	return nil
}

// validateRotation leaves time to publish a new key before the next one is made.
func validateRotation(every caddy.Duration) error {
	if d := time.Duration(every); d < minRotation {
		return fmt.Errorf("rotate_every: it must be at least 1h, or off%s", oauth.BareNumber(d))
	}
	return nil
}

var (
	errNeedsIssuer = errors.New("typ at+jwt (RFC 9068) needs an issuer: add the line \"issuer https://...\"")

	validName = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)
)

const (
	defaultAccessTokenTTL  = time.Hour
	defaultRefreshTokenTTL = 14 * 24 * time.Hour
	defaultSessionTTL      = 30 * 24 * time.Hour
	maxRefreshGrace        = 10 * time.Minute
	defaultRevocationPoll  = 2 * time.Second
	minRevocationPoll      = 100 * time.Millisecond
	maxRevocationPoll      = 5 * time.Minute
	minSourceMaxAge        = 100 * time.Millisecond
	maxSourceMaxAge        = 5 * time.Minute
	minRotation            = time.Hour
	defaultLeeway          = 30 * time.Second
	maxLeeway              = 5 * time.Minute
)
