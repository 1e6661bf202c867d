package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	// it refuses what checkAccessToken would refuse
	strictjson "github.com/go-jose/go-jose/v4/json"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// User is a resource owner. It is immutable once a source has it.
type User struct {
	// The name to log in with, 1 to 255 bytes of UTF-8 without control characters. It is
	// compared byte by byte, without Unicode normalization.
	Username string `json:"username"`

	// The hash of the password: bcrypt, argon2id, yescrypt, sha512-crypt, sha256-crypt, apr1
	// or md5-crypt, also with a scheme in braces before it, as Dovecot, OpenLDAP and Spring
	// write it.
	PasswordHash string `json:"password_hash"`

	// The subject: the `sub` claim of the user's tokens, unique over all sources. Tokens
	// belong to it, so a renamed user keeps theirs. Default: the username.
	ID string `json:"id,omitempty"`

	// The scopes that the user may have: what is granted is narrowed to them. An empty
	// list means none. Default: whatever the client may ask for.
	Scopes []string `json:"scopes,omitzero"`

	// Claims for the user's access tokens. Names of registered claims and of claims and
	// placeholders of this module are refused. Default: none.
	Claims map[string]json.RawMessage `json:"claims,omitempty"`

	// Whether to refuse the user, as if the password were wrong. Default: `false`.
	Disabled bool `json:"disabled,omitempty"`
}

// Subject is what the user's tokens belong to (`sub`).
func (u *User) Subject() string {
	if u.ID != "" {
		return u.ID
	}
	return u.Username
}

// Narrow leaves the scopes that the user may have. Where none is left of what was asked
// for, that is an error, never a wider grant.
func (u *User) Narrow(scopes []string) ([]string, error) {
	granted := u.Allowed(scopes)
	if len(granted) == 0 && len(scopes) > 0 {
		return nil, oauth.InvalidScope("scope_not_users", "this user may not have any of these scopes").Of(u.Scopes)
	}
	return granted, nil
}

// Allowed are those of the scopes that the user may have: all of them for a user without a
// list, none for one with an empty list.
func (u *User) Allowed(scopes []string) []string {
	if u.Scopes == nil {
		return scopes
	}
	return oauth.Intersect(scopes, u.Scopes)
}
func (u *User) Validate() error {
	if looksLikeHash.MatchString(u.Username) {
		return errors.New("the username comes first, then the hash")
	}
	if err := validateEntryName("username", u.Username); err != nil {
		return err
	}
	if u.ID != "" {
		if err := validateEntryName("id", u.ID); err != nil {
			return err
		}
	}
	if u.PasswordHash == "" {
		return errors.New("it has no password_hash: make one with \"caddy hash-password --algorithm argon2id\"")
	}
	if err := oauth.ValidateScopes("scopes", u.Scopes); err != nil {
		return err
	}
	size := 0
	for name, value := range u.Claims {
		if IsReservedClaim(name) {
			return fmt.Errorf("claims: %q has a meaning of its own in tokens or placeholders: choose another name", name)
		}
		if err := validateName("claims: name", name); err != nil {
			return err
		}
		var checked any
		if !utf8.Valid(value) || strictjson.Unmarshal(value, &checked) != nil {
			return fmt.Errorf("claims: the value of %s is not JSON, has a member twice, or a number that is too large", Shown(name))
		}
		size += len(name) + len(value)
	}
	if size > maxClaimsSize {
		return fmt.Errorf("claims: %d bytes, at most %d are possible", size, maxClaimsSize)
	}
	return nil
}

// IsReservedClaim tells whether users may not have a claim of that name.
func IsReservedClaim(name string) bool { return slices.Contains(reservedClaims, name) }

// reservedClaims are the registered claims of RFC 7519 §4.1, the claims of our tokens,
// the names under {http.auth.user.*}, members of introspection responses, and claims that
// bind or delegate a token.
var reservedClaims = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti",
	"cid", "client_id", "scope", "username", "sid", "cver", "srv",
	"access_token_id", "refresh_token_id", "user_id", "expire_time", "gen", "session_exp",
	"id", "token_id", "session_id",
	"active", "token_type",
	"cnf", "act", "may_act",
}

const maxClaimsSize = 4 << 10
