package token

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// Issued is what the log says of tokens. The tokens themselves are in the answer alone.
type Issued struct {
	Scope   string // of the access token
	TokenID string // `jti` of the access token
}

// Authorization is what a grant found: for whom to make tokens, and for which scopes.
type Authorization struct {
	Client  *directory.Client
	User    *directory.User // nil: the client acts for itself
	Scopes  []string        // of the access token
	Session *Session        // that goes on; nil: one begins
	Origin  session.Origin  // of a session that begins
}

// Issue makes the tokens of an authorization, and writes the body of the answer with
// them (RFC 6749 §5.1): token_type, expires_in in seconds, access_token, refresh_token
// where the session has them, and scope. Tokens are signed where they stand in the
// answer. The access token comes first: if it cannot be made, no refresh token is
// consumed. After an error the buffer may hold a token that must not be sent.
func (p *Policy) Issue(ctx context.Context, keys *KeySet, a *Authorization, at time.Time, answer *bytes.Buffer) (Issued, error) {
	claims := p.accessClaims(keys, a, at)
	answer.Write(appendNumber(answer.AvailableBuffer(), `{"token_type":"Bearer","expires_in":`, claims.lifetime()))
	answer.WriteString(`,"access_token":"`) // of which base64url has nothing to escape
	if err := claims.sign(keys, answer); err != nil {
		return Issued{}, err
	}
	if a.Session.Refreshes {
		generation, err := a.Session.next(ctx)
		if err != nil {
			return Issued{}, err
		}
		answer.WriteString(`","refresh_token":"`)
		if err := p.mintRefreshToken(keys, a, &claims, generation, answer); err != nil {
			return Issued{}, err
		}
	}
	answer.Write(appendText(answer.AvailableBuffer(), `","scope":`, claims.Scope))
	answer.WriteByte('}')
	return Issued{claims.Scope, claims.ID}, nil
}

// sign writes the access token with these claims into a buffer.
func (c *AccessClaims) sign(keys *KeySet, into *bytes.Buffer) error {
	payload := buffer.Borrow()
	defer buffer.Return(payload)
	if err := c.encode(payload); err != nil {
		return fmt.Errorf("encoding an access token: %w", err)
	}
	begin := into.Len()
	if err := keys.Ring.Sign(into, payload.Bytes()); err != nil {
		return fmt.Errorf("signing an access token: %w", err)
	}
	if length := into.Len() - begin; length > keyring.MaxTokenLength {
		return fmt.Errorf("the access token would have %d bytes, the maximum is %d: shorten the user's claims or scopes", length, keyring.MaxTokenLength)
	}
	return nil
}

// lifetime is how long the token is good for when it is issued, in seconds.
func (c *AccessClaims) lifetime() int64 { return c.Expires - c.IssuedAt }

func (p *Policy) accessClaims(keys *KeySet, a *Authorization, issued time.Time) AccessClaims {
	claims := AccessClaims{
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
