package caddygrant

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddygrant/caddy-grant/internal/keyring"
)

// tokenResponse is the body of a successful answer (RFC 6749 §5.1).
type tokenResponse struct {
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	AccessToken string `json:"access_token"`
	Scope       string `json:"scope"`

	tokenID   string
	sessionID string
}

// accessClaims are the claims of an access token (RFC 9068 §2.2 and what an edge needs).
type accessClaims struct {
	jwt.RegisteredClaims
	CID               string `json:"cid"`
	ClientID          string `json:"client_id"` // RFC 9068's name of the same
	Scope             string `json:"scope,omitempty"`
	Username          string `json:"username"`
	SessionID         string `json:"sid"`
	CredentialVersion string `json:"cver"`

	own map[string]json.RawMessage // the user's own; none is named like those above
}

// MarshalJSON puts the user's own claims beside the others.
func (c *accessClaims) MarshalJSON() ([]byte, error) {
	type plain accessClaims
	encoded, err := json.Marshal((*plain)(c))
	if err != nil || len(c.own) == 0 {
		return encoded, err
	}
	own, err := json.Marshal(c.own)
	if err != nil {
		return nil, err
	}
	return append(append(encoded[:len(encoded)-1], ','), own[1:]...), nil
}

// mint makes the tokens of an authorization. Without a refresh token the session ends
// with its access token.
func (s *Server) mint(keys *keySet, req *tokenRequest, a *authorization) (*tokenResponse, error) {
	ttl := time.Duration(s.AccessTokenTTL)
	if own := time.Duration(req.client.AccessTokenTTL); own != 0 {
		ttl = own
	}
	audience := s.Audience
	if req.client.Audience != nil {
		audience = req.client.Audience
	}
	issued := now().Truncate(time.Second)
	expires := issued.Add(ttl)
	scope := strings.Join(a.scopes, " ")

	claims := &accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    s.Issuer,
			Subject:   a.user.Subject(),
			Audience:  audience,
			ExpiresAt: jwt.NewNumericDate(expires),
			NotBefore: jwt.NewNumericDate(issued),
			IssuedAt:  jwt.NewNumericDate(issued),
			ID:        newTokenID(),
		},
		CID:               req.client.ID,
		ClientID:          req.client.ID,
		Scope:             scope,
		Username:          a.user.Username,
		SessionID:         newSessionID(expires),
		CredentialVersion: credentialVersion(keys.credentialVersion, s.Name, a.user),
		own:               a.user.Claims,
	}
	token, err := keys.ring.Signer().Sign(s.Typ, claims)
	if err != nil {
		return nil, fmt.Errorf("signing an access token: %w", err)
	}
	if len(token) > keyring.MaxTokenLength {
		return nil, fmt.Errorf("the access token would have %d bytes, at most %d are possible: shorten the user's claims or scopes", len(token), keyring.MaxTokenLength)
	}
	return &tokenResponse{
		TokenType:   "Bearer",
		ExpiresIn:   int64(ttl / time.Second),
		AccessToken: token,
		Scope:       scope,
		tokenID:     claims.ID,
		sessionID:   claims.SessionID,
	}, nil
}

// newTokenID is a `jti`: 160 random bits, base64url.
func newTokenID() string { return base64.RawURLEncoding.EncodeToString(randomBytes(idBytes)) }

// newSessionID is a `sid`: the UTC day on which the session ends, so that what is kept
// about it can be swept by the day, then 160 random bits in hex.
func newSessionID(end time.Time) string {
	return end.UTC().Format("20060102") + "-" + hex.EncodeToString(randomBytes(idBytes))
}

// credentialVersion is a `cver`: 128 bits of a keyed digest of what a token depends on. A
// new password or another server gives another value, and without the key it tells
// nothing about the hash. Lengths precede the parts, so that none can run into the next.
func credentialVersion(key []byte, server string, user *User) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range []string{server, user.Subject(), user.PasswordHash} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// randomBytes never fails: crypto/rand ends the process instead.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

const (
	typJWT         = "JWT"
	typAccessToken = "at+jwt"
	idBytes        = 20
)
