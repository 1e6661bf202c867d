package caddygrant

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/mac"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// tokenResponse is the body of a successful answer (RFC 6749 §5.1).
type tokenResponse struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`

	tokenID string // `jti` of the access token
}

// tokenSession is the session that tokens belong to.
type tokenSession struct {
	id    session.ID
	ends  time.Time // no token outlives it
	scope string    // of the login: refresh tokens keep it (RFC 6749 §6)

	// refusedScope is what the login asked for and the user may not have.
	refusedScope string

	// generation returns that of the next refresh token, and so consumes the one before;
	// nil where there are no refresh tokens.
	generation func(context.Context) (uint64, error)
}

// accessClaims are the claims of an access token (RFC 9068 §2.2 and what an edge needs).
type accessClaims struct {
	Issuer            string   `json:"iss,omitempty"`
	Subject           string   `json:"sub"`
	Audience          []string `json:"aud,omitempty"`
	Expires           int64    `json:"exp"` // unix seconds, as are the next two
	NotBefore         int64    `json:"nbf,omitempty"`
	IssuedAt          int64    `json:"iat,omitempty"`
	ID                string   `json:"jti"` // 160 random bits
	CID               string   `json:"cid"`
	ClientID          string   `json:"client_id"` // RFC 9068's name of the same
	Scope             string   `json:"scope,omitempty"`
	Username          string   `json:"username"`
	SessionID         string   `json:"sid"`
	CredentialVersion string   `json:"cver,omitempty"`
	Server            string   `json:"srv,omitempty"` // tokens of before lack it

	own map[string]json.RawMessage // the user's own; none is named like those above
}

// encode writes the claims, with the user's own beside the others. As a MarshalJSON it would
// have encoding/json check and copy everything once more.
func (c *accessClaims) encode(into *bytes.Buffer) error {
	if err := buffer.AppendJSON(into, c); err != nil || len(c.own) == 0 {
		return err
	}
	end := into.Len() - 1 // of ours
	if err := buffer.AppendJSON(into, c.own); err != nil {
		return err
	}
	both := into.Bytes() // with two braces between them, where a comma belongs
	both[end] = ','
	copy(both[end+1:], both[end+2:])
	into.Truncate(len(both) - 1)
	return nil
}

// issue makes the tokens of an authorization. The access token comes first: if it cannot
// be made, no refresh token is consumed.
func (s *Server) issue(ctx context.Context, keys *keySet, req *tokenRequest, a *authorization) (*tokenResponse, error) {
	issued := clock.Now().Truncate(time.Second)
	current := a.session
	if current == nil {
		current = s.newSession(req, a.scopes, issued)
	}
	claims := s.accessClaims(keys, req.client, a, current, issued)
	req.sessionID = claims.SessionID
	payload := buffer.Borrow()
	defer buffer.Return(payload)
	if err := claims.encode(payload); err != nil {
		return nil, fmt.Errorf("encoding an access token: %w", err)
	}
	access, err := keys.ring.Sign(payload.Bytes())
	if err != nil {
		return nil, fmt.Errorf("signing an access token: %w", err)
	}
	if len(access) > keyring.MaxTokenLength {
		return nil, fmt.Errorf("the access token would have %d bytes, at most %d are possible: shorten the user's claims or scopes", len(access), keyring.MaxTokenLength)
	}
	response := &tokenResponse{
		TokenType:   "Bearer",
		ExpiresIn:   claims.Expires - claims.IssuedAt,
		AccessToken: access,
		Scope:       claims.Scope,
		tokenID:     claims.ID,
	}
	if current.generation == nil {
		return response, nil
	}
	generation, err := current.generation(ctx)
	if err != nil {
		return nil, err
	}
	response.RefreshToken, err = s.mintRefreshToken(keys, req, claims, current, generation)
	return response, err
}

// newSession begins a session, of which nothing is written anywhere. Without refresh
// tokens it ends with its access token.
func (s *Server) newSession(req *tokenRequest, scopes []string, begins time.Time) *tokenSession {
	if !s.mayRefresh(req.client) {
		ends := begins.Add(s.accessTokenTTL(req.client))
		return &tokenSession{id: session.NewID(ends), ends: ends}
	}
	ends := begins.Add(time.Duration(s.SessionTTL))
	return &tokenSession{
		id:           session.NewID(ends),
		ends:         ends,
		scope:        strings.Join(scopes, " "),
		refusedScope: refusedScope(req.scopes, scopes),
		generation:   func(context.Context) (uint64, error) { return 0, nil },
	}
}

// refusedScope is what was asked for and not granted. So much that it could make a refresh
// token too long is not remembered: it is an error then to ask for it again.
func refusedScope(asked, granted []string) string {
	if len(asked) == len(granted) { // granted is some of what was asked for
		return ""
	}
	var refused []string
	size := 0
	for _, scope := range granted {
		size += len(scope) + 1
	}
	for _, scope := range asked {
		if !slices.Contains(granted, scope) {
			refused = append(refused, scope)
			size += len(scope) + 1
		}
	}
	if size > maxRememberedScope {
		return ""
	}
	return strings.Join(refused, " ")
}

// mayRefresh tells whether the client's sessions have refresh tokens.
func (s *Server) mayRefresh(client *directory.Client) bool {
	return s.grants[oauth.GrantTypeRefreshToken] != nil && client.MayUse(oauth.GrantTypeRefreshToken)
}

func (s *Server) accessTokenTTL(client *directory.Client) time.Duration {
	if own := time.Duration(client.AccessTokenTTL); own != 0 {
		return own
	}
	return time.Duration(s.AccessTokenTTL)
}

func (s *Server) accessClaims(keys *keySet, client *directory.Client, a *authorization, current *tokenSession, issued time.Time) *accessClaims {
	return &accessClaims{
		Issuer:            s.Issuer,
		Subject:           a.user.Subject(),
		Audience:          s.audience(client),
		Expires:           earlier(issued.Add(s.accessTokenTTL(client)), current.ends).Unix(),
		NotBefore:         issued.Unix(),
		IssuedAt:          issued.Unix(),
		ID:                newTokenID(),
		CID:               client.ID,
		ClientID:          client.ID,
		Scope:             strings.Join(a.scopes, " "),
		Username:          a.user.Username,
		SessionID:         current.id.String(),
		CredentialVersion: credentialVersion(keys.credentialVersion, s.Name, a.user),
		Server:            keys.server,
		own:               a.user.Claims,
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// newTokenID is a `jti`: 160 random bits, base64url.
func newTokenID() string { return base64.RawURLEncoding.EncodeToString(randomBytes(idBytes)) }

// credentialVersion is a `cver`: 128 bits of a keyed digest of what a token depends on. A
// new password or another server gives another value, and without the key it tells
// nothing about the hash. Lengths precede the parts, so that none can run into the next.
// A scheme in braces before the hash makes no other, also where a source of another module
// has left it there.
func credentialVersion(key mac.Key, server string, user *directory.User) string {
	data := buffer.Borrow()
	defer buffer.ReturnSecret(data)
	for _, part := range [...]string{server, user.Subject(), password.Unprefixed(user.PasswordHash)} {
		data.Write(binary.BigEndian.AppendUint64(data.AvailableBuffer(), uint64(len(part))))
		data.WriteString(part)
	}
	return base64.RawURLEncoding.EncodeToString(key.Append(nil, data.Bytes())[:16])
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

	// maxRememberedScope is how many bytes all scopes that a login asked for may have to be
	// remembered: half of what a token has room for, in base64.
	maxRememberedScope = keyring.MaxTokenLength * 3 / 8
)
