package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	// it refuses what the check of an access token would refuse
	strictjson "github.com/go-jose/go-jose/v4/json"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
)

// User is a resource owner. It has a PasswordHash or a CredentialVersion. It is
// immutable once a source has it.
type User struct {
	// The name to log in with, 1 to 255 bytes of UTF-8 without control characters. It
	// is compared byte by byte, without Unicode normalization.
	Username string `json:"username"`

	// The hash of the password: bcrypt, argon2id, yescrypt, sha512-crypt, sha256-crypt,
	// apr1 or md5-crypt, also with a scheme in braces before it, as Dovecot, OpenLDAP
	// and Spring write it.
	PasswordHash string `json:"password_hash"`

	// What changes with the password, such as LDAP's pwdChangedTime or Active
	// Directory's pwdLastSet: tokens from before the change end. It is for a source
	// that checks passwords itself, see [PasswordChecker], and cannot be set in a file
	// or a config.
	CredentialVersion string `json:"-"`

	// The subject: the `sub` claim of the user's tokens, unique over all sources.
	// Tokens belong to it, so a renamed user keeps theirs. Default: the username.
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

// Narrow leaves the scopes that the user may have. If none of the requested scopes is
// left, that is an error, never a wider grant.
func (u *User) Narrow(scopes []string) ([]string, error) {
	granted := u.Allowed(scopes)
	if len(granted) == 0 && len(scopes) > 0 {
		return nil, oauth.ScopeNotUsers(u.Scopes)
	}
	return granted, nil
}

// Allowed are those of the scopes that the user may have: all of them for a user
// without a list, none for one with an empty list.
func (u *User) Allowed(scopes []string) []string {
	if u.Scopes == nil {
		return scopes
	}
	return oauth.Intersect(scopes, u.Scopes)
}

// Validate checks all but the hash, whose bounds depend on the server. It is called on
// whatever a source returns, before it is used. Its errors never hold the hash.
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
	switch {
	case u.PasswordHash != "" && u.CredentialVersion != "":
		return errors.New("it has a password_hash and a credential version: keep one of them")
	case len(u.CredentialVersion) > MaxNameLength:
		return fmt.Errorf("credential version: it must have at most %d bytes", MaxNameLength)
	case u.PasswordHash == "" && u.CredentialVersion == "":
		return errors.New("it has no password_hash: make one with \"caddy hash-password --algorithm argon2id\"")
	}
	if err := oauth.ValidateScopes("scopes", u.Scopes); err != nil {
		return err
	}
	size := 0
	for name, value := range u.Claims {
		if IsReservedClaim(name) {
			if member := setBy[name]; member != "" {
				return fmt.Errorf("claims: %q is the user's %q: set that instead", name, member)
			}
			return fmt.Errorf("claims: %q has a meaning of its own in tokens or placeholders: choose another name", name)
		}
		if err := validateName("claims: name", name); err != nil {
			return err
		}
		var checked any
		if !utf8.Valid(value) || strictjson.Unmarshal(value, &checked) != nil {
			return fmt.Errorf("claims: the value of %s is not JSON, or has a duplicate member or a number that is too large", Shown(name))
		}
		size += len(name) + len(value)
	}
	if size > maxClaimsSize {
		return fmt.Errorf("claims: %d bytes, the maximum is %d", size, maxClaimsSize)
	}
	return nil
}

// prepare parses the hash of a valid user. From here on its text is the same with and
// without a scheme in braces. A user without a hash has the zero Hash.
func (u *User) prepare(options Options) (password.Hash, error) {
	if u.PasswordHash == "" {
		return password.Hash{}, nil
	}
	hash, err := password.Parse(u.PasswordHash, options.AllowWeakHashes)
	if err != nil {
		return password.Hash{}, err
	}
	u.PasswordHash = password.Unprefixed(u.PasswordHash)
	return hash, nil
}

// clone is a copy that shares nothing with the user.
func (u *User) clone() *User {
	clone := *u
	clone.Scopes = slices.Clone(u.Scopes)
	clone.Claims = maps.Clone(u.Claims)
	for name, value := range clone.Claims {
		clone.Claims[name] = bytes.Clone(value)
	}
	return &clone
}

// equal tells whether a user that a source returned is still the one that was admitted.
func (u *User) equal(raw *User) bool {
	return u.Username == raw.Username && u.ID == raw.ID && u.Disabled == raw.Disabled &&
		u.PasswordHash == password.Unprefixed(raw.PasswordHash) && u.CredentialVersion == raw.CredentialVersion &&
		equalLists(u.Scopes, raw.Scopes) &&
		maps.EqualFunc(u.Claims, raw.Claims, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

// IsReservedClaim tells whether users may not have a claim of that name.
func IsReservedClaim(name string) bool { return slices.Contains(reservedClaims, name) }

// reservedClaims are the registered claims of RFC 7519 §4.1, the claims of our tokens,
// the names under {http.auth.user.*}, members of introspection responses, and claims
// that bind or delegate a token.
var reservedClaims = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti",
	"cid", "client_id", "scope", "username", "sid", "cver", "srv", "sver", "gty",
	"access_token_id", "refresh_token_id", "user_id", "expire_time", "gen", "session_exp",
	"id", "token_id", "session_id", "issuer", "kind", "key_name",
	"active", "token_type",
	"cnf", "act", "may_act",
}

// setBy are the members of a user that set a reserved claim.
var setBy = map[string]string{"sub": "id", "user_id": "id", "scope": "scopes"}

const maxClaimsSize = 4 << 10
