package apikey

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// Key is an entry of a file: what is known of a key without the key. It is never
// changed once a [Set] has it.
type Key struct {
	// The name by which people, logs and metrics know the key: 1 to 255 bytes of UTF-8
	// without blanks. Unique. Required.
	Name string `json:"name"`

	// The SHA-256 of the whole key: "sha256:" and 64 hex digits. Required.
	Hash string `json:"hash"`

	// The owner, one of three. A user with an id is named by it, and a user without one
	// by the username. Required.
	User   string `json:"user,omitempty"`
	UserID string `json:"user_id,omitempty"`
	Client string `json:"client,omitempty"`

	// The scopes that the key has, as far as its owner has them. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// The audiences that the key is for. Default: those of the client that owns it, or
	// those of the server.
	Audience []string `json:"audience,omitzero"`

	// When the key ends: a day, as in 2027-01-31, which is midnight UTC at its start,
	// or a time of RFC 3339. Default: never.
	Expires End `json:"expires,omitempty"`

	// What the key is for, at most 255 bytes. Default: none.
	Note string `json:"note,omitempty"`

	digest      Digest
	fingerprint string
	ends        time.Time // of Expires
}

// Validate checks a key and reads its hash and its end, so it comes before Digest,
// Fingerprint, Ends and Expired.
func (k *Key) Validate() error {
	if err := validateName("name", k.Name); err != nil {
		return err
	}
	digest, err := parseHash(k.Hash)
	if err != nil {
		return err
	}
	if err := k.validateOwner(); err != nil {
		return err
	}
	if err := oauth.ValidateScopes("scopes", k.Scopes); err != nil {
		if slices.ContainsFunc(k.Scopes, isSecret) {
			return errors.New("scopes: one of them is not a scope, and is not shown since it may be a key or a hash")
		}
		return err
	}
	if len(k.Audience) > maxAudiences {
		return fmt.Errorf("audience: there are %d, the maximum is %d", len(k.Audience), maxAudiences)
	}
	for i, audience := range k.Audience {
		if err := validEntry("audience", audience); err != nil {
			return err
		}
		if slices.Contains(k.Audience[:i], audience) {
			return fmt.Errorf("audience: %s is a duplicate: remove it", shown(audience))
		}
	}
	ends, err := ParseEnd(string(k.Expires))
	if err != nil {
		return err
	}
	if len(k.Note) > maxNote || !utf8.ValidString(k.Note) || strings.ContainsFunc(k.Note, unicode.IsControl) {
		return fmt.Errorf("note: it must be one line of UTF-8 of at most %d bytes, without control characters", maxNote)
	}
	if strings.Contains(k.Note, Prefix) {
		return errors.New("note: it holds what looks like a key: remove it, and revoke that key")
	}
	sum := sha256.Sum256(digest[:])
	k.digest, k.fingerprint, k.ends = digest, hex.EncodeToString(sum[:16]), ends
	return nil
}

// ValidateKeyName enforces what the name of a key must be.
func ValidateKeyName(name string) error { return validateName("name", name) }

// validateName refuses blanks too: a line is split at them.
func validateName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s: there is none: every key needs a name", what)
	case isSecret(name) || strings.HasPrefix(name, hashPrefix):
		return fmt.Errorf("%s: it looks like a key or a hash, and is not shown: the name comes first, then the hash", what)
	case strings.ContainsFunc(name, unicode.IsSpace):
		return fmt.Errorf("%s %s: the name of a key has no blanks: write - instead", what, shown(name))
	case name[0] == '#':
		return fmt.Errorf("%s %s: a name cannot begin with #, which begins a comment", what, shown(name))
	}
	return directory.ValidateName(what, name)
}

func (k *Key) validateOwner() error {
	owners := 0
	for _, owner := range []struct{ field, name string }{{"user", k.User}, {"user_id", k.UserID}, {"client", k.Client}} {
		if owner.name == "" {
			continue
		}
		owners++
		if err := validEntry(owner.field, owner.name); err != nil {
			return err
		}
	}
	switch owners {
	case 0:
		return errors.New("it has no owner: add user, user_id or client with whose key it is")
	case 1:
		return nil
	}
	return errors.New("it has more than one owner: keep one of user, user_id and client")
}

// validEntry enforces what a username, a client id or an audience must be. The error
// does not show what may be a secret.
func validEntry(what, name string) error {
	err := directory.ValidateName(what, name)
	if err != nil && isSecret(name) || strings.Contains(name, Prefix) {
		return fmt.Errorf("%s: not valid, and not shown since it may be a key or a hash", what)
	}
	return err
}

// shown quotes a text for an error, unless it may be a secret.
func shown(text string) string {
	if isSecret(text) {
		return "(not shown)"
	}
	return directory.Shown(text)
}

// End is when a key ends, as it is written.
type End string

// UnmarshalJSON refuses a member without a value: who wrote it meant some end.
func (e *End) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New("key \"expires\": must be a string")
	}
	if text == "" {
		return errors.New("expires: it is empty: write a date, or leave it out for a key that does not end")
	}
	*e = End(text)
	return nil
}

var errEnd = errors.New("expires: not a date: write it as 2027-01-31, which is midnight UTC, or as 2027-01-31T18:00:00Z")

// ParseEnd reads when a key ends: a day, which begins at midnight UTC, or a time of RFC
// 3339. Of an empty text it is the zero time, never.
func ParseEnd(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if end, err := time.Parse(layout, text); err == nil && end.Year() >= 2000 {
			return end.UTC().Truncate(time.Second), nil
		}
	}
	return time.Time{}, errEnd
}

// String keeps the hash out of logs.
func (k *Key) String() string { return "API key " + shown(k.Name) }

// GoString is String for %#v.
func (k *Key) GoString() string { return k.String() }

// Digest is the hash of the key.
func (k *Key) Digest() Digest { return k.digest }

// Fingerprint stands for the key in storage, and tells nothing of its hash: 32 hex
// digits.
func (k *Key) Fingerprint() string { return k.fingerprint }

// Ends is when the key ends; the zero time is never.
func (k *Key) Ends() time.Time { return k.ends }

// Expired tells whether the key has ended.
func (k *Key) Expired(now time.Time) bool { return !k.ends.IsZero() && !now.Before(k.ends) }

// IsClients tells whether a client owns the key, and not a user.
func (k *Key) IsClients() bool { return k.Client != "" }

// Owner is the field that names the owner, user, user_id or client, and its value.
func (k *Key) Owner() (field, name string) {
	switch {
	case k.User != "":
		return "user", k.User
	case k.UserID != "":
		return "user_id", k.UserID
	}
	return "client", k.Client
}

const (
	maxAudiences = 64
	maxNote      = 255
)
