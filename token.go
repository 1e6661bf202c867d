package caddygrant

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/keyring"
)

// tokenResponse is the body of a successful answer (RFC 6749 §5.1).
type tokenResponse struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`

	tokenID string // `jti` of the access token, for the log
}

// authorization is what a grant found: for whom to make tokens, and for which scopes.
type authorization struct {
	client  *directory.Client
	user    *directory.User
	scopes  []string // of the access token
	session *tokenSession
}

// issue makes the tokens of an authorization. The access token comes first: if it cannot
// be made, no refresh token is consumed.
func (p *tokenPolicy) issue(ctx context.Context, keys *keySet, a *authorization, at time.Time) (*tokenResponse, error) {
	claims := p.accessClaims(keys, a, at)
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
	if !a.session.refreshes {
		return response, nil
	}
	generation, err := a.session.next(ctx)
	if err != nil {
		return nil, err
	}
	response.RefreshToken, err = p.mintRefreshToken(keys, a, claims, generation)
	return response, err
}

func (p *tokenPolicy) accessClaims(keys *keySet, a *authorization, issued time.Time) *accessClaims {
	return &accessClaims{
		Issuer:            p.issuer,
		Subject:           a.user.Subject(),
		Audience:          p.audienceOf(a.client),
		Expires:           earlier(issued.Add(p.accessTokenTTL(a.client)), a.session.ends).Unix(),
		NotBefore:         issued.Unix(),
		IssuedAt:          issued.Unix(),
		ID:                newTokenID(),
		CID:               a.client.ID,
		ClientID:          a.client.ID,
		Scope:             strings.Join(a.scopes, " "),
		Username:          a.user.Username,
		SessionID:         a.session.id.String(),
		CredentialVersion: credentialVersion(keys.credentialVersion, p.server, a.user),
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
