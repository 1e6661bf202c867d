// Package token makes and checks the tokens of a server: access tokens (RFC 9068),
// which apps and edges verify, and refresh tokens, which are for this server alone. It
// knows nothing of HTTP, grants or configuration.
package token

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/mac"
	"github.com/caddygrant/caddy-grant/internal/password"
)

// AccessClaims are the claims of an access token (RFC 9068 §2.2 and what an edge
// needs).
type AccessClaims struct {
	Issuer            string   `json:"iss,omitempty"`
	Subject           string   `json:"sub"`
	Audience          []string `json:"aud,omitempty"`
	Expires           int64    `json:"exp"` // unix seconds, as are the next two
	NotBefore         int64    `json:"nbf,omitempty"`
	IssuedAt          int64    `json:"iat,omitempty"`
	ID                string   `json:"jti"` // 160 random bits
	CID               string   `json:"cid"`
	ClientID          string   `json:"client_id"` // RFC 9068's name for cid
	Scope             string   `json:"scope,omitempty"`
	Username          string   `json:"username,omitempty"` // empty in a token that a client got for itself
	GrantType         string   `json:"gty,omitempty"`      // [ActingClient]; empty in a token of a user
	SessionID         string   `json:"sid"`
	CredentialVersion string   `json:"cver,omitempty"`
	Server            string   `json:"srv,omitempty"`  // older tokens lack it
	SessionVersion    int64    `json:"sver,omitempty"` // see [session.Claims]

	own map[string]json.RawMessage // the user's own; none has the name of one above
}

// encode writes the claims as encoding/json would, together with the user's own, but
// member by member, without reflection.
func (c *AccessClaims) encode(into *bytes.Buffer) error {
	b := into.AvailableBuffer()
	b = appendOptionalText(b, `,"iss":`, c.Issuer)
	b = appendText(b, `,"sub":`, c.Subject)
	b = appendOptionalTexts(b, `,"aud":`, c.Audience)
	b = appendNumber(b, `,"exp":`, c.Expires)
	b = appendOptionalNumber(b, `,"nbf":`, c.NotBefore)
	b = appendOptionalNumber(b, `,"iat":`, c.IssuedAt)
	b = appendText(b, `,"jti":`, c.ID)
	b = appendText(b, `,"cid":`, c.CID)
	b = appendText(b, `,"client_id":`, c.ClientID)
	b = appendOptionalText(b, `,"scope":`, c.Scope)
	b = appendOptionalText(b, `,"username":`, c.Username)
	b = appendOptionalText(b, `,"gty":`, c.GrantType)
	b = appendText(b, `,"sid":`, c.SessionID)
	b = appendOptionalText(b, `,"cver":`, c.CredentialVersion)
	b = appendOptionalText(b, `,"srv":`, c.Server)
	b = appendOptionalNumber(b, `,"sver":`, c.SessionVersion)
	b[0] = '{'
	if len(c.own) > 0 {
		own, err := json.Marshal(c.own)
		if err != nil {
			return err
		}
		own[0] = ','
		into.Write(append(b, own...))
		return nil
	}
	into.Write(append(b, '}'))
	return nil
}

// newTokenID is a `jti`: 160 random bits, base64url.
func newTokenID() string { return base64.RawURLEncoding.EncodeToString(randomBytes(idBytes)) }

// credentialVersion is a `cver`: 128 bits of a keyed digest of what a token depends on.
// A new password or another server gives another value, and without the key it reveals
// nothing about the hash. Lengths precede the parts, so that no part can run into the
// next. A scheme in braces before the hash makes no difference. For a user without a
// hash, whose source checks passwords, the version from the source takes its place; it
// is written as one part more, so it never equals the value for a hash.
func credentialVersion(key mac.Key, server string, user *directory.User) string {
	data := buffer.Borrow()
	defer buffer.ReturnSecret(data)
	for _, part := range [...]string{server, user.Subject(), password.Unprefixed(user.PasswordHash)} {
		data.Write(binary.BigEndian.AppendUint64(data.AvailableBuffer(), uint64(len(part))))
		data.WriteString(part)
	}
	if user.PasswordHash == "" {
		data.WriteString(user.CredentialVersion)
	}
	return versionOf(key, data)
}

// secretVersion is the `cver` of a client that acts for itself: the same of its secret,
// in a domain of its own, since no server has such a name. Whether the secret is in
// plaintext or hashed makes a difference.
func secretVersion(key mac.Key, server string, client *directory.Client) string {
	data := buffer.Borrow()
	defer buffer.ReturnSecret(data)
	for _, part := range [...]string{"a client's secret", server, client.ID, client.Secret, password.Unprefixed(client.SecretHash)} {
		data.Write(binary.BigEndian.AppendUint64(data.AvailableBuffer(), uint64(len(part))))
		data.WriteString(part)
	}
	return versionOf(key, data)
}

// versionOf is the first half of a digest of what is in the buffer. The digest is made in
// the buffer.
func versionOf(key mac.Key, data *bytes.Buffer) string {
	length := data.Len()
	data.Write(key.Append(data.AvailableBuffer(), data.Bytes()))
	return base64.RawURLEncoding.EncodeToString(data.Bytes()[length:][:16])
}

// randomBytes never fails: crypto/rand ends the process instead.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// Media types of access tokens (RFC 7519 §5.1, RFC 9068 §2.1).
const (
	TypeJWT         = "JWT"
	TypeAccessToken = "at+jwt"
)

// ActingClient is the value of `gty` in a token that a client got for itself, by the
// grant client_credentials: the claim and the value are those of Auth0. Apps that verify
// tokens by the key set tell by it that the subject is not a user.
const ActingClient = "client-credentials"

const idBytes = 20
