package caddygrant

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	// it refuses what checkAccessToken would refuse
	strictjson "github.com/go-jose/go-jose/v4/json"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/userfile"
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

// UserSource is a guest module in the namespace grant.users: it knows users and never
// changes one that it has handed out. Look-ups are called at every request and from
// many goroutines; they must be quick and must not block.
type UserSource interface {
	// Open gets the source ready. It is called once, before all else.
	Open(SourceOptions) error

	// ByUsername returns the user of that name, or nil.
	ByUsername(username string) *User

	// BySubject returns the user with that subject, or nil.
	BySubject(subject string) *User

	// All goes through all users in a stable order.
	All() iter.Seq[*User]

	// Hashes counts the users by what checking their passwords costs.
	Hashes() *password.Mix

	// String names the source for errors and logs.
	String() string
}

// SourceOptions is what a server asks of its sources.
type SourceOptions struct {
	// Accept unsalted and fast hashes.
	AllowWeakHashes bool
}

// userSet is users under two indexes.
type userSet struct {
	users      []*User
	byUsername map[string]*User
	bySubject  map[string]*User // nil as long as every subject is the username
	hashes     *password.Mix
	advice     hashAdvice
	options    SourceOptions
}

func newUserSet(options SourceOptions) *userSet {
	return &userSet{
		byUsername: make(map[string]*User),
		hashes:     new(password.Mix),
		advice:     make(hashAdvice),
		options:    options,
	}
}

// add checks a user and takes it in; at is where it was found. Its errors never hold the hash.
func (s *userSet) add(u *User, at int) error {
	if err := u.validate(); err != nil {
		return err
	}
	if s.byUsername[u.Username] != nil {
		return userfile.ErrDuplicate
	}
	if u.ID != "" && s.bySubject == nil {
		s.bySubject = make(map[string]*User, len(s.users))
		for _, other := range s.users {
			s.bySubject[other.Subject()] = other
		}
	}
	if s.bySubject[u.Subject()] != nil {
		return errors.New("its id is that of another user (where there is none, the username is the id)")
	}
	hash, err := password.Parse(u.PasswordHash, s.options.AllowWeakHashes)
	if err != nil {
		return err
	}

	// from here on the text is the same with and without a scheme in braces
	u.PasswordHash = password.Unprefixed(u.PasswordHash)
	s.users = append(s.users, u)
	s.byUsername[u.Username] = u
	if s.bySubject != nil {
		s.bySubject[u.Subject()] = u
	}
	s.hashes.Add(hash.Params())
	s.advice.add(hash.Params(), at)
	return nil
}

func (s *userSet) ByUsername(username string) *User { return s.byUsername[username] }

func (s *userSet) BySubject(subject string) *User {
	if s.bySubject == nil {
		return s.byUsername[subject]
	}
	return s.bySubject[subject]
}

func (s *userSet) All() iter.Seq[*User] { return slices.Values(s.users) }

func (s *userSet) Len() int { return len(s.users) }

func (s *userSet) Hashes() *password.Mix { return s.hashes }

func (s *userSet) Advice() hashAdvice { return s.advice }

func (u *User) validate() error {
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
		if slices.Contains(reservedClaims, name) {
			return fmt.Errorf("claims: %q has a meaning of its own in tokens or placeholders: choose another name", name)
		}
		if err := validateName("claims: name", name); err != nil {
			return err
		}
		var checked any
		if !utf8.Valid(value) || strictjson.Unmarshal(value, &checked) != nil {
			return fmt.Errorf("claims: the value of %s is not JSON, has a member twice, or a number that is too large", shown(name))
		}
		size += len(name) + len(value)
	}
	if size > maxClaimsSize {
		return fmt.Errorf("claims: %d bytes, at most %d are possible", size, maxClaimsSize)
	}
	return nil
}

// validateName holds what every name of a user or client must: it will be in logs,
// tokens and headers.
func validateName(what, name string) error {
	switch {
	case name == "" || len(name) > maxNameLength:
		return fmt.Errorf("%s: it must have 1 to %d bytes", what, maxNameLength)
	case !utf8.ValidString(name):
		return fmt.Errorf("%s: it must be UTF-8", what)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%s: it must be without control characters", what)
	}
	return nil
}

// validateEntryName is validateName for what a user or client is found by. It also refuses
// what is clearly a mistake, since no client would send it.
func validateEntryName(what, name string) error {
	if err := validateName(what, name); err != nil {
		return err
	}
	if err := userfile.OddName(name); err != nil {
		return fmt.Errorf("%s %s: %w", what, shown(name), err)
	}
	return nil
}

// shown quotes a name for an error message, unless it may be a hash in the wrong place.
func shown(name string) string {
	if looksLikeHash.MatchString(name) || hashWithin.MatchString(name) {
		return "(a hash)"
	}
	if len(name) > 32 {
		return userfile.Quote(string([]rune(name)[:min(32, utf8.RuneCountInString(name))])) + "..."
	}
	return userfile.Quote(name)
}

var (
	looksLikeHash = regexp.MustCompile(`^(\$+[A-Za-z0-9-]+\$|\{[A-Za-z0-9@._-]+\}.)`)

	// hashWithin has something before the hash, such as a quote.
	hashWithin = regexp.MustCompile(`\$[A-Za-z0-9-]+\$|^[^A-Za-z0-9]*\{[A-Za-z0-9@._-]+\}.`)
)

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

const (
	maxNameLength = 255
	maxClaimsSize = 4 << 10
)
