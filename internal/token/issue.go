package token

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// Response is the body of a successful answer (RFC 6749 §5.1).
type Response struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`

	TokenID string `json:"-"` // `jti` of the access token, for the log
}

// Authorization is what a grant found: for whom to make tokens, and for which scopes.
type Authorization struct {
	Client  *directory.Client
	User    *directory.User // nil: the client acts for itself
	Scopes  []string        // of the access token
	Session *Session        // that goes on; nil: one begins
	Origin  session.Origin  // of a session that begins
}

// Issue makes the tokens of an authorization. The access token comes first: if it
// cannot be made, no refresh token is consumed.
func (p *Policy) Issue(ctx context.Context, keys *KeySet, a *Authorization, at time.Time) (*Response, error) {
	claims := p.accessClaims(keys, a, at)
	payload := buffer.Borrow()
	defer buffer.Return(payload)
	if err := claims.encode(payload); err != nil {
		return nil, fmt.Errorf("encoding an access token: %w", err)
	}
	access, err := keys.Ring.Sign(payload.Bytes())
	if err != nil {
		return nil, fmt.Errorf("signing an access token: %w", err)
	}
	if len(access) > keyring.MaxTokenLength {
		return nil, fmt.Errorf("the access token would have %d bytes, the maximum is %d: shorten the user's claims or scopes", len(access), keyring.MaxTokenLength)
	}
	response := &Response{
		TokenType:   "Bearer",
		ExpiresIn:   claims.Expires - claims.IssuedAt,
		AccessToken: access,
		Scope:       claims.Scope,
		TokenID:     claims.ID,
	}
	if !a.Session.Refreshes {
		return response, nil
	}
	generation, err := a.Session.next(ctx)
	if err != nil {
		return nil, err
	}
	response.RefreshToken, err = p.mintRefreshToken(keys, a, claims, generation)
	return response, err
}

func (p *Policy) accessClaims(keys *KeySet, a *Authorization, issued time.Time) *AccessClaims {
	claims := &AccessClaims{
		Issuer:         p.Issuer,
		Audience:       p.audienceOf(a.Client),
		Expires:        earlier(issued.Add(p.accessTokenTTL(a.Client)), a.Session.Ends).Unix(),
		NotBefore:      issued.Unix(),
		IssuedAt:       issued.Unix(),
		ID:             newTokenID(),
		CID:            a.Client.ID,
		ClientID:       a.Client.ID,
		Scope:          strings.Join(a.Scopes, " "),
		SessionID:      a.Session.ID,
		Server:         keys.server,
		SessionVersion: a.Session.Version,
	}
	if a.User == nil {
		claims.Subject, claims.GrantType = a.Client.ID, ActingClient
		claims.CredentialVersion = secretVersion(keys.credentialVersion, p.Server, a.Client)
		return claims
	}
	claims.Subject, claims.Username, claims.own = a.User.Subject(), a.User.Username, a.User.Claims
	claims.CredentialVersion = credentialVersion(keys.credentialVersion, p.Server, a.User)
	return claims
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
